//! Targets that leave: their idle connections are closed at once, and what they still have is cut when their
//! deregistration delay is over.

use std::{thread::sleep, time::Duration};

use lb_proxy::{Counter, Group, Target, choice::Health};

use crate::{
    http2::{ask as ask_http2, connect, get, run},
    http2_support::Http2Target,
    support::{Client, TestProxy, TestTarget, ask, group, healthy, simple, wait_until},
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";

/// A target of one kind of request each: it answers, begins to answer, hangs, or opens a tunnel.
fn target() -> TestTarget {
    TestTarget::start(|mut end| {
        while let Some(request) = end.request() {
            if request.starts_with("GET /begin") {
                end.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
            } else if request.contains("Upgrade: x") {
                end.send("HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
            } else if !request.starts_with("GET /hang") {
                end.send(OK);
            }
        }
    })
}

fn with_delay(targets: &[Target], delay: Duration) -> Group {
    let mut group = group("web", targets);
    group.attributes.deregistration_delay = delay;
    group
}

/// How a target leaves: removed, draining, or with its whole group.
fn leavings(target: &TestTarget, delay: Duration) -> [lb_proxy::Snapshot; 3] {
    let draining = Target { health: Health::Draining, ..healthy(target.address) };
    let mut without_group = simple(with_delay(&[], delay));
    "other".clone_into(&mut without_group.groups[0].name);
    without_group.listeners[0] =
        crate::support::listener("web", Vec::new(), lb_rules::Action::forward("other"));
    [simple(with_delay(&[], delay)), simple(with_delay(&[draining], delay)), without_group]
}

#[test]
fn what_a_target_still_has_is_cut_after_its_delay() {
    for way in 0..3 {
        let target = target();
        let delay = Duration::from_millis(400);
        let mut proxy = TestProxy::start(simple(with_delay(&[healthy(target.address)], delay)));
        let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(proxy.address())).collect();
        clients[0].send(&GET.replace("/ ", "/hang "));
        clients[1].send(&GET.replace("/ ", "/begin "));
        clients[2].send(UPGRADE);
        clients[1].head();
        clients[2].head();
        wait_until("all requests are there", || target.connections() == 3);
        let begin = std::time::Instant::now();
        proxy.proxy.apply(leavings(&target, delay)[way].clone()).unwrap();
        assert_eq!(clients[0].response().status, 502, "way {way}");
        assert!(begin.elapsed() >= delay, "{:?}", begin.elapsed());
        assert_eq!(clients[1].read_to_end(), b"part");
        assert!(clients[2].read_to_end().is_empty());
        for _ in 0..3 {
            assert_eq!(proxy.event().reason, Some("target_deregistered"), "way {way}");
        }
        assert_eq!(proxy.metrics().groups["web"].get(Counter::DeregistrationCuts), 3);
    }
}

#[test]
fn a_delay_of_nothing_cuts_at_once_and_a_long_one_does_not() {
    let target = target();
    for (delay, is_cut) in [(Duration::ZERO, true), (Duration::from_hours(1), false)] {
        let mut proxy = TestProxy::start(simple(with_delay(&[healthy(target.address)], delay)));
        let mut client = Client::connect(proxy.address());
        client.send(UPGRADE);
        client.head();
        let begin = std::time::Instant::now();
        proxy.proxy.apply(simple(with_delay(&[], delay))).unwrap();
        if is_cut {
            assert!(client.read_to_end().is_empty());
            assert!(begin.elapsed() < Duration::from_millis(900), "{:?}", begin.elapsed());
        } else {
            sleep(Duration::from_millis(1200));
            assert_eq!(proxy.metrics().groups["web"].get(Counter::DeregistrationCuts), 0);
        }
    }
}

#[test]
fn a_target_that_comes_back_keeps_what_it_has() {
    let target = target();
    let delay = Duration::from_millis(500);
    let stays = || simple(with_delay(&[healthy(target.address)], delay));
    let mut proxy = TestProxy::start(stays());
    let mut client = Client::connect(proxy.address());
    client.send(UPGRADE);
    client.head();
    proxy.proxy.apply(leavings(&target, delay)[1].clone()).unwrap();
    // The worker has seen it.
    assert_eq!(ask(proxy.address(), GET).status, 503);
    proxy.proxy.apply(stays()).unwrap();
    sleep(Duration::from_millis(1800));
    assert_eq!(proxy.metrics().groups["web"].get(Counter::DeregistrationCuts), 0);
    assert_eq!(ask(proxy.address(), GET).status, 200);
}

#[test]
fn idle_connections_are_closed_the_moment_a_target_leaves() {
    let (closed, wait) = std::sync::mpsc::channel();
    let closed = std::sync::Mutex::new(closed);
    let target = TestTarget::start(move |mut end| {
        while end.request().is_some() {
            end.send(OK);
        }
        closed.lock().unwrap().send(()).unwrap();
    });
    for way in 0..3 {
        let delay = Duration::from_hours(1);
        let mut proxy = TestProxy::start(simple(with_delay(&[healthy(target.address)], delay)));
        assert_eq!(ask(proxy.address(), GET).status, 200);
        assert!(wait.try_recv().is_err());
        let begin = std::time::Instant::now();
        proxy.proxy.apply(leavings(&target, delay)[way].clone()).unwrap();
        wait.recv_timeout(crate::support::LONG).unwrap();
        assert!(begin.elapsed() < Duration::from_millis(900), "way {way}: {:?}", begin.elapsed());
    }
}

#[test]
fn streams_of_a_target_of_http2_are_cut_too() {
    let target = Http2Target::start(100, |mut stream| async move {
        if stream.request.uri().path() == "/hang" {
            stream.wait_for_reset().await;
        } else {
            stream.answer(200, b"ok", None);
        }
    });
    let with = |targets: &[Target]| {
        let mut group = target.group();
        group.targets = targets.to_vec();
        group.attributes.deregistration_delay = Duration::from_millis(300);
        simple(group)
    };
    let mut proxy = TestProxy::start(with(&[healthy(target.address)]));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        assert_eq!(ask_http2(&send, get("/"), &[], None).await.unwrap().status, 200);
        let hanging = tokio::spawn({
            let send = send.clone();
            async move { ask_http2(&send, get("/hang"), &[], None).await.unwrap().status }
        });
        while target.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.proxy.apply(with(&[])).unwrap();
        assert_eq!(hanging.await.unwrap(), 502);
    });
    wait_until("the stream is reset", || target.seen.resets.lock().unwrap().len() == 1);
}
