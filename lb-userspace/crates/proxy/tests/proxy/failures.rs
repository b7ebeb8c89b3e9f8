//! Targets and clients that fail: the status code, the reason in the log, and what becomes of connections.

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread::sleep,
    time::Duration,
};

use lb_proxy::{AccessEvent, Target, choice::Health};

use crate::support::{
    Client, LONG, TargetEnd, TestProxy, TestTarget, ask, field, group, healthy, impatient, simple,
};

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Lets the kernel send a reset when the connection is closed.
fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// An address where nothing listens.
fn closed_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn reason(event: &AccessEvent) -> Option<&'static str> {
    event.reason
}

/// What a client gets when a target does this with its first request.
fn check(script: impl Fn(TargetEnd) + Send + Sync + 'static, status: u16, expected: &str) {
    let target = TestTarget::start(script);
    let mut proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let response = ask(proxy.address(), GET);
    assert_eq!(response.status, status, "{expected}");
    let event = proxy.event();
    assert_eq!(reason(&event), Some(expected));
    assert_eq!((event.status, event.target_status), (status, None), "{expected}");
    assert_eq!(event.target, Some(target.address), "{expected}");
    assert_eq!(proxy.metrics().failures[expected], 1);
}

#[test]
fn a_target_that_sends_no_response_is_named_in_the_log() {
    check(|end| sleep(end.stream.read_timeout().unwrap().unwrap()), 504, "response_timeout");
    check(|mut end| drop(end.request()), 502, "target_closed");
    check(
        |mut end| {
            end.request();
            reset(&end.stream);
        },
        502,
        "target_reset",
    );
    let answers = [
        ("nonsense\r\n\r\n", "bad_version"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "multiple_content_length",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "both_te_cl_present",
        ),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "unexpected_upgrade"),
        ("HTTP/1.1 200 OK\r\nA", "target_closed"),
    ];
    for (answer, expected) in answers {
        check(
            move |mut end| {
                end.request();
                end.send(answer);
            },
            502,
            expected,
        );
    }
}

#[test]
fn a_slow_target_is_waited_for() {
    let target = TestTarget::start(|mut end| {
        end.request();
        for part in ["HTTP/1.1 200", " OK\r\nContent-Le", "ngth: 4\r\n\r\n", "sl", "ow"] {
            sleep(Duration::from_millis(50));
            end.send(part);
        }
    });
    let proxy = TestProxy::before(&target);
    assert_eq!(ask(proxy.address(), GET).body, "slow");
}

#[test]
fn an_unreachable_target_is_replaced_by_another_one() {
    let target = TestTarget::answering(OK);
    let targets = [healthy(closed_address()), healthy(target.address)];
    let mut proxy = TestProxy::start(simple(group("web", &targets)));
    for _ in 0..4 {
        assert_eq!(ask(proxy.address(), POST).status, 200);
    }
    let retries: u32 = (0..4).map(|_| proxy.event().retries).sum();
    assert!(retries >= 1);
    let mut alone = TestProxy::start(simple(group("web", &targets[..1])));
    assert_eq!(ask(alone.address(), GET).status, 502);
    assert_eq!(reason(&alone.event()), Some("connect_failed"));
    assert_eq!(alone.metrics().failures["connect_failed"], 1);
}

#[test]
fn a_response_that_is_cut_does_not_look_complete() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    ];
    for answer in answers {
        for is_reset in [false, true] {
            let target = TestTarget::start(move |mut end| {
                end.request();
                end.send(answer);
                sleep(Duration::from_millis(50));
                if is_reset {
                    reset(&end.stream);
                }
            });
            let mut proxy = TestProxy::before(&target);
            let mut client = Client::connect(proxy.address());
            client.send(GET);
            let bytes = String::from_utf8(client.read_to_end()).unwrap();
            assert!(bytes.contains("part") && !bytes.contains("\r\n0\r\n\r\n"), "{bytes}");
            let event = proxy.event();
            assert_eq!(reason(&event), Some("response_cut"));
            assert_eq!((event.status, event.target_status), (200, Some(200)));
        }
    }
}

#[test]
fn a_response_without_length_ends_with_the_connection_of_the_target() {
    let cases = [(false, true), (true, false)];
    for (is_reset, is_complete) in cases {
        let target = TestTarget::start(move |mut end| {
            end.request();
            end.send("HTTP/1.0 200 OK\r\n\r\nall");
            sleep(Duration::from_millis(50));
            if is_reset {
                reset(&end.stream);
            }
        });
        let proxy = TestProxy::before(&target);
        let mut client = Client::connect(proxy.address());
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let bytes = String::from_utf8(client.read_to_end()).unwrap();
        assert_eq!(bytes.ends_with("3\r\nall\r\n0\r\n\r\n"), is_complete, "{bytes}");
        // HTTP/1.0 has no chunks: only a reset says that the response was cut.
        let mut client = Client::connect(proxy.address());
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        client.head();
        assert_eq!(client.read_exactly(3), b"all");
        let end = std::io::Read::read(&mut client.stream, &mut [0]);
        assert_eq!(end.is_ok(), is_complete, "{end:?}");
    }
}

#[test]
fn a_target_that_sends_more_than_it_says_gets_no_second_request() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more");
        sleep(LONG);
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        client.send(GET);
        assert_eq!(client.response().body, "ok");
    }
    assert_eq!(target.connections(), 2);
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_no_request() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.send(OK);
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    for _ in 0..5 {
        client.send(POST);
        assert_eq!(client.response().status, 200);
        sleep(Duration::from_millis(30));
    }
}

/// A target that closes its first connection when the second request has arrived there.
fn closing_second() -> TestTarget {
    TestTarget::start(|mut end| {
        end.request();
        end.send(OK);
        if end.request().is_some() && end.number > 0 {
            end.send(OK);
            end.request();
        }
    })
}

#[test]
fn a_request_over_a_reused_connection_is_sent_once_more_if_it_is_idempotent() {
    let put = POST.replace("POST", "PUT");
    for (request, status, expected) in
        [(GET, 200, None), (put.as_str(), 200, None), (POST, 502, Some("target_closed_reused"))]
    {
        let target = closing_second();
        let mut proxy = TestProxy::before(&target);
        let mut client = Client::connect(proxy.address());
        client.send(GET);
        assert_eq!(client.response().status, 200);
        client.send(request);
        assert_eq!(client.response().status, status, "{request}");
        proxy.event();
        let event = proxy.event();
        assert_eq!(reason(&event), expected, "{request}");
        assert_eq!(event.retries, u32::from(expected.is_none()), "{request}");
    }
}

#[test]
fn a_request_that_is_never_answered_is_not_repeated_for_ever() {
    let target = TestTarget::start(|mut end| {
        if end.number == 0 {
            end.request();
            end.send(OK);
        }
        end.request();
    });
    let mut proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    assert_eq!(client.response().status, 200);
    client.send(GET);
    assert_eq!(client.response().status, 502);
    assert_eq!(target.connections(), 2);
    proxy.event();
    assert_eq!(reason(&proxy.event()), Some("target_closed"));
}

#[test]
fn without_a_usable_target_the_status_is_503() {
    let target = TestTarget::answering(OK);
    let with = |health| Target { health, ..healthy(target.address) };
    for (targets, status) in [
        (vec![], 503),
        (vec![with(Health::Draining)], 503),
        // All unhealthy: the group fails open.
        (vec![with(Health::Unhealthy)], 200),
    ] {
        let proxy = TestProxy::start(simple(group("web", &targets)));
        assert_eq!(ask(proxy.address(), GET).status, status, "{targets:?}");
    }
}

#[test]
fn a_target_at_its_limit_gets_no_more_requests() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let target = TestTarget::start(move |mut end| {
        end.request();
        wait.lock().unwrap().recv().unwrap();
        end.send(OK);
    });
    let mut group = group("web", &[healthy(target.address)]);
    group.choice.connections_max = 1;
    group.attributes.queue_max = 0;
    let mut proxy = TestProxy::start(simple(group));
    let mut first = Client::connect(proxy.address());
    first.send(GET);
    while target.text().is_empty() {
        sleep(Duration::from_millis(5));
    }
    assert_eq!(ask(proxy.address(), GET).status, 503);
    assert_eq!(reason(&proxy.event()), Some("target_connection_limit"));
    go.send(()).unwrap();
    assert_eq!(first.response().status, 200);
}

#[test]
fn a_client_that_leaves_is_logged_with_status_460() {
    for is_reset in [false, true] {
        let target = TestTarget::start(|mut end| {
            end.request();
            end.request();
        });
        let mut proxy = TestProxy::before(&target);
        let mut client = Client::connect(proxy.address());
        client.send(GET);
        while target.text().is_empty() {
            sleep(Duration::from_millis(5));
        }
        if is_reset {
            reset(&client.stream);
        }
        drop(client);
        let event = proxy.event();
        assert_eq!((event.status, reason(&event)), (460, Some("client_closed")));
    }
}

#[test]
fn a_client_that_stops_is_timed_out() {
    let target = TestTarget::start(|mut end| drop(end.request()));
    let mut proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    for (sent, expected) in [
        ("GET / HTTP/1.1\r\nHo", "head_timeout"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody", "request_body_timeout"),
    ] {
        let response = ask(proxy.address(), sent);
        assert_eq!(response.status, 408, "{expected}");
        assert_eq!(field(&response.head, "connection"), Some("close"));
        assert_eq!(reason(&proxy.event()), Some(expected));
    }
    let mut idle = Client::connect(proxy.address());
    assert!(idle.is_closed(), "an idle connection ends without a response");
}

#[test]
fn a_request_has_a_deadline_in_all() {
    let target = TestTarget::start(|mut end| {
        end.request();
        end.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for _ in 0..1000 {
            sleep(Duration::from_millis(20));
            end.send("a");
        }
    });
    let mut snapshot = simple(group("web", &[healthy(target.address)]));
    snapshot.listeners[0].attributes.timeouts.total = Some(Duration::from_millis(200));
    let mut proxy = TestProxy::start(snapshot);
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    assert!(client.read_to_end().len() < 1000);
    assert_eq!(reason(&proxy.event()), Some("total_timeout"));
}

#[test]
fn a_request_that_is_refused_reaches_no_target() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::before(&target);
    let forwarded =
        format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {}b\r\n\r\n", "a,".repeat(30));
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", 400, "missing_host"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "both_te_cl_present",
        ),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            501,
            "bad_transfer_encoding",
        ),
        (forwarded.as_str(), 463, "too_many_forwarded_addresses"),
    ];
    for (request, status, expected) in cases {
        assert_eq!(ask(proxy.address(), request).status, status, "{expected}");
        let event = proxy.event();
        assert_eq!((event.status, reason(&event)), (status, Some(expected)));
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_bad_chunk_within_a_request_is_refused() {
    let target = TestTarget::start(|mut end| drop(end.request()));
    let mut proxy = TestProxy::before(&target);
    let request =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n";
    assert_eq!(ask(proxy.address(), request).status, 400);
    assert_eq!(reason(&proxy.event()), Some("bad_chunk_end"));
}

#[test]
fn an_end_of_the_sending_direction_ends_the_connection_between_requests() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    assert_eq!(client.response().status, 200);
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert!(client.is_closed());
}
