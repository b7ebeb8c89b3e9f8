//! WebSockets over HTTP/2 (RFC 8441) that are slow, and how they end.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::Response;
use lb_proxy::{Counter, Target};

use crate::{
    http2::{connect, run},
    http2_support::Http2Target,
    support::{LONG, TestProxy, group, healthy, simple},
    websockets::{echo, is_ended, open, read, target},
};

/// Why the proxy has reset the stream.
async fn reset_reason(body: &mut RecvStream) -> Option<Reason> {
    loop {
        match body.data().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.reason(),
            None => return None,
        }
    }
}

/// Neither side can make the proxy keep more than a few buffers.
#[test]
fn a_side_that_does_not_read_stops_the_other_one() {
    const SIZE: usize = 8 << 20;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let target = target(move |mut end| {
        wait.lock().unwrap().recv().unwrap();
        let mut bytes = vec![0; SIZE];
        end.stream.read_exact(&mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
        end.stream.write_all(&bytes).unwrap();
    });
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, mut stream) = open(&send, "websocket").await.unwrap();
        let mut body = response.into_body();
        let mut left = SIZE;
        // As much as the proxy and the kernel take, until nothing moves for a while.
        while left > 0 {
            stream.reserve_capacity(left.min(16 << 10));
            let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx));
            match tokio::time::timeout(Duration::from_millis(300), capacity).await {
                Err(_) => break,
                Ok(capacity) => {
                    let count = capacity.unwrap().unwrap();
                    stream.send_data(Bytes::from(vec![7; count]), false).unwrap();
                    left -= count;
                }
            }
        }
        assert!(left > 0, "the target has read nothing, and all of it was taken");
        go.send(()).unwrap();
        while left > 0 {
            stream.reserve_capacity(left.min(16 << 10));
            let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
            let count = capacity.unwrap().unwrap();
            stream.send_data(Bytes::from(vec![7; count]), false).unwrap();
            left -= count;
        }
        // Now the client does not read: it gets one window, which h2 has 64 KiB of.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let used = body.flow_control().used_capacity();
        assert!(used <= 65_535, "{used}");
        assert_eq!(read(&mut body, SIZE).await.len(), SIZE);
    });
}

#[test]
fn a_client_that_resets_its_stream_leaves_its_target() {
    for reads in [true, false] {
        let (seen, wait) = std::sync::mpsc::channel();
        let seen = std::sync::Mutex::new(seen);
        let (go, wait_go) = std::sync::mpsc::channel();
        let wait_go = std::sync::Mutex::new(wait_go);
        let target = target(move |mut end| {
            let mut byte = [0];
            end.stream.read_exact(&mut byte).unwrap();
            if !reads {
                // Its kernel takes no more, so that the proxy waits for it when the client leaves.
                wait_go.lock().unwrap().recv().unwrap();
            }
            let mut rest = Vec::new();
            seen.lock().unwrap().send(end.stream.read_to_end(&mut rest).is_err()).unwrap();
        });
        let mut proxy = TestProxy::before(&target);
        let address = proxy.address();
        run(async {
            let send = connect(address).await;
            let (_response, mut stream) = open(&send, "websocket").await.unwrap();
            let len = if reads { 1 } else { 32 << 20 };
            stream.send_data(Bytes::from(vec![7; len]), false).unwrap();
            tokio::time::sleep(Duration::from_millis(1500)).await;
            stream.send_reset(Reason::CANCEL);
            tokio::time::sleep(Duration::from_millis(200)).await;
        });
        assert_eq!(proxy.event().reason, Some("client_closed"), "{reads}");
        go.send(()).unwrap();
        assert!(wait.recv_timeout(LONG).unwrap(), "the target sees a reset, and not the end");
    }
}

/// Nothing moves in either direction then: only the reset says that the client has left.
#[test]
fn a_client_that_resets_its_stream_after_its_end_leaves_its_target() {
    let (go, wait_go) = std::sync::mpsc::channel::<()>();
    let wait_go = std::sync::Mutex::new(wait_go);
    let target = target(move |mut end| {
        let mut all = Vec::new();
        end.stream.read_to_end(&mut all).unwrap();
        // It sends nothing, and does not end.
        wait_go.lock().unwrap().recv().unwrap();
    });
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (_response, mut stream) = open(&send, "websocket").await.unwrap();
        stream.send_data(Bytes::from_static(b"x"), true).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.send_reset(Reason::CANCEL);
        tokio::time::sleep(Duration::from_millis(200)).await;
    });
    assert_eq!(proxy.event().reason, Some("client_closed"));
    go.send(()).unwrap();
}

#[test]
fn a_target_that_resets_its_connection_resets_the_stream() {
    let target = target(|mut end| {
        end.stream.read_exact(&mut [0]).unwrap();
        let socket = socket2::SockRef::from(&end.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, mut stream) = open(&send, "websocket").await.unwrap();
        stream.send_data(Bytes::from_static(b"x"), false).unwrap();
        assert_eq!(reset_reason(&mut response.into_body()).await, Some(Reason::CANCEL));
    });
    assert_eq!(proxy.event().reason, Some("target_reset"));
}

#[test]
fn a_reset_of_a_target_of_http2_resets_the_stream() {
    let target = Http2Target::with_connect(|mut stream| async move {
        let response = Response::new(());
        let mut send = stream.respond.send_response(response, false).unwrap();
        stream.body.data().await;
        send.send_reset(Reason::INTERNAL_ERROR);
    });
    let mut proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, mut stream) = open(&send, "websocket").await.unwrap();
        stream.send_data(Bytes::from_static(b"x"), false).unwrap();
        assert_eq!(reset_reason(&mut response.into_body()).await, Some(Reason::CANCEL));
    });
    assert_eq!(proxy.event().reason, Some("target_reset"));
}

/// It ends its direction and drops its stream: the reset with NO_ERROR says that it wants no more (RFC 9113,
/// section 8.1). The client may still say something, or nothing.
#[test]
fn a_target_of_http2_that_wants_no_more_ends_the_tunnel_in_order() {
    for answers in [true, false] {
        let target = Http2Target::with_connect(|mut stream| async move {
            let mut send = stream.respond.send_response(Response::new(()), false).unwrap();
            stream.body.data().await;
            send.send_data(Bytes::from_static(b"last"), true).unwrap();
        });
        let mut proxy = TestProxy::start(simple(target.group()));
        let address = proxy.address();
        run(async {
            let send = connect(address).await;
            let (response, mut stream) = open(&send, "websocket").await.unwrap();
            stream.send_data(Bytes::from_static(b"x"), false).unwrap();
            let mut body = response.into_body();
            assert_eq!(read(&mut body, 4).await, b"last", "{answers}");
            assert!(is_ended(&mut body).await, "{answers}");
            if answers {
                // The stream may be over by now.
                drop(stream.send_data(Bytes::from_static(b"close"), true));
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        });
        assert_eq!(proxy.event().reason, None, "{answers}");
    }
}

#[test]
fn the_end_of_a_target_reaches_the_client_and_the_other_direction_goes_on() {
    let (said, wait) = std::sync::mpsc::channel();
    let said = std::sync::Mutex::new(said);
    let target = target(move |mut end| {
        end.send("last");
        end.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        end.stream.read_to_end(&mut rest).unwrap();
        said.lock().unwrap().send(rest).unwrap();
    });
    let mut proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, mut stream) = open(&send, "websocket").await.unwrap();
        let mut body = response.into_body();
        assert_eq!(read(&mut body, 4).await, b"last");
        assert!(is_ended(&mut body).await);
        stream.send_data(Bytes::from_static(b"more"), true).unwrap();
        tokio::task::spawn_blocking(move || assert_eq!(wait.recv_timeout(LONG).unwrap(), b"more"))
            .await
            .unwrap();
    });
    assert_eq!(proxy.event().reason, None);
}

#[test]
fn silence_and_a_target_that_leaves_end_a_websocket() {
    let target = target(echo);
    let with = |targets: &[Target]| {
        let mut group = group("web", targets);
        group.attributes.deregistration_delay = Duration::from_millis(300);
        simple(group)
    };
    let mut snapshot = with(&[healthy(target.address)]);
    let mut proxy = TestProxy::start(snapshot.clone());
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, _stream) = open(&send, "websocket").await.unwrap();
        proxy.proxy.apply(with(&[])).unwrap();
        assert_eq!(reset_reason(&mut response.into_body()).await, Some(Reason::CANCEL));
    });
    assert_eq!(proxy.event().reason, Some("target_deregistered"));
    assert_eq!(proxy.metrics().groups["web"].get(Counter::DeregistrationCuts), 1);

    snapshot.listeners[0].attributes.timeouts.tunnel = Duration::from_millis(300);
    let mut proxy = TestProxy::start(snapshot);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let (response, _stream) = open(&send, "websocket").await.unwrap();
        assert_eq!(reset_reason(&mut response.into_body()).await, Some(Reason::CANCEL));
    });
    assert_eq!(proxy.event().reason, Some("tunnel_timeout"));
}

#[test]
fn a_stop_lets_a_websocket_end_and_cuts_it_at_the_deadline() {
    for ends in [true, false] {
        let target = target(echo);
        let proxy = TestProxy::before(&target);
        let address = proxy.address();
        run(async {
            let send = connect(address).await;
            let (response, mut stream) = open(&send, "websocket").await.unwrap();
            let limit = if ends { LONG } else { Duration::from_millis(300) };
            let stop = tokio::task::spawn_blocking(move || proxy.stop(limit));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let mut body = response.into_body();
            stream.send_data(Bytes::from_static(b"x"), ends).unwrap();
            if ends {
                assert_eq!(read(&mut body, 4).await, b"xbye");
                assert!(is_ended(&mut body).await);
            } else {
                assert_eq!(read(&mut body, 1).await, b"x");
                assert!(!matches!(body.data().await, Some(Ok(_)) | None));
            }
            assert_eq!(stop.await.unwrap().requests_cut, usize::from(!ends));
        });
    }
}
