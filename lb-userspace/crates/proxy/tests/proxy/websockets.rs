//! WebSockets over HTTP/2 (RFC 8441): clients of HTTP/2 in front of targets of both versions, and clients of
//! HTTP/1.1 in front of targets of HTTP/2.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::SendRequest, ext::Protocol};
use http::{Request, Response};
use lb_http::websocket;
use lb_proxy::Counter;
use lb_rules::{Action, FixedResponse};

use crate::{
    http2::{ask, connect, get, run},
    http2_support::{Http2Target, Stream},
    support::{
        Client, TargetEnd, TestProxy, TestTarget, field, listener, simple, snapshot, wait_until,
    },
};

/// An extended CONNECT.
fn request(protocol: &'static str) -> Request<()> {
    let mut request = Request::connect("http://shop.example/chat?a").body(()).unwrap();
    request.extensions_mut().insert(Protocol::from_static(protocol));
    let fields = request.headers_mut();
    fields.insert("sec-websocket-version", 13.into());
    fields.insert("sec-websocket-protocol", "chat".parse().unwrap());
    request
}

/// Sends it; the request stays open.
pub(crate) async fn open(
    send: &SendRequest<Bytes>,
    protocol: &'static str,
) -> Result<(Response<RecvStream>, SendStream<Bytes>), h2::Error> {
    let mut send = send.clone().ready().await?;
    let (response, stream) = send.send_request(request(protocol), false)?;
    Ok((response.await?, stream))
}

/// Reads this many bytes.
pub(crate) async fn read(body: &mut RecvStream, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let piece = body.data().await.expect("bytes").unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    bytes
}

/// Whether the other side ends its direction in order, with nothing more on it.
pub(crate) async fn is_ended(body: &mut RecvStream) -> bool {
    while let Some(piece) = body.data().await {
        if piece.is_err() || piece.is_ok_and(|piece| !piece.is_empty()) {
            return false;
        }
    }
    true
}

/// The answer of a target of HTTP/1.1 that opens the WebSocket.
fn upgraded(request: &str) -> String {
    let key = field(request, "sec-websocket-key").expect(request);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        websocket::accept(key.as_bytes())
    )
}

/// A target of HTTP/1.1 that opens the WebSocket, and goes on with a script.
pub(crate) fn target(script: impl Fn(TargetEnd) + Send + Sync + 'static) -> TestTarget {
    TestTarget::start(move |mut end| {
        if let Some(request) = end.request() {
            end.send(&upgraded(&request));
            script(end);
        }
    })
}

/// Sends everything back, and ends when the client has ended.
pub(crate) fn echo(mut end: TargetEnd) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = end.stream.read(&mut buffer) {
        end.stream.write_all(&buffer[..count]).unwrap();
    }
    end.send("bye");
}

/// The same over HTTP/2.
async fn echo_http2(mut stream: Stream) {
    let protocol = stream.request.extensions().get::<Protocol>().map(Protocol::as_str);
    assert_eq!(protocol, Some("websocket"));
    let response = Response::builder().status(200).header("sec-websocket-protocol", "chat");
    let mut send = stream.respond.send_response(response.body(()).unwrap(), false).unwrap();
    while let Some(Ok(piece)) = stream.body.data().await {
        stream.body.flow_control().release_capacity(piece.len()).unwrap();
        send.send_data(piece, false).unwrap();
    }
    send.send_data(Bytes::from_static(b"bye"), true).unwrap();
}

/// A WebSocket that is opened, used in both directions, and closed by the client.
async fn use_websocket(address: SocketAddr) {
    let send = connect(address).await;
    let (response, mut stream) = open(&send, "websocket").await.unwrap();
    let (parts, mut body) = response.into_parts();
    assert_eq!(parts.status, 200);
    assert_eq!(parts.headers["sec-websocket-protocol"], "chat");
    for name in ["sec-websocket-accept", "upgrade", "connection", "content-length"] {
        assert!(!parts.headers.contains_key(name), "{name}");
    }
    for text in ["first", "again"] {
        stream.send_data(Bytes::from_static(text.as_bytes()), false).unwrap();
        assert_eq!(read(&mut body, 5).await, text.as_bytes());
    }
    stream.send_data(Bytes::new(), true).unwrap();
    assert_eq!(read(&mut body, 3).await, b"bye");
    assert!(is_ended(&mut body).await);
}

#[test]
fn a_client_of_http2_reaches_a_target_of_http1() {
    let target = target(echo);
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(use_websocket(address));
    let received = target.text();
    assert!(received.starts_with("GET /chat?a HTTP/1.1\r\nHost: shop.example\r\n"), "{received}");
    assert_eq!(field(&received, "upgrade"), Some("websocket"));
    assert_eq!(field(&received, "connection"), Some("upgrade"));
    assert_eq!(field(&received, "sec-websocket-version"), Some("13"));
    assert_eq!(field(&received, "sec-websocket-key").unwrap().len(), 24);
    assert_eq!(field(&received, "transfer-encoding"), None);
    let event = proxy.event();
    assert_eq!((event.kind.as_str(), event.status, event.reason), ("ws", 101, None));
    assert_eq!((event.version, event.method.as_str()), ("HTTP/2.0", "GET"));
    assert!(event.received_bytes >= 10 && event.sent_bytes >= 13, "{event:?}");
    assert_eq!(proxy.metrics().total.get(Counter::Tunnels), 1);
}

#[test]
fn a_client_of_http2_reaches_a_target_of_http2_that_announces_it() {
    let target = Http2Target::with_connect(echo_http2);
    let mut proxy = TestProxy::start(simple(target.group()));
    run(use_websocket(proxy.address()));
    let request = target.last();
    assert_eq!(request.method(), "CONNECT");
    assert_eq!(request.uri(), "http://shop.example/chat?a");
    assert_eq!(request.headers()["sec-websocket-version"], "13");
    assert!(!request.headers().contains_key("sec-websocket-key"), "{request:?}");
    let event = proxy.event();
    assert_eq!((event.kind.as_str(), event.status, event.reason), ("ws", 101, None));
}

#[test]
fn a_client_of_http1_reaches_a_target_of_http2_that_announces_it() {
    let target = Http2Target::with_connect(echo_http2);
    let mut proxy = TestProxy::start(simple(target.group()));
    let mut client = Client::connect(proxy.address());
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    client.send(&format!(
        "GET /chat?a HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\nfirst"
    ));
    let response = client.head();
    assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
    assert_eq!(field(&response, "upgrade"), Some("websocket"));
    let expected = websocket::accept(key.as_bytes());
    assert_eq!(field(&response, "sec-websocket-accept"), Some(expected.as_str()));
    assert_eq!(client.read_exactly(5), b"first");
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.read_exactly(3), b"bye");
    assert!(client.is_closed());
    assert_eq!(proxy.event().reason, None);
}

/// A client of HTTP/2 would take any status 2xx for an open WebSocket.
#[test]
fn a_target_that_opens_none_is_no_websocket() {
    let answers = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502, Some("bad_upgrade")),
        ("HTTP/1.1 204 No\r\n\r\n", 502, Some("bad_upgrade")),
        (
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            502,
            Some("bad_upgrade"),
        ),
        (
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: c3RyYW5nZXI=\r\n\r\n",
            502,
            Some("bad_upgrade"),
        ),
        ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 403, None),
        ("HTTP/1.1 426 Up\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 426, None),
    ];
    for (answer, status, reason) in answers {
        let target = TestTarget::start(move |mut end| {
            end.request();
            end.send(answer);
        });
        let mut proxy = TestProxy::before(&target);
        let address = proxy.address();
        run(async {
            let send = connect(address).await;
            let (response, _stream) = open(&send, "websocket").await.unwrap();
            assert_eq!(response.status(), status, "{answer}");
            let mut body = response.into_body();
            while let Some(piece) = body.data().await {
                body.flow_control().release_capacity(piece.unwrap().len()).unwrap();
            }
            // The connection goes on.
            assert_eq!(ask(&send, get("/%00"), &[], None).await.unwrap().status, 400);
        });
        let event = proxy.event();
        assert_eq!((event.status, event.reason), (status, reason), "{answer}");
        assert_eq!(event.kind.as_str(), "h2");
        assert_eq!(proxy.metrics().total.get(Counter::Tunnels), 0);
    }
}

#[test]
fn a_target_of_http2_that_does_not_announce_it_gets_an_ordinary_request() {
    let target = Http2Target::start(100, |mut stream| async move {
        stream.read().await;
        stream.answer(if stream.request.uri().path() == "/chat" { 200 } else { 404 }, b"ok", None);
    });
    let mut proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, _stream) = open(&send, "websocket").await.unwrap();
        assert_eq!(response.status(), 502);
    });
    let request = target.last();
    assert_eq!(request.method(), "GET");
    assert!(request.extensions().get::<Protocol>().is_none());
    assert_eq!(proxy.event().reason, Some("bad_upgrade"));
}

#[test]
fn a_target_of_http2_may_decline() {
    let target = Http2Target::with_connect(|mut stream| async move {
        stream.answer(403, b"no", None);
        // The proxy ends its direction, too: the stream is over, and not reset.
        assert!(is_ended(&mut stream.body).await);
        stream.seen.resets.lock().unwrap().push(Reason::NO_ERROR);
    });
    let mut proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, _stream) = open(&send, "websocket").await.unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(read(&mut response.into_body(), 2).await, b"no");
    });
    assert_eq!((proxy.event().status, target.connections()), (403, 1));
    wait_until("the stream has ended", || target.seen.resets.lock().unwrap().len() == 1);
}

/// A client would take any status 2xx for an open tunnel, and the body for its content.
#[test]
fn a_fixed_response_opens_no_tunnel() {
    let fixed = |status| {
        Action::FixedResponse(FixedResponse {
            status,
            content_type: Some("text/plain".to_owned()),
            body: "ok".to_owned(),
        })
    };
    for (status, expected, reason) in [(200, 502, Some("bad_upgrade")), (503, 503, None)] {
        let listener = listener("web", Vec::new(), fixed(status));
        let mut proxy = TestProxy::start(snapshot(vec![listener], Vec::new()));
        let address = proxy.address();
        run(async {
            let send = connect(address).await;
            let (response, _stream) = open(&send, "websocket").await.unwrap();
            assert_eq!(response.status(), expected);
            let answer = ask(&send, get("/"), &[], None).await.unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (status, b"ok".as_slice()));
        });
        assert_eq!(proxy.event().reason, reason);
    }
}

#[test]
fn other_tunnels_are_refused() {
    let target = target(echo);
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, _stream) = open(&send, "connect-udp").await.unwrap();
        assert_eq!(response.status(), 501);
        let mut plain = send.clone().ready().await.unwrap();
        let request = Request::connect("shop.example:443").body(()).unwrap();
        let (response, _stream) = plain.send_request(request, false).unwrap();
        assert_eq!(response.await.unwrap().status(), 405);
    });
    let reasons = [proxy.event().reason, proxy.event().reason];
    assert_eq!(reasons, [Some("unsupported_protocol"), Some("method_not_allowed")]);
    assert_eq!(target.connections(), 0);
}
