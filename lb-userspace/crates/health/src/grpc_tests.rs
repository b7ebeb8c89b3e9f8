//! gRPC probes, against servers that speak it and servers that do not.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lb_config::{GrpcCheck, Matcher, TlsCheck};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, time::Instant};
use tokio_rustls::TlsAcceptor;

use super::{Outcome, Probe, Reason, grpc, tcp::tests::probe_of, tls_tests::Authority};

const TIMEOUT: Duration = Duration::from_secs(1);

/// What a server answers: HTTP status, content type, body, trailers or headers.
#[derive(Clone, Copy)]
struct Script {
    status: u16,
    kind: &'static str,
    body: &'static [u8],
    code: &'static str,
    /// The code is in the head, and there is no body.
    in_head: bool,
}

const SERVING: Script = Script {
    status: 200,
    kind: "application/grpc",
    body: &[0, 0, 0, 0, 2, 8, 1],
    code: "0",
    in_head: false,
};

async fn answer(
    request: Request<Incoming>,
    script: Script,
) -> Result<Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>, Infallible> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert_eq!(request.headers()["te"], "trailers");
    let asked = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&asked[..], b"\0\0\0\0\x05\x0a\x03web");
    let head = Response::builder().status(script.status).header("content-type", script.kind);
    if script.in_head {
        let head = head.header("grpc-status", script.code).header("grpc-message", "says so");
        return Ok(head.body(Full::new(Bytes::new()).boxed()).unwrap());
    }
    let mut trailers = HeaderMap::new();
    if !script.code.is_empty() {
        trailers.insert("grpc-status", HeaderValue::from_static(script.code));
    }
    let trailers = async move { Some(Ok(trailers)) };
    let body = Full::new(Bytes::from_static(script.body)).with_trailers(trailers);
    Ok(head.body(body.boxed()).unwrap())
}

async fn serve(script: Script, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, script));
                let server = http2::Builder::new(TokioExecutor::new());
                match tls {
                    None => {
                        let _end = server.serve_connection(TokioIo::new(stream), service).await;
                    }
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let _end = server.serve_connection(TokioIo::new(stream), service).await;
                    }
                }
            });
        }
    });
    address
}

fn check(codes: &[(u16, u16)]) -> GrpcCheck {
    GrpcCheck { tls: None, service: "web".to_owned(), matcher: Matcher(codes.to_vec()) }
}

async fn outcome(address: SocketAddr, check: &GrpcCheck) -> Outcome {
    let probe = Probe { timeout: TIMEOUT, ..probe_of(address) };
    grpc::probe(&probe, check, Instant::now() + TIMEOUT).await
}

fn mismatch(detail: &str) -> Outcome {
    Outcome::Failure { reason: Reason::ResponseCodeMismatch, detail: detail.to_owned() }
}

#[tokio::test]
async fn the_service_status_decides() {
    let unimplemented = Script { code: "12", in_head: true, ..SERVING };
    for (script, codes, expected) in [
        (SERVING, vec![(0, 0)], Outcome::Success),
        (
            Script { body: &[0, 0, 0, 0, 2, 8, 2], ..SERVING },
            vec![(0, 0)],
            Outcome::failed("the service is NOT_SERVING"),
        ),
        (
            Script { body: &[0, 0, 0, 0, 0], ..SERVING },
            vec![(0, 0)],
            Outcome::failed("the service is UNKNOWN"),
        ),
        (
            Script { code: "5", in_head: true, ..SERVING },
            vec![(0, 0)],
            mismatch("gRPC status 5 (says so), expected 0"),
        ),
        (unimplemented, vec![(0, 0), (12, 12)], Outcome::Success),
        (unimplemented, vec![(0, 5)], mismatch("gRPC status 12 (says so), expected 0-5")),
        (
            Script { body: &[1, 0, 0, 0, 2, 8, 1], ..SERVING },
            vec![(0, 0)],
            Outcome::failed("the answer is not a message of the health service"),
        ),
        (
            Script { body: &[0, 255, 255, 255, 255, 8, 1], ..SERVING },
            vec![(0, 0)],
            Outcome::failed("the answer is not a message of the health service"),
        ),
        (
            Script { code: "", ..SERVING },
            vec![(0, 0)],
            Outcome::failed("the answer has no grpc-status"),
        ),
        (
            Script { code: "zero", ..SERVING },
            vec![(0, 0)],
            Outcome::failed("its grpc-status is not a number"),
        ),
        (
            Script { status: 404, ..SERVING },
            vec![(0, 0)],
            Outcome::failed("HTTP status 404, expected 200 of a gRPC server"),
        ),
        (
            Script { kind: "text/html", ..SERVING },
            vec![(0, 0)],
            Outcome::failed("content type \"text/html\", expected application/grpc"),
        ),
    ] {
        let address = serve(script, None).await;
        assert_eq!(outcome(address, &check(&codes)).await, expected, "{}", script.code);
    }
}

#[tokio::test]
async fn over_tls_with_alpn() {
    let authority = Authority::new("one");
    let acceptor =
        |alpn: &[&[u8]]| TlsAcceptor::from(Arc::new(authority.server("grpc.example", 2090, alpn)));
    let tls = TlsCheck { server_name: Some("grpc.example".to_owned()), verify: authority.verify() };
    let check = GrpcCheck { tls: Some(tls), ..check(&[(0, 0)]) };
    let address = serve(SERVING, Some(acceptor(&[b"h2"]))).await;
    assert_eq!(outcome(address, &check).await, Outcome::Success);
    let address = serve(SERVING, Some(acceptor(&[]))).await;
    let detail = "the target supports TLS, but not HTTP/2 over TLS (ALPN h2)";
    assert_eq!(outcome(address, &check).await, Outcome::failed(detail));
}

#[tokio::test]
async fn servers_without_grpc_fail_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let begun = Instant::now();
    let seen = outcome(address, &check(&[(0, 0)])).await;
    assert_eq!(seen, Outcome::timeout("connected, but the call has not ended within 1s"));
    assert!(begun.elapsed() < TIMEOUT * 2);
    for garbage in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0xff; 10_000]] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _gone = stream.write_all(garbage).await;
            }
        });
        let Outcome::Failure { detail, reason } = outcome(address, &check(&[(0, 0)])).await else {
            panic!("a success");
        };
        let known = ["no HTTP/2: ", "connection reset by the target", "connected, but the call"];
        assert!(known.iter().any(|text| detail.starts_with(text)), "{reason}: {detail}");
    }
}
