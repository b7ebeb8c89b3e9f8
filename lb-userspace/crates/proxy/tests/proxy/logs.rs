//! Counters and events: what a request leaves behind.

use lb_proxy::{Counter, Proxy, ProxyOptions, RequestKind};
use lb_rules::{Action, Condition, FixedResponse, HeaderChanges, Rule, Transforms};
use tokio::sync::mpsc;

use crate::support::{
    Client, TestProxy, TestTarget, ask, group, healthy, listener, simple, snapshot, wait_until,
};

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
    let of_target = &metrics.targets[&("web".to_owned(), target.address)];
    assert_eq!(metrics.targets.len(), 1);
    for sums in [&metrics.total, &metrics.listeners["web"], &metrics.groups["web"], of_target] {
        assert_eq!((sums.get(Counter::Requests), sums.get(Counter::Target2xx)), (20, 20));
        assert_eq!(sums.response_time_buckets.iter().sum::<u64>(), 20);
    }
    assert_eq!(metrics.total.get(Counter::NewConnections), 20);
    assert!(metrics.failures.is_empty());
}

#[test]
fn rules_that_were_tried_are_counted() {
    let rule = |priority: u32, path: &str| Rule {
        name: path.to_owned(),
        priority,
        conditions: vec![
            Condition::Path(vec![path.to_owned()]),
            Condition::Method(vec!["GET".to_owned()]),
        ],
        transforms: Transforms::default(),
        headers: HeaderChanges::default(),
        actions: vec![Action::FixedResponse(FixedResponse {
            status: 200,
            content_type: None,
            body: String::new(),
        })],
    };
    let rules = vec![rule(1, "/a*"), rule(2, "/ab*"), rule(3, "/b*")];
    let default = rules[0].actions[0].clone();
    let proxy = TestProxy::start(snapshot(vec![listener("web", rules, default)], Vec::new()));
    let tried = || proxy.metrics().listeners["web"].get(Counter::RuleEvaluations);
    assert_eq!(
        ask(proxy.address(), "POST /abc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status,
        200
    );
    wait_until("both rules of /ab are counted, and not that of /b", || tried() == 2);
    assert_eq!(ask(proxy.address(), "GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    wait_until("that of /a alone is counted", || tried() == 3);
}

#[test]
fn what_is_counted_of_a_target_goes_with_it() {
    let targets = [TestTarget::answering(OK), TestTarget::answering(OK)];
    let with = |count: usize| {
        let targets: Vec<_> = targets.iter().take(count).map(|one| healthy(one.address)).collect();
        simple(group("web", &targets))
    };
    let mut proxy = TestProxy::start(with(2));
    for _ in 0..4 {
        assert_eq!(ask(proxy.address(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
        proxy.event();
    }
    let requests = |proxy: &TestProxy| -> Vec<u64> {
        proxy.metrics().targets.values().map(|sums| sums.get(Counter::Requests)).collect()
    };
    assert_eq!(requests(&proxy), [2, 2]);
    proxy.proxy.apply(with(1)).unwrap();
    wait_until("the target has left", || requests(&proxy) == [2]);
    assert_eq!(proxy.metrics().groups["web"].get(Counter::Requests), 4);
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
