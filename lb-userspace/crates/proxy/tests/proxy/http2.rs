//! Clients that speak HTTP/2, in clear and in TLS, in front of targets that speak HTTP/1.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use lb_proxy::{CertificateSet, RequestKind};
use tokio::net::TcpStream;

use crate::{
    support::{Client, LONG, TestProxy, TestTarget, field, group, healthy, impatient, simple},
    tls::{certificate, trusting, with_tls},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A connection with prior knowledge, and a task that drives it.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    send
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Sends a request with a body in pieces, and reads its response.
pub(crate) async fn ask(
    send: &SendRequest<Bytes>,
    request: Request<()>,
    body: &[&[u8]],
    trailers: Option<HeaderMap>,
) -> Result<Answer, h2::Error> {
    let mut send = send.clone().ready().await?;
    let is_end = body.is_empty() && trailers.is_none();
    let (response, mut stream) = send.send_request(request, is_end)?;
    for (place, piece) in body.iter().enumerate() {
        let is_last = place + 1 == body.len() && trailers.is_none();
        stream.send_data(Bytes::copy_from_slice(piece), is_last)?;
    }
    if let Some(trailers) = trailers {
        stream.send_trailers(trailers)?;
    }
    let (parts, mut content) = Response::into_parts(response.await?);
    let mut body = Vec::new();
    while let Some(piece) = content.data().await {
        let piece = piece?;
        content.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let trailers = content.trailers().await?;
    Ok(Answer { status: parts.status.as_u16(), fields: parts.headers, body, trailers })
}

pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://shop.example{path}")).body(()).unwrap()
}

pub(crate) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://shop.example{path}")).body(()).unwrap()
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, test).await.expect("an end in time") });
}

#[test]
fn requests_in_clear_reach_targets_as_http1() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let mut request = get("/a?b");
        request.headers_mut().append("cookie", "a=1".parse().unwrap());
        request.headers_mut().append("cookie", "b=2".parse().unwrap());
        let answer = ask(&send, request, &[], None).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
        assert_eq!(answer.fields["content-length"], "2");
        let answer = ask(&send, post("/b"), &[b"one", b"two"], None).await.unwrap();
        assert_eq!(answer.status, 200);
    });
    let received = target.text();
    assert!(received.starts_with("GET /a?b HTTP/1.1\r\nHost: shop.example\r\n"), "{received}");
    assert_eq!(field(&received, "cookie"), Some("a=1; b=2"));
    assert!(received.contains("Transfer-Encoding: chunked\r\n"), "{received}");
    assert!(received.ends_with("0\r\n\r\n"), "{received}");
    let event = proxy.event();
    assert_eq!((event.kind, event.version), (RequestKind::Http2, "HTTP/2.0"));
}

#[test]
fn alpn_chooses_http2() {
    let target = TestTarget::answering(OK);
    let (trusted, key) = certificate("a.example");
    let snapshot =
        with_tls(simple(group("web", &[healthy(target.address)])), &[("a.example", &key)]);
    let proxy = TestProxy::start(snapshot);
    let address = proxy.address();
    run(async {
        let config = trusting(&[trusted], &[b"h2"]);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(address).await.unwrap();
        let name = "a.example".try_into().unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let request = Request::get("https://a.example/").body(()).unwrap();
        assert_eq!(ask(&send, request, &[], None).await.unwrap().status, 200);
    });
    assert_eq!(field(&target.text(), "x-forwarded-proto"), Some("https"));
}

/// A browser may send requests for another host over a connection, if it believes that both are one server.
#[test]
fn a_host_of_another_certificate_is_misdirected() {
    let target = TestTarget::answering(OK);
    let (trusted, first) = certificate("a.example");
    let (_, other) = certificate("b.example");
    let named = [("a.example", &first), ("b.example", &other)];
    let mut snapshot = with_tls(simple(group("web", &[healthy(target.address)])), &named);
    let mut certificates = CertificateSet::new(Arc::clone(&first));
    for (name, certificate) in named {
        certificates.add(name, Arc::clone(certificate));
    }
    snapshot.listeners[0].certificates = Some(Arc::new(certificates));
    let mut proxy = TestProxy::start(snapshot);
    let address = proxy.address();
    run(async {
        let config = trusting(&[trusted], &[b"h2"]);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(address).await.unwrap();
        let name = "a.example".try_into().unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        for (host, status) in
            [("a.example", 200), ("b.example", 421), ("unknown.example", 200), ("a.example", 200)]
        {
            let request = Request::get(format!("https://{host}/")).body(()).unwrap();
            assert_eq!(ask(&send, request, &[], None).await.unwrap().status, status, "{host}");
        }
    });
    let reasons: Vec<_> = (0..4).map(|_| proxy.event().reason).collect();
    assert_eq!(reasons, [None, Some("misdirected_request"), None, None]);
}

#[test]
fn streams_do_not_wait_for_each_other() {
    let target = TestTarget::start(|mut end| {
        while let Some(request) = end.request() {
            if request.starts_with("GET /slow") {
                std::thread::sleep(LONG);
            }
            end.send(OK);
        }
    });
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let slow = tokio::spawn({
            let send = send.clone();
            async move { ask(&send, get("/slow"), &[], None).await.map(|answer| answer.status) }
        });
        for _ in 0..20 {
            assert_eq!(ask(&send, get("/"), &[], None).await.unwrap().status, 200);
        }
        assert!(!slow.is_finished());
        slow.abort();
    });
}

#[test]
fn large_bodies_arrive_in_both_directions() {
    const SIZE: usize = 5 << 20;
    let target = TestTarget::start(|mut end| {
        while let Some(request) = end.request() {
            let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
            end.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    let body: Vec<u8> =
        (0..SIZE).map(|place| b'a' + u8::try_from(place / 7 % 23).unwrap()).collect();
    run(async {
        let send = connect(address).await;
        let mut request = post("/");
        request.headers_mut().insert("content-length", SIZE.into());
        let answer = ask(&send, request, &[&body], None).await.unwrap();
        assert!(answer.body == body);
    });
}

#[test]
fn trailers_arrive_in_both_directions() {
    let target = TestTarget::start(|mut end| {
        let mut seen = String::new();
        let mut buffer = [0; 4096];
        while !seen.contains("x-sum: 7\r\n\r\n") {
            let count = std::io::Read::read(&mut end.stream, &mut buffer).unwrap();
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        end.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n");
    });
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", 7.into());
        let answer = ask(&send, post("/"), &[b"body"], Some(trailers)).await.unwrap();
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
    });
}

#[test]
fn failures_are_responses_or_resets() {
    let target = TestTarget::start(|mut end| {
        let request = end.request().unwrap();
        if request.starts_with("GET /cut") {
            end.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        }
    });
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        assert_eq!(ask(&send, get("/closed"), &[], None).await.unwrap().status, 502);
        assert!(ask(&send, get("/cut"), &[], None).await.is_err());
        assert_eq!(ask(&send, get("/%00"), &[], None).await.unwrap().status, 400);
        let early = Request::post("http://a/%00").body(()).unwrap();
        assert_eq!(ask(&send, early, &[&[0; 1000]], None).await.unwrap().status, 400);
    });
    let reasons: Vec<_> = (0..4).map(|_| proxy.event().reason.unwrap()).collect();
    assert_eq!(
        reasons,
        ["target_closed", "response_cut", "control_in_target", "control_in_target"]
    );
}

#[test]
fn clients_of_grpc_get_its_status() {
    let mut proxy = TestProxy::start(simple(group("web", &[])));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let mut request = post("/a.B/C");
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        let answer = ask(&send, request, &[b"message"], None).await.unwrap();
        assert_eq!((answer.status, &answer.fields["grpc-status"]), (200, &"14".parse().unwrap()));
    });
    let event = proxy.event();
    assert_eq!((event.kind, event.status), (RequestKind::Grpc, 503));
}

#[test]
fn a_stream_that_is_reset_is_logged_with_status_460() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.request();
    });
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let mut send = send.ready().await.unwrap();
        let (response, mut stream) = send.send_request(get("/"), true).unwrap();
        while target.text().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stream.send_reset(h2::Reason::CANCEL);
        assert!(response.await.is_err());
    });
    assert_eq!(proxy.event().status, 460);
}

#[test]
fn a_client_that_resets_stream_after_stream_is_sent_away() {
    let target = TestTarget::start(|mut end| while end.request().is_some() {});
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        let end = tokio::spawn(connection);
        let (mut send, mut seen) = (Some(send), 0);
        while let Ok(mut ready) = send.take().unwrap().ready().await {
            let Ok((_, mut stream)) = ready.send_request(get("/"), true) else { break };
            // The proxy has forwarded it, so that h2 does not count it as one that nobody has taken.
            while target.connections() == seen && !end.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            seen = target.connections();
            stream.send_reset(h2::Reason::CANCEL);
            send = Some(ready);
        }
        assert!(seen >= 500, "{seen}");
        let error = end.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM), "{error}");
        assert_eq!(proxy.metrics().listeners["web"].get(lb_proxy::Counter::FloodingConnections), 1);
    });
}

#[test]
fn an_idle_connection_ends_also_without_an_answer_to_goaway() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let mut client = Client::connect(proxy.address());
    // The preface and an empty SETTINGS frame.
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0");
    let begin = std::time::Instant::now();
    assert!(!client.read_to_end().is_empty());
    assert!(begin.elapsed() < LONG, "the proxy has closed the connection");
}

#[test]
fn a_stop_lets_streams_end() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let target = TestTarget::start(move |mut end| {
        while end.request().is_some() {
            wait.lock().unwrap().recv().unwrap();
            end.send(OK);
        }
    });
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let request = ask(&send, get("/"), &[], None);
        let stop = async {
            while target.text().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let stop = std::thread::spawn(move || proxy.stop(LONG));
            tokio::time::sleep(Duration::from_millis(50)).await;
            go.send(()).unwrap();
            tokio::task::spawn_blocking(move || stop.join().unwrap()).await.unwrap()
        };
        let (answer, report) = tokio::join!(request, stop);
        assert_eq!(answer.unwrap().status, 200);
        assert_eq!(report.requests_cut, 0);
    });
}
