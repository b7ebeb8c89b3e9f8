//! Counters and events: what a request leaves behind.

use lb_proxy::{Counter, Proxy, ProxyOptions, RequestKind};
use tokio::sync::mpsc;

use crate::support::{Client, TestProxy, TestTarget, ask, group, healthy, simple, wait_until};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn an_event_has_what_the_client_asked_and_got() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::before(&target);
    let request = "POST /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test/1\r\nContent-Length: 4\r\n\r\nbody";
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        client.send(request);
        let response = client.response();
        let event = proxy.event();
        let sent = response.head.len() + response.body.len();
        assert_eq!(event.sent_bytes, u64::try_from(sent).unwrap());
        assert_eq!(event.received_bytes, u64::try_from(request.len()).unwrap());
        assert_eq!(event.client, client.stream.local_addr().unwrap());
        let port = proxy.address().port();
        assert_eq!(event.url, format!("http://shop.example:{port}/a?b=1"));
        assert_eq!((event.method.as_str(), event.version), ("POST", "HTTP/1.1"));
        assert_eq!(event.user_agent.as_deref(), Some("test/1"));
        assert_eq!((event.status, event.target_status), (200, Some(200)));
        assert_eq!(event.kind, RequestKind::Http);
        assert!(event.times.target.is_some() && event.created <= event.ended);
    }
}

#[test]
fn counters_are_sums_over_workers() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::with_workers(simple(group("web", &[healthy(target.address)])), 2);
    for _ in 0..20 {
        assert_eq!(ask(proxy.address(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
        proxy.event();
    }
    let metrics = proxy.metrics();
    for sums in [&metrics.total, &metrics.listeners["web"], &metrics.groups["web"]] {
        assert_eq!((sums.get(Counter::Requests), sums.get(Counter::Target2xx)), (20, 20));
        assert_eq!(sums.response_time_buckets.iter().sum::<u64>(), 20);
    }
    assert_eq!(metrics.total.get(Counter::NewConnections), 20);
    assert!(metrics.failures.is_empty());
}

#[test]
fn a_full_log_loses_lines_and_no_request() {
    let target = TestTarget::answering(OK);
    let (access_log, _events) = mpsc::channel(3);
    let options =
        ProxyOptions { workers: 1, access_log: Some(access_log), ..ProxyOptions::default() };
    let proxy = Proxy::start(&options, simple(group("web", &[healthy(target.address)]))).unwrap();
    let mut client = Client::connect(proxy.local_address("web").unwrap());
    for _ in 0..10 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 200);
    }
    wait_until("seven of ten lines are lost", || {
        proxy.metrics().total.get(Counter::LostLogLines) == 7
    });
}
