//! Calls of gRPC to targets of gRPC: what both sides see, and what the proxy answers itself.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use lb_proxy::{RequestKind, Snapshot, TargetProtocol};

use crate::{
    http2::{Answer, ask, connect, get, run},
    http2_support::{Http2Target, Stream},
    support::{TestProxy, group, healthy, impatient, simple},
};

/// A message of one byte, with its prefix.
const MESSAGE: &[u8] = b"\0\0\0\0\x01m";

fn call(path: &str) -> Request<()> {
    Request::post(format!("http://shop.example{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

fn grpc(target: &Http2Target) -> Snapshot {
    let mut group = target.group();
    group.attributes.protocol = TargetProtocol::Grpc;
    group.attributes.connect_retries = 0;
    simple(group)
}

fn ask_one(proxy: &TestProxy, request: Request<()>) -> Result<Answer, h2::Error> {
    let address = proxy.address();
    let mut answer = None;
    run(async {
        let send = connect(address).await;
        answer = Some(ask(&send, request, &[MESSAGE], None).await);
    });
    answer.unwrap()
}

fn response() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

async fn serve(mut stream: Stream) {
    assert_eq!(stream.read().await, MESSAGE);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    trailers.insert("grpc-message", "fine".parse().unwrap());
    match stream.request.uri().path() {
        // The status in the head, without any body ("Trailers-Only").
        "/a.B/Refused" => {
            let mut response = response();
            response.headers_mut().insert("grpc-status", 7.into());
            stream.answer_with(response, b"", None);
        }
        "/a.B/Hang" => stream.wait_for_reset().await,
        _ => stream.answer_with(response(), MESSAGE, Some(trailers)),
    }
}

#[test]
fn status_and_trailers_arrive() {
    let target = Http2Target::start(100, serve);
    let mut proxy = TestProxy::start(grpc(&target));
    let answer = ask_one(&proxy, call("/a.B/Call")).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, MESSAGE));
    let trailers = answer.trailers.unwrap();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"fine".parse().unwrap())
    );
    let request = target.last();
    assert_eq!(
        (&request.headers()["te"], request.uri().path()),
        (&"trailers".parse().unwrap(), "/a.B/Call")
    );
    assert_eq!(proxy.event().kind, RequestKind::Grpc);
    let answer = ask_one(&proxy, call("/a.B/Refused")).unwrap();
    assert_eq!(answer.fields["grpc-status"], "7");
    assert!(!answer.fields.contains_key("content-length"), "{:?}", answer.fields);
}

#[test]
fn messages_stream_in_both_directions_at_the_same_time() {
    let target = Http2Target::start(100, |mut stream| async move {
        let mut send = stream.respond.send_response(response(), false).unwrap();
        while let Some(Ok(message)) = stream.body.data().await {
            drop(stream.body.flow_control().release_capacity(message.len()));
            send.send_data(message, false).unwrap();
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", 0.into());
        send.send_trailers(trailers).unwrap();
    });
    let proxy = TestProxy::start(grpc(&target));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let mut send = send.ready().await.unwrap();
        let (answer, mut stream) = send.send_request(call("/a.B/Echo"), false).unwrap();
        let mut content = answer.await.unwrap().into_body();
        for _ in 0..20 {
            stream.send_data(MESSAGE.into(), false).unwrap();
            // The answer to one message comes before the next one is sent.
            let echo = content.data().await.unwrap().unwrap();
            drop(content.flow_control().release_capacity(echo.len()));
            assert_eq!(echo, MESSAGE);
        }
        stream.send_data("".into(), true).unwrap();
        assert!(content.data().await.is_none());
        assert_eq!(content.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn failures_have_a_status_of_grpc() {
    let target = Http2Target::start(100, serve);
    let mut proxy = TestProxy::start(impatient(grpc(&target)));
    let status = |proxy: &TestProxy, request| {
        let answer = ask_one(proxy, request).unwrap();
        assert_eq!(
            (answer.status, &answer.fields["content-type"]),
            (200, &"application/grpc".parse().unwrap())
        );
        answer.fields["grpc-status"].to_str().unwrap().to_owned()
    };
    // DEADLINE_EXCEEDED, by the timeout of the listener.
    assert_eq!(status(&proxy, call("/a.B/Hang")), "4");
    assert_eq!(proxy.event().reason, Some("response_timeout"));
    // UNAVAILABLE
    let mut gone = group("web", &[healthy(([127, 0, 0, 1], 9).into())]);
    gone.attributes.protocol = TargetProtocol::Grpc;
    let mut proxy = TestProxy::start(simple(gone));
    assert_eq!(status(&proxy, call("/a.B/Call")), "14");
    assert_eq!(proxy.event().reason, Some("connect_failed"));
}

#[test]
fn the_deadline_of_a_call_is_kept() {
    let target = Http2Target::start(100, serve);
    let mut proxy = TestProxy::start(grpc(&target));
    let mut request = call("/a.B/Hang");
    request.headers_mut().insert("grpc-timeout", "100m".parse().unwrap());
    let begin = std::time::Instant::now();
    let answer = ask_one(&proxy, request).unwrap();
    assert_eq!(answer.fields["grpc-status"], "4");
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert_eq!(proxy.event().reason, Some("total_timeout"));
    assert_eq!(target.last().headers()["grpc-timeout"], "100m");
}

#[test]
fn other_requests_are_not_for_targets_of_grpc() {
    let target = Http2Target::start(100, serve);
    let mut proxy = TestProxy::start(grpc(&target));
    assert_eq!(ask_one(&proxy, get("/")).unwrap().status, 464);
    let http1 = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(crate::support::ask(proxy.address(), http1).status, 464);
    for _ in 0..2 {
        assert_eq!(proxy.event().reason, Some("incompatible_protocol"));
    }
    assert_eq!(target.connections(), 0);
}
