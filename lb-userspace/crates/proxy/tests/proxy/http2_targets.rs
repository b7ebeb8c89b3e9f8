//! Targets that speak HTTP/2, in clear and in TLS, behind clients of both versions.

use std::{sync::Arc, thread::sleep, time::Duration};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Response, Version};
use lb_proxy::{CertificateSet, Counter, TargetTls, server_config};
use tokio_rustls::TlsAcceptor;

use crate::{
    http2::{ask, connect, get, post, run},
    http2_support::Http2Target,
    support::{Client, LONG, TestProxy, TestTarget, field, impatient, simple, wait_until},
    tls::{certificate, trusting},
};

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: shop.example\r\n\r\n";

#[test]
fn a_client_of_http1_reaches_a_target_of_http2() {
    let target = Http2Target::answering();
    let mut proxy = TestProxy::start(simple(target.group()));
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        client.send(GET);
        let response = client.response();
        assert_eq!((response.status, response.body.as_str()), (200, "ok"), "{}", response.head);
        let request = target.last();
        assert_eq!(
            (request.version(), request.uri().to_string().as_str()),
            (Version::HTTP_2, "http://shop.example/a?b")
        );
        assert_eq!(request.headers()["x-forwarded-for"], "127.0.0.1");
        assert!(!request.headers().contains_key("host"), "{request:?}");
        assert_eq!(proxy.event().target_status, Some(200));
    }
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x\r\nX: y\r\n\r\n\
                   3\r\none\r\n3\r\ntwo\r\n0\r\nX-Sum: 7\r\n\r\n";
    client.send(chunked);
    assert_eq!(client.response().status, 200);
    let fields = target.last().headers().clone();
    assert!(!fields.contains_key("transfer-encoding") && !fields.contains_key("x"), "{fields:?}");
    assert_eq!(target.seen.last_trailers.lock().unwrap().as_ref().unwrap()["x-sum"], "7");
    assert_eq!(target.connections(), 1);
    let metrics = proxy.metrics();
    assert_eq!(metrics.groups["web"].get(Counter::TargetConnections), 1);
    assert_eq!(metrics.groups["web"].get(Counter::ReusedTargetConnections), 3);
}

#[test]
fn responses_keep_their_framing_for_clients_of_http1() {
    let target = Http2Target::start(100, |mut stream| async move {
        let response = |status: u16| Response::builder().status(status);
        match stream.request.uri().path() {
            "/length" => {
                let response = response(200).header("content-length", 2).body(()).unwrap();
                stream.answer_with(response, b"ok", None);
            }
            "/empty" => stream.answer(200, b"", None),
            "/none" => stream.answer(204, b"", None),
            "/early" => {
                let hints = response(103).header("link", "</a>").body(()).unwrap();
                stream.respond.send_informational(hints).unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", 7.into());
                stream.answer(200, b"ok", Some(trailers));
            }
            _ => {
                let response = response(200).header("content-length", 5).body(()).unwrap();
                stream.answer_with(response, b"", None);
            }
        }
    });
    let proxy = TestProxy::start(simple(target.group()));
    let mut client = Client::connect(proxy.address());
    let mut ask = |path: &str| {
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response()
    };
    let response = ask("/length");
    assert_eq!(
        (field(&response.head, "content-length"), response.body.as_str()),
        (Some("2"), "ok")
    );
    let response = ask("/empty");
    assert_eq!((response.status, field(&response.head, "content-length")), (200, Some("0")));
    assert_eq!(ask("/none").status, 204);
    let response = ask("/early");
    assert_eq!((response.status, field(&response.head, "link")), (103, Some("</a>")));
    let head = client.head();
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    let body = client.read_until(b"\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(&body), "2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n");
    client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(field(&client.head(), "content-length"), Some("5"));
    client.send("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn large_bodies_arrive_in_both_directions() {
    const SIZE: usize = 5 << 20;
    let target = Http2Target::start(100, |mut stream| async move {
        let body = stream.read().await;
        let mut send = stream.respond.send_response(Response::new(()), false).unwrap();
        send.send_data(body.into(), true).unwrap();
        wait_sent(&mut send).await;
    });
    let proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    let body: Vec<u8> =
        (0..SIZE).map(|place| b'a' + u8::try_from(place / 7 % 23).unwrap()).collect();
    run(async {
        let send = connect(address).await;
        let answer = ask(&send, post("/"), &[&body], None).await.unwrap();
        assert!(answer.body == body);
    });
    let mut client = Client::connect(address);
    client.send(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
    let mut stream = client.stream.try_clone().unwrap();
    let sent = body.clone();
    let sender = std::thread::spawn(move || std::io::Write::write_all(&mut stream, &sent).unwrap());
    assert!(client.response().body.as_bytes() == body);
    sender.join().unwrap();
}

/// Waits until the peer has taken everything: a stream that is dropped too early is reset.
async fn wait_sent(send: &mut h2::SendStream<Bytes>) {
    std::future::poll_fn(|cx| send.poll_reset(cx).map(|_| ())).await;
}

#[test]
fn a_target_that_does_not_read_stops_the_client() {
    let target = Http2Target::start(100, |mut stream| async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(stream.read().await.len(), 8 << 20);
        stream.answer(200, b"ok", None);
    });
    let proxy = TestProxy::start(simple(target.group()));
    let client = Client::connect(proxy.address());
    let mut stream = client.stream.try_clone().unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 8 << 20);
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let sender = std::thread::spawn(move || {
        std::io::Write::write_all(&mut stream, &vec![b'a'; 8 << 20]).unwrap();
    });
    sleep(Duration::from_millis(250));
    // Sockets hold some MB; everything else would have to be in the memory of the proxy.
    assert!(!sender.is_finished(), "8 MiB have left the client, and the target has read nothing");
    let mut client = client;
    assert_eq!(client.response().body, "ok");
    sender.join().unwrap();
}

#[test]
fn a_client_that_does_not_read_stops_the_target() {
    let total = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&total);
    let target = Http2Target::start(100, move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            let mut send = stream.respond.send_response(Response::new(()), false).unwrap();
            loop {
                send.reserve_capacity(1 << 16);
                let capacity = std::future::poll_fn(|cx| send.poll_capacity(cx)).await;
                let Some(Ok(capacity)) = capacity else { return };
                send.send_data(vec![b'a'; capacity].into(), false).unwrap();
                counter.fetch_add(capacity, std::sync::atomic::Ordering::SeqCst);
            }
        }
    });
    let proxy = TestProxy::start(simple(target.group()));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    client.head();
    let total = || total.load(std::sync::atomic::Ordering::SeqCst);
    let mut before = usize::MAX;
    wait_until("the target stops sending", || {
        let is_still = total() == std::mem::replace(&mut before, total());
        sleep(Duration::from_millis(300));
        is_still
    });
    assert!(total() < 16 << 20, "{}", total());
    // Others are served over the same connection meanwhile.
    let mut other = Client::connect(proxy.address());
    other.send(GET);
    other.head();
    assert_eq!(target.connections(), 1);
}

#[test]
fn a_connection_has_no_more_streams_than_its_target_allows() {
    let target = Http2Target::start(2, |mut stream| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.answer(200, b"ok", None);
    });
    let proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let all = (0..9).map(|_| {
            let send = send.clone();
            tokio::spawn(async move { ask(&send, get("/"), &[], None).await.unwrap().status })
        });
        for one in all.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), 200);
        }
    });
    assert_eq!((target.requests(), target.connections()), (9, 5));
}

#[test]
fn a_request_that_is_given_up_is_reset_at_its_target() {
    let target = Http2Target::start(100, |mut stream| async move {
        if stream.request.uri().path() == "/begun" {
            drop(stream.respond.send_response(Response::new(()), false).unwrap());
        }
        stream.wait_for_reset().await;
    });
    let mut proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    let resets = || target.seen.resets.lock().unwrap().clone();
    run(async {
        let send = connect(address).await;
        let mut send = send.ready().await.unwrap();
        let (response, mut stream) = send.send_request(get("/"), true).unwrap();
        while target.requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stream.send_reset(Reason::CANCEL);
        assert!(response.await.is_err());
    });
    wait_until("the reset reaches the target", || resets() == [Reason::CANCEL]);
    let mut client = Client::connect(address);
    client.send(GET);
    wait_until("the request is there", || target.requests() == 2);
    drop(client);
    for _ in 0..2 {
        assert_eq!(proxy.event().reason, Some("client_closed"));
    }
    wait_until("a client of HTTP/1 that leaves is one, too", || resets().len() == 2);
    assert_eq!(target.connections(), 1);
}

#[test]
fn a_reset_of_the_target_reaches_the_client() {
    let target = Http2Target::start(100, |mut stream| async move {
        if stream.request.uri().path() == "/begun" {
            let mut send = stream.respond.send_response(Response::new(()), false).unwrap();
            send.send_data(Bytes::from_static(b"part"), false).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            send.send_reset(Reason::ENHANCE_YOUR_CALM);
        } else {
            stream.respond.send_reset(Reason::INTERNAL_ERROR);
        }
    });
    let mut proxy = TestProxy::start(simple(target.group()));
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        assert_eq!(ask(&send, get("/"), &[], None).await.unwrap().status, 502);
        let error = ask(&send, get("/begun"), &[], None).await.err().unwrap();
        assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    });
    let mut client = Client::connect(address);
    client.send("GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
    let bytes = client.read_to_end();
    assert!(!bytes.ends_with(b"0\r\n\r\n"), "the end of the chunks is missing");
    let reasons: Vec<_> = (0..3).map(|_| proxy.event().reason.unwrap()).collect();
    assert_eq!(reasons, ["target_reset", "response_cut", "response_cut"]);
}

#[test]
fn a_stream_that_the_target_refuses_is_asked_for_once_more() {
    let target = Http2Target::start(100, |mut stream| async move {
        let body = stream.read().await;
        if stream.seen.requests.load(std::sync::atomic::Ordering::SeqCst) == 1 {
            stream.respond.send_reset(Reason::REFUSED_STREAM);
        } else {
            assert_eq!(body, b"body");
            stream.answer(200, b"ok", None);
        }
    });
    let mut proxy = TestProxy::start(simple(target.group()));
    let mut client = Client::connect(proxy.address());
    // Also a request that is not idempotent: the target says that it has not begun with it.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.response().status, 200);
    assert_eq!((proxy.event().retries, target.requests()), (1, 2));
}

#[test]
fn a_target_that_leaves_its_connection_costs_no_request() {
    let target =
        Http2Target::start(100, |mut stream| async move { stream.answer(200, b"ok", None) });
    let mut snapshot = simple(target.group());
    snapshot.groups[0].attributes.idle_connection_timeout = Duration::from_millis(200);
    let proxy = TestProxy::start(snapshot);
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    assert_eq!(client.response().status, 200);
    // The tick of the worker closes it.
    sleep(Duration::from_millis(1500));
    client.send(GET);
    assert_eq!(client.response().status, 200);
    assert_eq!(target.connections(), 2);
}

#[test]
fn a_target_that_does_not_speak_http2_is_a_bad_gateway() {
    let target = TestTarget::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let mut group = crate::support::group("web", &[crate::support::healthy(target.address)]);
    group.attributes.protocol = lb_proxy::TargetProtocol::Http2;
    group.attributes.connect_retries = 0;
    let mut proxy = TestProxy::start(simple(group));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    assert_eq!(client.response().status, 502);
    assert_eq!(proxy.event().reason, Some("target_protocol_error"));
}

#[test]
fn a_target_that_does_not_answer_is_timed_out_and_its_connection_not_used_again() {
    let target = Http2Target::start(100, |mut stream| async move {
        if stream.connection == 0 {
            stream.wait_for_reset().await;
        } else {
            stream.answer(200, b"ok", None);
        }
    });
    let mut proxy = TestProxy::start(impatient(simple(target.group())));
    let response = crate::support::ask(proxy.address(), GET);
    assert_eq!((response.status, proxy.event().reason), (504, Some("response_timeout")));
    assert_eq!(crate::support::ask(proxy.address(), GET).status, 200);
}

#[test]
fn targets_in_tls_are_asked_for_http2() {
    let (trusted, key) = certificate("target.example");
    let config = |http2| {
        let set = CertificateSet::new(Arc::clone(&key));
        TlsAcceptor::from(Arc::new(server_config(set, http2).unwrap()))
    };
    for (http2, status, reason) in [(true, 200, None), (false, 502, Some("target_protocol_error"))]
    {
        let target = Http2Target::with_tls(100, Some(config(http2)), |mut stream| async move {
            stream.answer(200, b"ok", None);
        });
        let mut group = target.group();
        // Without `h2` among its protocols the target would choose none.
        let alpn: &[&[u8]] = if http2 { &[b"h2"] } else { &[] };
        let tls = Arc::new(trusting(std::slice::from_ref(&trusted), alpn));
        group.tls =
            Some(TargetTls { config: tls, server_name: "target.example".try_into().unwrap() });
        group.attributes.connect_retries = 0;
        let mut proxy = TestProxy::start(simple(group));
        assert_eq!(crate::support::ask(proxy.address(), GET).status, status);
        assert_eq!(proxy.event().reason, reason);
        if http2 {
            assert_eq!(target.last().uri().scheme_str(), Some("https"));
        }
    }
}

#[test]
fn a_stop_lets_streams_end() {
    let target = Http2Target::start(100, |mut stream| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.answer(200, b"ok", None);
    });
    let proxy = TestProxy::start(simple(target.group()));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    wait_until("the request is there", || target.requests() == 1);
    let stop = std::thread::spawn(move || proxy.stop(LONG));
    assert_eq!(client.response().status, 200);
    assert_eq!(stop.join().unwrap().requests_cut, 0);
}
