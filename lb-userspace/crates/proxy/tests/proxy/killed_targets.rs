//! A target that is killed while it has idle connections: requests over them go to another one.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use lb_proxy::Counter;

use crate::support::{Client, TestProxy, TestTarget, group, healthy, simple};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";

/// A target that answers one request with `a`, and is gone at the next one: it resets the connection, and accepts
/// no other.
fn dying() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(format!("{OK}a").as_bytes()).unwrap();
        assert!(stream.read(&mut request).unwrap() > 0);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    address
}

/// The answers of three requests: the third one meets the target that has died.
fn third_request(method: &str, connect_retries: u32) -> (Vec<u16>, TestProxy, SocketAddr) {
    let (first, second) = (dying(), TestTarget::answering(&format!("{OK}b")));
    let mut group = group("web", &[healthy(first), healthy(second.address)]);
    group.attributes.connect_retries = connect_retries;
    let proxy = TestProxy::start(simple(group));
    let mut client = Client::connect(proxy.address());
    let statuses = ["GET", "GET", method].map(|method| {
        client.send(&format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        client.response().status
    });
    (statuses.to_vec(), proxy, second.address)
}

#[test]
fn another_target_gets_the_request_of_one_that_was_killed() {
    let (statuses, mut proxy, second) = third_request("GET", 1);
    assert_eq!(statuses, [200, 200, 200]);
    let event = (0..3).map(|_| proxy.event()).last().unwrap();
    assert_eq!((event.target, event.retries, event.reason), (Some(second), 2, None));
    let metrics = proxy.metrics();
    assert_eq!(metrics.groups["web"].get(Counter::TargetConnectionErrors), 1);
    assert_eq!(metrics.targets[&("web".to_owned(), second)].get(Counter::Requests), 2);
}

#[test]
fn no_other_target_gets_what_must_not_be_sent_twice_or_may_not_be_retried() {
    for (method, connect_retries, reason) in
        [("POST", 1, "target_closed_reused"), ("GET", 0, "connect_failed")]
    {
        let (statuses, mut proxy, _) = third_request(method, connect_retries);
        assert_eq!(statuses, [200, 200, 502], "{method}");
        let event = (0..3).map(|_| proxy.event()).last().unwrap();
        assert_eq!(event.reason, Some(reason), "{method}");
    }
}
