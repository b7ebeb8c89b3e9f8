//! Bodies: large ones in both directions, in every framing, and with peers that do not read.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use crate::support::{Client, LONG, TestProxy, TestTarget, field};

const SIZE: usize = 10 << 20;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Bytes whose place can be told, so that a lost or moved one is seen.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|place| b'a' + u8::try_from(place / 7 % 23).unwrap()).collect()
}

fn in_chunks(content: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in content.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Sends from a thread of its own, so that both directions can move.
fn send_aside(stream: &TcpStream, bytes: Vec<u8>) {
    let mut stream = stream.try_clone().unwrap();
    thread::spawn(move || stream.write_all(&bytes));
}

#[test]
fn large_responses_arrive_whole_in_every_framing() {
    let body = content(SIZE);
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let open = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let messages = [
        [length, body.clone()].concat(),
        [chunked, in_chunks(&body, 70_001)].concat(),
        [open, body.clone()].concat(),
    ];
    for message in messages {
        let head = String::from_utf8_lossy(&message[..80]).into_owned();
        let target = TestTarget::start(move |mut end| {
            end.request();
            end.stream.write_all(&message).unwrap();
        });
        let proxy = TestProxy::before(&target);
        let mut client = Client::connect(proxy.address());
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.response().body.as_bytes() == body, "{head}");
        let mut client = Client::connect(proxy.address());
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        client.head();
        assert!(client.read_to_end() == body, "HTTP/1.0: {head}");
    }
}

#[test]
fn large_requests_arrive_whole_in_every_framing() {
    let body = content(SIZE);
    let length = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let target = TestTarget::start(|mut end| {
        while let Some(request) = end.request() {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let size = match field(head, "transfer-encoding") {
                Some(_) => body.len() - body.matches("\r\n").count(),
                None => body.len(),
            };
            end.send(&format!("HTTP/1.1 200 OK\r\nX-Size: {size}\r\nContent-Length: 2\r\n\r\nok"));
        }
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    send_aside(&client.stream, [length.as_bytes(), &body].concat());
    let response = client.response();
    assert_eq!(field(&response.head, "x-size"), Some(SIZE.to_string().as_str()));
    assert!(target.received.lock().unwrap().ends_with(&body));
    send_aside(&client.stream, [chunked.as_bytes(), &in_chunks(&body, 4096)].concat());
    assert_eq!(client.response().status, 200);
    assert_eq!(target.connections(), 1);
}

#[test]
fn trailers_arrive() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nGrpc-Status: 0\r\n\r\n");
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n",
    );
    client.head();
    let rest = client.read_until(b"\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(&rest), "1\r\na\r\n0\r\nGrpc-Status: 0\r\n\r\n");
}

#[test]
fn a_client_that_does_not_read_slows_its_target_down() {
    const ALL: usize = 8 << 20;
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let target = TestTarget::start(move |mut end| {
        end.request();
        end.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {ALL}\r\n\r\n"));
        socket2::SockRef::from(&end.stream).set_send_buffer_size(1 << 18).unwrap();
        let block = vec![b'x'; 1 << 16];
        while counter.load(Ordering::SeqCst) < ALL {
            end.stream.write_all(&block).unwrap();
            counter.fetch_add(block.len(), Ordering::SeqCst);
        }
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Small buffers in the kernel: with its own ones it would take megabytes, and be slow to empty them.
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(1 << 18).unwrap();
    // It stands still when the socket buffers of the kernel are full.
    let mut before = usize::MAX;
    while before != written.load(Ordering::SeqCst) || before == 0 {
        before = written.load(Ordering::SeqCst);
        sleep(Duration::from_millis(300));
    }
    assert!(before < ALL / 4 * 3, "{before} bytes were taken from the target");
    client.head();
    assert_eq!(client.read_exactly(ALL).len(), ALL);
}

#[test]
fn an_early_response_is_not_lost_and_ends_the_connection() {
    let target = TestTarget::start(|mut end| {
        let mut head = [0; 512];
        assert!(end.stream.read(&mut head).unwrap() > 0);
        end.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big");
        // It closes without having read: its kernel sends a reset.
    });
    let proxy = TestProxy::before(&target);
    for _ in 0..5 {
        let mut client = Client::connect(proxy.address());
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
        send_aside(&client.stream, [head.as_bytes(), &content(SIZE)].concat());
        let response = client.response();
        assert_eq!((response.status, response.body.as_str()), (413, "too big"));
        assert!(client.is_closed());
    }
}

#[test]
fn a_response_may_begin_before_the_request_has_ended() {
    let target = TestTarget::start(|mut end| {
        let mut seen = Vec::new();
        let mut buffer = [0; 512];
        while !seen.ends_with(b"one") {
            let count = end.stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..count]);
        }
        end.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfirst");
        let mut rest = [0; 3];
        end.stream.read_exact(&mut rest).unwrap();
        end.send(&String::from_utf8_lossy(&rest));
        sleep(LONG);
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\none");
    client.head();
    assert_eq!(client.read_exactly(5), b"first");
    client.send("two");
    assert_eq!(client.read_exactly(3), b"two");
}

#[test]
fn the_body_of_a_request_that_the_proxy_answers_is_dropped() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::start(crate::support::simple(crate::support::group("web", &[])));
    let mut client = Client::connect(proxy.address());
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
    send_aside(&client.stream, [head.as_bytes(), &content(SIZE)].concat());
    assert_eq!(client.response().status, 503);
    assert!(client.is_closed());
    assert_eq!(target.connections(), 0);
}
