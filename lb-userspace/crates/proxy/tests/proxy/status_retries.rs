//! Statuses of targets that are a reason to ask another one: `retries.on`.

use lb_proxy::{Counter, Group};

use crate::{
    http2_support::Http2Target,
    support::{Client, Response, TestProxy, TestTarget, group, healthy, simple},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A group that sends requests again after 502 and 503, once.
fn retrying(mut group: Group) -> Group {
    group.attributes.retry_statuses = vec![502, 503];
    group.attributes.status_retries = 1;
    group
}

/// The responses to the same request over and over. Attempts take turns.
fn responses(proxy: &TestProxy, request: &str, count: usize) -> Vec<Response> {
    let mut client = Client::connect(proxy.address());
    let ask = |_| {
        client.send(request);
        client.response()
    };
    (0..count).map(ask).collect()
}

fn statuses(responses: &[Response]) -> Vec<u16> {
    responses.iter().map(|response| response.status).collect()
}

#[test]
fn another_target_answers_in_place_of_one_that_is_busy() {
    let (busy, good) = (TestTarget::answering(BUSY), TestTarget::answering(OK));
    let group = retrying(group("web", &[healthy(busy.address), healthy(good.address)]));
    let mut proxy = TestProxy::start(simple(group));
    let answers = responses(&proxy, GET, 6);
    assert_eq!(statuses(&answers), [200; 6]);
    assert!(answers.iter().all(|answer| answer.body == "ok"));
    let events: Vec<_> = (0..6).map(|_| proxy.event()).collect();
    assert!(events.iter().all(|event| event.target == Some(good.address)));
    let retries: u64 = events.iter().map(|event| u64::from(event.retries)).sum();
    assert!((3..=6).contains(&retries), "{retries}");
    let metrics = proxy.metrics();
    let of = |address| &metrics.targets[&("web".to_owned(), address)];
    assert_eq!(of(busy.address).get(Counter::Target5xx), retries);
    assert_eq!(of(busy.address).get(Counter::Requests), retries);
    assert_eq!(of(good.address).get(Counter::Target2xx), 6);
    assert_eq!(metrics.groups["web"].get(Counter::Retries), retries);
    assert_eq!(metrics.groups["web"].get(Counter::Target5xx), 0, "no client has seen one");
}

#[test]
fn a_request_is_sent_again_with_its_body() {
    let (busy, good) = (TestTarget::answering(BUSY), TestTarget::answering(OK));
    let group = retrying(group("web", &[healthy(busy.address), healthy(good.address)]));
    let proxy = TestProxy::start(simple(group));
    for request in [
        "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ] {
        assert_eq!(statuses(&responses(&proxy, request, 2)), [200; 2]);
    }
    let received = good.text();
    assert_eq!(received.matches("PUT /a HTTP/1.1").count(), 4, "{received}");
    assert_eq!(received.matches("body").count(), 4, "{received}");
}

#[test]
fn what_may_not_be_sent_again_is_answered_as_the_target_says() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let error = "HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n";
    for (what, answer, request, attempts, budget) in [
        ("a POST", BUSY, post, 1, 100),
        ("another status", error, GET, 1, 100),
        ("no attempts", BUSY, GET, 0, 100),
        ("no budget", BUSY, GET, 1, 0),
    ] {
        let (busy, good) = (TestTarget::answering(answer), TestTarget::answering(OK));
        let mut group = retrying(group("web", &[healthy(busy.address), healthy(good.address)]));
        group.attributes.status_retries = attempts;
        group.attributes.retry_budget_percent = budget;
        let proxy = TestProxy::start(simple(group));
        let mut found = statuses(&responses(&proxy, request, 4));
        found.sort_unstable();
        assert_eq!(found[..2], [200; 2], "{what}");
        assert!(found[2..].iter().all(|status| *status >= 500), "{what}: {found:?}");
    }
    let only = TestTarget::answering(BUSY);
    let proxy = TestProxy::start(simple(retrying(group("web", &[healthy(only.address)]))));
    let answers = responses(&proxy, GET, 2);
    assert_eq!(statuses(&answers), [503; 2], "there is no other target");
    assert!(answers.iter().all(|answer| answer.body == "busy"), "the response is whole");
}

/// The only other target cannot be connected to: what the first one says is passed on.
#[test]
fn a_response_is_passed_on_where_no_other_target_can_be_reached() {
    let busy = TestTarget::answering(BUSY);
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut group = retrying(group("web", &[healthy(busy.address), healthy(gone)]));
    group.attributes.connect_retries = 1;
    let proxy = TestProxy::start(simple(group));
    let answers = responses(&proxy, GET, 4);
    assert_eq!(statuses(&answers), [503; 4]);
    assert!(answers.iter().all(|answer| answer.body == "busy"));
}

#[test]
fn streams_of_http2_go_to_another_target_too() {
    let busy = Http2Target::start(100, |mut stream| async move {
        stream.read().await;
        stream.answer(503, b"busy", None);
    });
    let good = Http2Target::answering();
    let mut group = retrying(good.group());
    group.targets.extend(busy.group().targets);
    let proxy = TestProxy::start(simple(group));
    let put = "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    let answers = responses(&proxy, put, 4);
    assert_eq!(statuses(&answers), [200; 4]);
    assert_eq!(good.requests(), 4);
    assert!((2..=4).contains(&busy.requests()), "{}", busy.requests());
}
