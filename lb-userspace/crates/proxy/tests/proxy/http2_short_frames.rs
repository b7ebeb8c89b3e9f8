//! Messages of a few bytes, each in a DATA frame of its own, as gRPC and WebSockets send them: what waits for a slow
//! side costs h2 more than its bytes, and must not end the connection, which others use, too.

use bytes::Bytes;
use h2::client::SendRequest;
use http::Response;
use tokio::net::TcpStream;

use crate::{
    http2::{ask, connect, get, post, run},
    http2_support::Http2Target,
    support::{LONG, TestProxy, simple},
};

/// Less than a window of a stream, 64 KiB.
const COUNT: usize = 4000;
const MESSAGE: &[u8] = b"fifteen bytes..";

/// A connection of a client that takes nothing.
async fn connect_without_window(address: std::net::SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (send, connection) = builder.initial_window_size(0).handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    send
}

#[test]
fn short_messages_of_a_client_wait_for_their_target() {
    let mut builder = h2::server::Builder::new();
    builder.data_frame_budget(16 << 20);
    let target = Http2Target::with_builder(builder, None, |mut stream| async move {
        let len = stream.read().await.len();
        let whole = len == COUNT * MESSAGE.len();
        stream.answer(if whole { 200 } else { 500 }, b"ok", None);
    });
    let proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        // In one go: the connection to the target is made meanwhile.
        let answer = ask(&send, post("/"), &vec![MESSAGE; COUNT], None).await.unwrap();
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn short_messages_of_a_target_wait_for_their_clients() {
    let target = Http2Target::start(100, |mut stream| async move {
        if stream.request.uri().path() != "/stream" {
            return stream.answer(200, b"ok", None);
        }
        let mut send = stream.respond.send_response(Response::new(()), false).unwrap();
        for _ in 0..COUNT {
            send.send_data(Bytes::from_static(MESSAGE), false).unwrap();
        }
        tokio::time::sleep(LONG).await;
        drop(send);
    });
    let proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let slow = connect_without_window(address).await;
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let mut send = slow.clone().ready().await.unwrap();
            let (response, _) = send.send_request(get("/stream"), true).unwrap();
            waiting.push(response.await.unwrap());
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let other = connect(address).await;
        let answer = ask(&other, get("/"), &[], None).await.unwrap();
        assert_eq!(answer.status, 200);
        for response in &mut waiting {
            let mut frame = Box::pin(response.body_mut().data());
            let waits = tokio::time::timeout(std::time::Duration::from_millis(20), &mut frame);
            assert!(waits.await.is_err(), "it was neither reset nor ended");
        }
    });
    assert_eq!(target.connections(), 1, "it was not replaced");
}
