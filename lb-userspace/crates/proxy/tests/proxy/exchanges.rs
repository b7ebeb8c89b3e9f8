//! Requests and responses that go well: what each side gets, and what becomes of connections.

use std::{thread::sleep, time::Duration};

use crate::support::{Client, TestProxy, TestTarget, ask, field, group, healthy, simple};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n")
}

#[test]
fn a_request_reaches_the_target_with_its_source_and_trace() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let request = "GET /a?b=1 HTTP/1.1\r\nHost: Shop.example\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
                   Keep-Alive: 5\r\nX-Forwarded-For: 192.0.2.7\r\nAccept: */*\r\n\r\n";
    let response = ask(proxy.address(), request);
    assert_eq!((response.status, response.body.as_str()), (200, "ok"));
    let received = target.text();
    assert!(received.starts_with("GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\n"), "{received}");
    assert_eq!(field(&received, "x-forwarded-for"), Some("192.0.2.7, 127.0.0.1"));
    assert_eq!(field(&received, "x-forwarded-proto"), Some("http"));
    let port = proxy.address().port().to_string();
    assert_eq!(field(&received, "x-forwarded-port"), Some(port.as_str()));
    assert!(field(&received, "x-xelb-trace-id").unwrap().starts_with("Root=1-"));
    assert_eq!(field(&received, "accept"), Some("*/*"));
    for gone in ["x-hop", "keep-alive", "connection"] {
        assert_eq!(field(&received, gone), None, "{received}");
    }
}

#[test]
fn connections_of_both_sides_are_used_again() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    for number in 0..5 {
        client.send(&get(&format!("/{number}")));
        assert_eq!(client.response().body, "ok");
    }
    assert_eq!(target.connections(), 1);
    assert_eq!(proxy.metrics().groups["web"].get(lb_proxy::Counter::ReusedTargetConnections), 4);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let target = TestTarget::start(|mut end| {
        while let Some(request) = end.request() {
            let path = request.split(' ').nth(1).unwrap().to_owned();
            end.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    let requests: String = (0..20).map(|number| get(&format!("/{number}"))).collect();
    client.send(&requests);
    for number in 0..20 {
        assert_eq!(client.response().body, format!("/{number}"));
    }
}

#[test]
fn connection_close_and_old_versions_end_connections() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Client::connect(proxy.address());
        client.send(request);
        let response = client.response();
        assert_eq!(response.status, 200);
        assert_eq!(field(&response.head, "connection"), Some("close"));
        assert!(client.is_closed(), "{request}");
    }
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(field(&client.response().head, "connection"), Some("keep-alive"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let host = format!("Host: {}", proxy.address());
    assert!(target.text().contains(&host), "a request without Host gets one: {}", target.text());
}

#[test]
fn responses_without_a_body_end_with_their_head() {
    let target = TestTarget::start(|mut end| {
        while let Some(request) = end.request() {
            end.send(match request.split(' ').nth(1).unwrap() {
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
            });
        }
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    for (method, path, length) in [
        ("HEAD", "/", Some("100")),
        ("GET", "/204", None),
        ("GET", "/304", Some("100")),
        ("HEAD", "/", Some("100")),
    ] {
        client.send(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(field(&client.head(), "content-length"), length, "{method} {path}");
    }
    assert_eq!(target.connections(), 1);
}

#[test]
fn interim_responses_come_before_the_response() {
    let target = TestTarget::start(|mut end| {
        while end.request().is_some() {
            end.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
            end.send(OK);
        }
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send(&get("/"));
    let hints = client.response();
    assert_eq!((hints.status, field(&hints.head, "link")), (103, Some("</a.css>")));
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_client_that_waits_for_status_100_gets_it_from_the_target() {
    let target = TestTarget::start(|mut end| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut end.stream, &mut byte).unwrap();
            head.push(byte[0]);
        }
        end.send("HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = [0; 4];
        std::io::Read::read_exact(&mut end.stream, &mut body).unwrap();
        assert_eq!(&body, b"body");
        end.send(OK);
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.response().status, 100);
    client.send("body");
    assert_eq!(client.response().body, "ok");
}

#[test]
fn a_target_that_answers_without_the_body_needs_no_status_100() {
    let target = TestTarget::start(|mut end| {
        let mut head = [0; 10];
        std::io::Read::read_exact(&mut end.stream, &mut head).unwrap();
        end.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
        sleep(Duration::from_millis(200));
    });
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.body.as_str()), (401, "no"));
    assert_eq!(field(&response.head, "connection"), None);
    assert!(client.is_closed(), "nobody could know where the next request begins");
}

#[test]
fn an_upgrade_becomes_a_tunnel_after_status_101() {
    let target = TestTarget::start(|mut end| {
        let request = end.request().unwrap();
        assert_eq!(field(&request, "upgrade"), Some("websocket"));
        end.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhello");
        let mut echo = [0; 5];
        while std::io::Read::read_exact(&mut end.stream, &mut echo).is_ok() {
            end.send(&String::from_utf8_lossy(&echo));
        }
    });
    let mut proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    client.send(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst",
    );
    let response = client.head();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    assert_eq!(field(&response, "upgrade"), Some("websocket"));
    assert_eq!(client.read_exactly(10), b"hellofirst");
    client.send("again");
    assert_eq!(client.read_exactly(5), b"again");
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.is_closed());
    let event = proxy.event();
    assert_eq!((event.kind.as_str(), event.status, event.reason), ("ws", 101, None));
    assert_eq!(proxy.metrics().total.get(lb_proxy::Counter::Tunnels), 1);
}

#[test]
fn an_upgrade_that_the_target_declines_is_an_ordinary_request() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        client
            .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert_eq!(client.response().body, "ok");
    }
}

#[test]
fn proxy_protocol_headers_are_read_from_listed_sources_and_sent_to_targets() {
    use lb_proxy::ProxyProtocol::{Version1, Version2};
    for (version, start) in [
        (Version1, b"PROXY TCP4 192.0.2.1 192".as_slice()),
        (Version2, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0"),
    ] {
        let target = TestTarget::answering(OK);
        let mut group = group("web", &[healthy(target.address)]);
        group.attributes.proxy_protocol = version;
        let mut snapshot = simple(group);
        let sources = vec!["127.0.0.0/8".parse().unwrap()];
        snapshot.listeners[0].attributes.proxy_protocol_sources = sources;
        let mut proxy = TestProxy::start(snapshot);
        let mut client = Client::connect(proxy.address());
        for part in ["PROXY TCP4 192.0.2.1 192.0.2.2 5", " 6\r\n", &get("/")] {
            client.send(part);
            sleep(Duration::from_millis(20));
        }
        assert_eq!(client.response().status, 200);
        client.send(&get("/"));
        assert_eq!(client.response().status, 200);
        assert_eq!(target.connections(), 2, "such a connection serves one client");
        let received = target.received.lock().unwrap().clone();
        assert!(received.starts_with(start), "{}", received.escape_ascii());
        assert_eq!(field(&target.text(), "x-forwarded-for"), Some("192.0.2.1"));
        assert_eq!(proxy.event().client, "192.0.2.1:5".parse().unwrap());
        let mut other = Client::connect(proxy.address());
        other.send(&get("/"));
        assert_eq!(other.read_to_end(), b"", "a listed source without a header is not served");
    }
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let forged = format!("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n{}", get("/"));
    assert_eq!(ask(proxy.address(), &forged).status, 400);
}

#[test]
fn requests_are_spread_over_targets_by_weight() {
    let (one, other) = (TestTarget::answering(OK), TestTarget::answering(OK));
    let mut targets = [healthy(one.address), healthy(other.address)];
    targets[0].weight = 3;
    let proxy = TestProxy::start(simple(group("web", &targets)));
    let mut client = Client::connect(proxy.address());
    for _ in 0..12 {
        client.send(&get("/"));
        assert_eq!(client.response().status, 200);
    }
    let count = |target: &TestTarget| target.text().matches("GET /").count();
    assert_eq!((count(&one), count(&other)), (9, 3));
}
