//! The webhook driver against a server: signed, polled, refused, flooded.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use lb_drivers::{
    CheckOptions, Driver as _, Request, SIGNATURE_HEADER, StaticDriver, WebhookDriver,
    WebhookError, check, verify_signature,
};
use lb_members::{Answer, ErrorClass, Verb};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

const SECRET: &[u8] = b"between the two";
const LONG: Duration = Duration::from_mins(1);

/// What a test server was asked.
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

type Answering = Arc<dyn Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync>;

fn response(status: u16, body: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answer: Answering) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let path = head.uri.path().to_owned();
            let asked = Asked { method: head.method, path, headers: head.headers, body };
            Ok::<_, Infallible>(answer(&asked))
        }
    });
    // Clients close their connections as they like.
    let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn server(
    answer: impl Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync + 'static,
    tls: Option<TlsAcceptor>,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer: Answering = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answer, tls) = (Arc::clone(&answer), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, answer).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, answer).await;
                        }
                    }
                }
            });
        }
    });
    address
}

fn trust(certificates: &[rustls::pki_types::CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn driver(url: &str, tls: Arc<ClientConfig>) -> WebhookDriver {
    WebhookDriver::new(&url.parse().unwrap(), SECRET.to_vec(), tls, 7).unwrap()
}

fn request(verb: Verb) -> Request {
    let (group, name) = ("web".to_owned(), "web-1".to_owned());
    Request { verb, group, name, template: "t".to_owned(), parameters: Map::new() }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn static_driver(folder: &Path) -> StaticDriver {
    let addresses = (1..=4).map(|number| SocketAddr::from(([10, 0, 0, number], 80))).collect();
    StaticDriver::new(addresses, folder.join("assigned.json"))
}

/// A server that hands calls to the static driver.
fn of_static(driver: &StaticDriver, asked: &Asked) -> Response<Full<Bytes>> {
    let object: Value = serde_json::from_slice(&asked.body).unwrap();
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    let request = Request {
        verb: serde_json::from_value(object["verb"].clone()).unwrap(),
        group: text("group"),
        name: text("name"),
        template: text("template"),
        parameters: Map::new(),
    };
    let mut call = driver.call(&request, LONG);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = call.as_mut().poll(&mut context) else { panic!() };
    match result {
        Ok(Answer::Members(members)) => {
            let members: Vec<Value> = members
                .iter()
                .map(|m| {
                    json!({ "name": m.name, "state": m.state, "address": m.address, "port": m.port,
                            "template": m.template })
                })
                .collect();
            response(200, &json!({ "members": members }).to_string())
        }
        Ok(Answer::Member(m)) => {
            let member = json!({ "state": m.state, "address": m.address, "port": m.port });
            response(201, &member.to_string())
        }
        Ok(Answer::Done) => response(204, ""),
        Err(error) => response(422, &json!({ "error": error }).to_string()),
    }
}

#[tokio::test]
async fn a_server_in_tls_passes_the_check_and_requests_are_signed() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inner = static_driver(folder.path());
    let answer = move |asked: &Asked| {
        let signature = asked.headers[SIGNATURE_HEADER].to_str().unwrap();
        if !verify_signature(SECRET, signature, &asked.body, unix_seconds(), 300) {
            return response(401, "");
        }
        assert_eq!((asked.path.as_str(), &asked.method), ("/hook", &Method::POST));
        of_static(&inner, asked)
    };
    let address = server(answer, Some(TlsAcceptor::from(Arc::new(config)))).await;
    let url = format!("https://localhost:{}/hook", address.port());
    let options = CheckOptions {
        poll_interval: Duration::from_millis(20),
        ..CheckOptions::new("web", "c0de")
    };
    let report = check(&driver(&url, trust(&[certificate])), &options).await;
    assert!(report.is_passed(), "\n{report}");

    // A certificate that is not trusted ends the exchange before the request.
    let error = driver(&url, trust(&[])).call(&request(Verb::List), LONG).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.message.contains("TLS"), "{error}");
}

#[tokio::test]
async fn an_accepted_call_is_polled_with_the_same_key() {
    let polls = AtomicU32::new(0);
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let answer = move |asked: &Asked| {
        seen.lock().unwrap().push(asked.headers["idempotency-key"].clone());
        if asked.method == Method::POST {
            let mut accepted = response(202, "");
            // Another host: only its path is used.
            accepted.headers_mut().insert("location", "http://evil/calls/7".parse().unwrap());
            accepted.headers_mut().insert("retry-after", "0".parse().unwrap());
            return accepted;
        }
        assert_eq!(asked.path, "/calls/7");
        if polls.fetch_add(1, Relaxed) < 2 {
            let mut accepted = response(202, "");
            accepted.headers_mut().insert("location", "/calls/7".parse().unwrap());
            accepted.headers_mut().insert("retry-after", "0".parse().unwrap());
            return accepted;
        }
        response(200, r#"{"state": "launching"}"#)
    };
    let address = server(answer, None).await;
    let driver = driver(&format!("http://{address}/"), trust(&[]));
    let result = driver.call(&request(Verb::Ensure), LONG).await;
    assert!(matches!(result, Ok(Answer::Member(_))), "{result:?}");
    let result = driver.call(&request(Verb::Ensure), LONG).await;
    assert!(matches!(result, Ok(Answer::Member(_))), "{result:?}");
    let keys = keys.lock().unwrap();
    let (first, second) = keys.split_at(4);
    assert!(first.iter().all(|key| *key == first[0]), "{keys:?}");
    assert!(second.iter().all(|key| *key == second[0]), "{keys:?}");
    assert!(second.len() == 2 && first[0] != second[0], "another call: {keys:?}");
}

#[tokio::test]
async fn statuses_and_their_classes() {
    let flood = "x".repeat(2 << 20);
    let cases = [
        (200, "nonsense", ErrorClass::Transient),
        (200, flood.as_str(), ErrorClass::Transient),
        (301, "", ErrorClass::Fatal),
        (401, "", ErrorClass::Fatal),
        (409, "", ErrorClass::Transient),
        (429, "", ErrorClass::Transient),
        (429, r#"{"error": {"class": "quota"}}"#, ErrorClass::Quota),
        (500, "", ErrorClass::Transient),
        (503, r#"{"error": {"class": "capacity"}}"#, ErrorClass::Capacity),
    ];
    for (status, body, class) in cases {
        let text = body.to_owned();
        let address = server(move |_| response(status, &text), None).await;
        let driver = driver(&format!("http://{address}/"), trust(&[]));
        let error = driver.call(&request(Verb::Ensure), LONG).await.unwrap_err();
        assert_eq!(error.class, class, "{status}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_at_the_deadline() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let driver = driver(&format!("http://{address}/"), trust(&[]));
    let error = driver.call(&request(Verb::List), Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
}

#[test]
fn only_loopback_is_talked_to_without_tls() {
    // (URL, whether it is refused)
    let cases = [
        ("https://example.net/hook", false),
        ("http://127.0.0.1:80/", false),
        ("http://[::1]/", false),
        ("http://example.net/hook", true),
        ("ftp://127.0.0.1/", true),
        ("/hook", true),
    ];
    for (url, refused) in cases {
        let made = WebhookDriver::new(&url.parse().unwrap(), Vec::new(), trust(&[]), 7);
        assert_eq!(made.is_err(), refused, "{url}");
    }
    let error = WebhookDriver::new(&"/hook".parse().unwrap(), Vec::new(), trust(&[]), 7);
    assert_eq!(error.unwrap_err(), WebhookError::NoHost);
}
