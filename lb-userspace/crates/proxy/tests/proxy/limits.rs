//! Limits that hold for the host and not for each worker: connections of a target, and retries of a group.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use lb_proxy::{Counter, choice::Algorithm};

use crate::support::{
    Client, LONG, TestProxy, TestTarget, ask, group, healthy, simple, wait_until,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A target that counts its requests at a time, and the most of them.
fn busy_target(pause: Duration) -> (TestTarget, Arc<AtomicUsize>) {
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let target = TestTarget::start(move |mut end| {
        while end.request().is_some() {
            seen.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            thread::sleep(pause);
            now.fetch_sub(1, SeqCst);
            end.send(OK);
        }
    });
    (target, most)
}

fn ask_at_once(proxy: &TestProxy, count: usize) -> Vec<u16> {
    let address = proxy.address();
    let clients: Vec<_> =
        (0..count).map(|_| thread::spawn(move || ask(address, GET).status)).collect();
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}

#[test]
fn the_limit_of_a_target_is_that_of_the_host_and_others_wait() {
    let (target, most) = busy_target(Duration::from_millis(20));
    let mut group = group("web", &[healthy(target.address)]);
    group.choice.connections_max = 3;
    group.attributes.queue_timeout = LONG;
    let proxy = TestProxy::with_workers(simple(group), 4);
    assert_eq!(ask_at_once(&proxy, 40), [200; 40]);
    assert_eq!(most.load(SeqCst), 3);
    assert!(proxy.metrics().groups["web"].get(Counter::QueuedRequests) > 0);
}

#[test]
fn a_request_waits_no_longer_than_its_time() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let target = TestTarget::start(move |mut end| {
        while end.request().is_some() {
            wait.lock().unwrap().recv().unwrap();
            end.send(OK);
        }
    });
    let mut group = group("web", &[healthy(target.address)]);
    group.choice.connections_max = 1;
    group.attributes.queue_timeout = Duration::from_millis(200);
    group.attributes.queue_max = 1;
    let mut proxy = TestProxy::with_workers(simple(group), 2);
    let mut first = Client::connect(proxy.address());
    first.send(GET);
    wait_until("the first request is there", || !target.text().is_empty());
    let begin = std::time::Instant::now();
    assert_eq!(ask(proxy.address(), GET).status, 503);
    assert!(begin.elapsed() >= Duration::from_millis(200));
    assert_eq!(proxy.event().reason, Some("target_connection_limit"));
    // One that leaves while it waits makes room for the next one.
    let mut waiting = Client::connect(proxy.address());
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let queued = || proxy.metrics().groups["web"].get(Counter::QueuedRequests);
    wait_until("another one waits", || queued() == 2);
    let begin = std::time::Instant::now();
    assert_eq!(ask(proxy.address(), GET).status, 503);
    assert!(begin.elapsed() < Duration::from_millis(150), "the queue is full: it fails at once");
    drop(waiting);
    let mut reasons: Vec<_> = (0..2).map(|_| proxy.event().reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [Some("client_closed"), Some("target_connection_limit")]);
    go.send(()).unwrap();
    assert_eq!(first.response().status, 200);
    go.send(()).unwrap();
    assert_eq!(ask(proxy.address(), GET).status, 200);
}

#[test]
fn a_higher_limit_lets_those_who_wait_go_on() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let target = TestTarget::start(move |mut end| {
        end.request();
        if end.number == 0 {
            wait.lock().unwrap().recv().unwrap();
        }
        end.send(OK);
    });
    let with = |limit| {
        let mut group = group("web", &[healthy(target.address)]);
        group.choice.connections_max = limit;
        group.attributes.queue_timeout = LONG;
        simple(group)
    };
    let mut proxy = TestProxy::start(with(1));
    let mut first = Client::connect(proxy.address());
    first.send(GET);
    wait_until("the first request is there", || !target.text().is_empty());
    let mut second = Client::connect(proxy.address());
    second.send(GET);
    wait_until("the second one waits", || {
        proxy.metrics().groups["web"].get(Counter::QueuedRequests) == 1
    });
    proxy.proxy.apply(with(2)).unwrap();
    assert_eq!(second.response().status, 200);
    go.send(()).unwrap();
    assert_eq!(first.response().status, 200);
}

#[test]
fn workers_count_outstanding_requests_together() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let targets: Vec<TestTarget> = (0..4)
        .map(|_| {
            let wait = Arc::clone(&wait);
            TestTarget::start(move |mut end| {
                end.request();
                wait.lock().unwrap().recv().unwrap();
                end.send(OK);
            })
        })
        .collect();
    let all: Vec<_> = targets.iter().map(|target| healthy(target.address)).collect();
    let mut group = group("web", &all);
    group.choice.algorithm = Algorithm::LeastOutstanding;
    let proxy = TestProxy::with_workers(simple(group), 4);
    let connections = || targets.iter().map(TestTarget::connections);
    // One after the other, over whatever worker gets it: each target has exactly its share.
    let clients: Vec<Client> = (0..16)
        .map(|number| {
            let mut client = Client::connect(proxy.address());
            client.send(GET);
            wait_until("it is there", || connections().sum::<usize>() == number + 1);
            client
        })
        .collect();
    assert_eq!(connections().collect::<Vec<_>>(), [4; 4]);
    for mut client in clients {
        go.send(()).unwrap();
        drop(client.stream.set_read_timeout(Some(Duration::from_millis(1))));
        drop(client.read_to_end());
    }
}

#[test]
fn retries_have_a_budget() {
    let mut group = group("web", &[1, 2].map(|port| healthy(([127, 0, 0, 1], port).into())));
    group.attributes.retry_budget_percent = 20;
    let mut proxy = TestProxy::start(simple(group));
    let mut retries = 0;
    for _ in 0..100 {
        assert_eq!(ask(proxy.address(), GET).status, 502);
        retries += proxy.event().retries;
    }
    // 20 of 100, ten of the reserve, and one for each second that this takes.
    assert!((30..60).contains(&retries), "{retries}");
    let metrics = proxy.metrics();
    assert_eq!(metrics.groups["web"].get(Counter::RetriesOverBudget), u64::from(100 - retries));
}
