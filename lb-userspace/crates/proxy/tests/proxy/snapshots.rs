//! Snapshots that change under load, and the stop of the proxy: no request fails.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use lb_proxy::{Counter, ProxyError, Target, choice::Health};
use lb_rules::Action;

use crate::support::{
    Client, LONG, TestProxy, TestTarget, ask, field, group, healthy, listener, simple, snapshot,
    wait_until,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_hundred_snapshots_under_load_fail_no_request() {
    let targets: Vec<TestTarget> = (0..4).map(|_| TestTarget::answering(OK)).collect();
    let addresses: Vec<Target> = targets.iter().map(|target| healthy(target.address)).collect();
    let mut proxy = TestProxy::with_workers(simple(group("web", &addresses)), 2);
    let address = proxy.address();
    let (is_over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (is_over, served) = (Arc::clone(&is_over), Arc::clone(&served));
            thread::spawn(move || {
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::SeqCst) {
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
                    let response = client.response();
                    assert_eq!((response.status, response.body.as_str()), (200, "ok"));
                    served.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for number in 0..100_usize {
        // Targets come, go, drain and fall ill; one of them always serves.
        let mut targets = addresses.clone();
        targets[number % 4].health = Health::Draining;
        targets[(number + 1) % 4].health = Health::Unhealthy;
        targets.remove((number + 2) % 4);
        let mut snapshot = simple(group("web", &targets));
        if number % 3 == 0 {
            let extra = listener("extra", Vec::new(), Action::forward("web"));
            snapshot.listeners.push(extra);
        }
        proxy.proxy.apply(snapshot).unwrap();
        assert_eq!(proxy.address(), address);
        let before = served.load(Ordering::SeqCst);
        while served.load(Ordering::SeqCst) < before + 3 {
            thread::yield_now();
        }
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    let metrics = proxy.metrics();
    assert_eq!(metrics.total.get(Counter::Elb5xx), 0);
    assert!(metrics.failures.is_empty(), "{:?}", metrics.failures);
}

#[test]
fn listeners_come_and_go() {
    let target = TestTarget::answering(OK);
    let groups = || vec![group("web", &[healthy(target.address)])];
    let one = || listener("web", Vec::new(), Action::forward("web"));
    let other = || listener("other", Vec::new(), Action::forward("web"));
    let mut proxy = TestProxy::start(snapshot(vec![one()], groups()));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    assert_eq!(client.response().status, 200);
    proxy.proxy.apply(snapshot(vec![other()], groups())).unwrap();
    assert_eq!(ask(proxy.proxy.local_address("other").unwrap(), GET).status, 200);
    assert_eq!(proxy.proxy.local_address("web"), None);
    // The connection of the listener that has left gets one more response.
    client.send(GET);
    let response = client.response();
    assert_eq!((response.status, field(&response.head, "connection")), (200, Some("close")));
    assert!(client.is_closed());
}

#[test]
fn a_snapshot_with_a_fault_changes_nothing() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::before(&target);
    let unknown = snapshot(vec![listener("web", Vec::new(), Action::forward("x"))], Vec::new());
    assert!(matches!(proxy.proxy.apply(unknown), Err(ProxyError::Snapshot(_))));
    let mut foreign = simple(group("web", &[healthy(target.address)]));
    let mut extra = listener("extra", Vec::new(), Action::forward("web"));
    // No interface has this address (RFC 5737).
    extra.address = "192.0.2.1:80".parse().unwrap();
    foreign.listeners.push(extra);
    assert!(matches!(proxy.proxy.apply(foreign), Err(ProxyError::Listen { .. })));
    assert_eq!(ask(proxy.address(), GET).status, 200);
}

#[test]
fn a_tunnel_stays_when_its_target_leaves() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
        let mut byte = [0];
        while std::io::Read::read_exact(&mut end.stream, &mut byte).is_ok() {
            end.send("b");
        }
    });
    let mut proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    client.head();
    proxy.proxy.apply(simple(group("web", &[]))).unwrap();
    assert_eq!(ask(proxy.address(), GET).status, 503);
    client.send("a");
    assert_eq!(client.read_exactly(1), b"b");
}

#[test]
fn a_stop_lets_requests_end_and_closes_idle_connections() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let target = TestTarget::start(move |mut end| {
        while let Some(request) = end.request() {
            if request.starts_with("GET /slow") {
                wait.lock().unwrap().recv().unwrap();
            }
            end.send(OK);
        }
    });
    let proxy = TestProxy::before(&target);
    let mut idle = Client::connect(proxy.address());
    idle.send(GET);
    assert_eq!(idle.response().status, 200);
    let mut busy = Client::connect(proxy.address());
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    while !target.text().contains("/slow") {
        sleep(Duration::from_millis(5));
    }
    let address = proxy.address();
    let stop = thread::spawn(move || proxy.stop(LONG));
    assert!(idle.is_closed());
    assert!(!stop.is_finished());
    let refused = || TcpStream::connect(address).is_err();
    let begin = Instant::now();
    while !refused() && begin.elapsed() < LONG {
        sleep(Duration::from_millis(5));
    }
    assert!(refused());
    go.send(()).unwrap();
    let response = busy.response();
    assert_eq!((response.status, field(&response.head, "connection")), (200, Some("close")));
    let report = stop.join().unwrap();
    assert_eq!((report.connections_cut, report.requests_cut), (0, 0));
}

#[test]
fn another_proxy_takes_the_listening_sockets_over_without_a_failed_request() {
    let target = TestTarget::answering(OK);
    let at = |address| {
        let mut snapshot = simple(group("web", &[healthy(target.address)]));
        snapshot.listeners[0].address = address;
        snapshot
    };
    let mut proxy = TestProxy::with_workers(at("127.0.0.1:0".parse().unwrap()), 2);
    let address = proxy.address();
    let (is_over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (is_over, served) = (Arc::clone(&is_over), Arc::clone(&served));
            thread::spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    assert_eq!(ask(address, GET).body, "ok");
                    served.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    // More workers, the same number, and fewer.
    for workers in [3, 3, 1, 2] {
        let sockets = proxy.proxy.listening_sockets().unwrap();
        let next = TestProxy::taking_over(at(address), workers, sockets);
        assert_eq!(next.address(), address);
        let report = std::mem::replace(&mut proxy, next).stop(LONG);
        assert_eq!(report.requests_cut, 0);
        let before = served.load(Ordering::SeqCst);
        wait_until("requests are served", || served.load(Ordering::SeqCst) > before + 20);
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn a_stop_says_what_its_deadline_has_cut() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.request();
    });
    let proxy = TestProxy::before(&target);
    let mut busy = Client::connect(proxy.address());
    busy.send(GET);
    while target.text().is_empty() {
        sleep(Duration::from_millis(5));
    }
    let report = proxy.stop(Duration::from_millis(100));
    assert_eq!((report.connections_cut, report.requests_cut), (1, 1));
}
