//! Attacks of clients of HTTP/1 over real sockets: what docs/attacks.md says of them, with status, reason and what
//! the target has seen.

use std::{fs, io::Write as _, path::Path, time::Duration};

use lb_http::{desync::Finding, refusal::Refusal};
use lb_proxy::{Counter, Failure};

use crate::support::{
    Client, TestProxy, TestTarget, ask, field, group, healthy, impatient, simple,
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// What an attacker wants the target to read as a request of its own.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request with these fields and a body.
fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}")
}

/// Requests that are refused: nothing reaches a target, and the connection ends with the response.
fn check_refused(cases: &[(String, u16, &str)]) {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::before(&target);
    for (request, status, reason) in cases {
        let mut client = Client::connect(proxy.address());
        client.send(&format!("{request}{HIDDEN}"));
        let response = client.response();
        assert_eq!((response.status, *reason), (*status, *reason), "{request:?}");
        assert_eq!(field(&response.head, "connection"), Some("close"), "{request:?}");
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(client.read_to_end().is_empty(), "a second response to {request:?}");
        let event = proxy.event();
        assert_eq!((event.status, event.reason), (*status, Some(*reason)), "{request:?}");
        assert!(proxy.metrics().failures[*reason] > 0, "{reason}");
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn smuggled_lengths_are_refused() {
    let both =
        |order: [&str; 2], body: &str| (post(&order.join("\r\n"), body), 400, "both_te_cl_present");
    let (length, chunked) = ("Content-Length: 6", "Transfer-Encoding: chunked");
    check_refused(&[
        // CL.TE and TE.CL, in both orders.
        both([length, chunked], "0\r\n\r\nG"),
        both([chunked, length], "0\r\n\r\nG"),
        both(["Content-Length: 4", chunked], "5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n"),
        (post("Content-Length: 6\r\nContent-Length: 5", "123456"), 400, "multiple_content_length"),
        (post("Content-Length: 6, 5", "123456"), 400, "multiple_content_length"),
        (post("Content-Length: +6", "123456"), 400, "bad_content_length"),
        (post("Content-Length: -1", ""), 400, "bad_content_length"),
        (post("Content-Length: 0x6", "123456"), 400, "bad_content_length"),
        (post("Content-Length: 6 6", "123456"), 400, "bad_content_length"),
        (post("Content-Length: 18446744073709551616", ""), 400, "bad_content_length"),
        (
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            400,
            "transfer_encoding_in_old_version",
        ),
    ]);
}

#[test]
fn obfuscated_transfer_codings_are_refused() {
    let coding = |value: &str| {
        (post(&format!("Transfer-Encoding: {value}"), "0\r\n\r\n"), 501, "bad_transfer_encoding")
    };
    let line = |line: &str, reason: &'static str| (post(line, "0\r\n\r\n"), 400, reason);
    check_refused(&[
        coding("xchunked"),
        coding("chunked, identity"),
        coding("identity"),
        coding("x, chunked"),
        coding("chunked\r\nTransfer-Encoding: x"),
        coding("\"chunked\""),
        coding("chunked;q=1"),
        line("Transfer-Encoding : chunked", "space_before_colon"),
        line("X: y\r\n Transfer-Encoding: chunked", "obs_fold"),
        line("Transfer-Encoding:\u{b}chunked", "control_in_value"),
        line("X: y\rTransfer-Encoding: chunked", "bare_cr"),
        line("X: y\nTransfer-Encoding: chunked", "bare_lf"),
        line("X: \0\r\nTransfer-Encoding: chunked", "nul_in_value"),
    ]);
}

#[test]
fn line_ends_and_chunks_with_two_readings_are_refused() {
    let refused = |request: &str, reason: &'static str| (request.to_owned(), 400, reason);
    check_refused(&[
        refused("GET / HTTP/1.1\nHost: a\n\n", "bare_lf"),
        refused("GET / HTTP/1.1\r\nHost: a\r\n x: y\r\n\r\n", "obs_fold"),
        refused("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "bad_version"),
        refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bad_start_line"),
    ]);
    // The head of these requests is good, and their target gets it before it is known what follows.
    for (chunks, reason) in [
        ("3\nabc\r\n0\r\n\r\n", "bare_lf"),
        ("3;a=b\nabc\r\n0\r\n\r\n", "bare_lf"),
        ("3\r\nabcde\r\n0\r\n\r\n", "bad_chunk_end"),
        ("0x3\r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
        ("-3\r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
        ("3 \r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
        ("10000000000000003\r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
        ("3;\0\r\nabc\r\n0\r\n\r\n", "bad_chunk_extension"),
    ] {
        let target = TestTarget::start(|mut end| drop(end.request()));
        let mut proxy = TestProxy::before(&target);
        let mut client = Client::connect(proxy.address());
        client.send(&format!("{}{HIDDEN}", post("Transfer-Encoding: chunked", chunks)));
        assert_eq!(client.response().status, 400, "{chunks:?}");
        assert_eq!(proxy.event().reason, Some(reason), "{chunks:?}");
        assert!(!target.text().contains("hidden"), "{chunks:?}: {}", target.text());
    }
}

/// Chunk extensions that follow the rules are removed: the target sees chunks of the proxy.
#[test]
fn chunk_extensions_do_not_reach_targets() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let body = "3;name=value\r\nabc\r\n0;end\r\n\r\n";
    assert_eq!(ask(proxy.address(), &post("Transfer-Encoding: chunked", body)).status, 200);
    assert!(target.text().ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{}", target.text());
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "a".repeat(300));
    let mut client = Client::connect(proxy.address());
    client.send(&post("Transfer-Encoding: chunked", &long));
    assert_eq!(client.response().status, 400);
}

#[test]
fn ambiguous_requests_are_written_anew_and_end_both_connections() {
    for (request, absent, present) in [
        (post("Content-Length: 3\r\nContent-Length: 3", "abc"), "3\r\nContent-Length", "th: 3\r\n"),
        (post("Transfer_Encoding: chunked\r\nContent-Length: 3", "abc"), "chunked", "th: 3\r\n"),
        (post("TransferEncoding: chunked\r\nContent-Length: 3", "abc"), "chunked", "th: 3\r\n"),
        (
            "GET http://b.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(),
            "a.example",
            "GET /x HTTP/1.1\r\nHost: b.example\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
            "Transfer-Encoding",
            "Content-Length: 3\r\n",
        ),
    ] {
        let target = TestTarget::answering(OK);
        let mut proxy = TestProxy::before(&target);
        let mut client = Client::connect(proxy.address());
        client.send(&format!("{request}{HIDDEN}"));
        let response = client.response();
        assert_eq!(response.status, 200, "{request:?}");
        assert_eq!(field(&response.head, "connection"), Some("close"), "{request:?}");
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(client.read_to_end().is_empty(), "{request:?}");
        let seen = target.text();
        assert!(seen.contains(present) && !seen.contains(absent), "{request:?}: {seen}");
        assert!(!seen.contains("hidden"), "{seen}");
        assert_eq!(proxy.event().reason, None, "{request:?}");
        let metrics = proxy.metrics();
        assert_eq!(metrics.listeners["web"].get(Counter::NonCompliantRequests), 1, "{request:?}");
    }
}

/// A body that the target would not expect (TE.0, CL.0) has the framing of the proxy, whatever the method.
#[test]
fn a_body_is_framed_whatever_the_method() {
    for method in ["OPTIONS", "DELETE", "PUT", "FOO"] {
        let target = TestTarget::answering(OK);
        let proxy = TestProxy::before(&target);
        let chunked = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             21\r\n{HIDDEN}\r\n0\r\n\r\n"
        );
        assert_eq!(HIDDEN.len(), 0x21);
        assert_eq!(ask(proxy.address(), &chunked).status, 200, "{method}");
        let seen = target.text();
        assert!(seen.contains("Transfer-Encoding: chunked\r\n"), "{method}: {seen}");
        assert!(
            seen.ends_with(&format!("\r\n\r\n21\r\n{HIDDEN}\r\n0\r\n\r\n")),
            "{method}: {seen}"
        );
        let length =
            format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n{HIDDEN}");
        assert_eq!(ask(proxy.address(), &length).status, 200, "{method}");
        let seen = target.text();
        assert!(seen.contains("Content-Length: 33\r\n"), "{method}: {seen}");
    }
}

#[test]
fn hosts_with_two_readings_are_refused() {
    let get = |target: &str, hosts: &str, reason: &'static str| {
        (format!("GET {target} HTTP/1.1\r\n{hosts}\r\n"), 400, reason)
    };
    check_refused(&[
        get("/", "", "missing_host"),
        get("/", "Host: a\r\nHost: b\r\n", "duplicate_host"),
        get("/", "Host: a\r\nhost: a\r\n", "duplicate_host"),
        get("/", "Host: a@b\r\n", "user_info"),
        get("/", "Host: a b\r\n", "bad_host"),
        get("/", "Host: a/b\r\n", "bad_host"),
        get("/", "Host: a:x\r\n", "bad_host"),
        get("http://u@a/", "Host: a\r\n", "user_info"),
        get("ftp://a/", "Host: a\r\n", "bad_target"),
        get("a/b", "Host: a\r\n", "bad_target"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405, "method_not_allowed"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405, "method_not_allowed"),
    ]);
}

#[test]
fn forged_sources_are_not_believed() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\
                   X_Forwarded_For: 192.0.2.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 44x\r\n\
                   X-Forwarded_Proto: https\r\nX-Amzn-Mtls-Clientcert-Subject: CN=root\r\n\
                   X_Amzn-Mtls_Clientcert-Subject: CN=root\r\nProxy: http://evil/\r\n\
                   X-Xelb-Trace-Id: Root=x\r\n\
                   Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Port\r\n\r\n";
    assert_eq!(ask(proxy.address(), request).status, 200);
    let seen = target.text();
    assert_eq!(field(&seen, "x-forwarded-for"), Some("192.0.2.9, 127.0.0.1"));
    assert_eq!(field(&seen, "x-forwarded-proto"), Some("http"));
    let port = proxy.address().port().to_string();
    assert_eq!(field(&seen, "x-forwarded-port"), Some(port.as_str()));
    // None of these is a part of a port or of a random identifier.
    for gone in ["192.0.2.8", "https", "44x", "CN=root", "evil"] {
        assert!(!seen.contains(gone), "{gone}: {seen}");
    }
}

#[test]
fn a_proxy_header_of_a_stranger_is_no_request() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::before(&target);
    let text = "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ask(proxy.address(), text).status, 400);
    let mut client = Client::connect(proxy.address());
    let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x05\0\x06";
    client.stream.write_all(binary).unwrap();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 400);
    for _ in 0..2 {
        let event = proxy.event();
        assert!(event.client.ip().is_loopback() && event.status == 400, "{event:?}");
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let many = "x: y\r\n".repeat(200);
    let wide = |count: usize| format!("x: {}\r\n", "a".repeat(10_000)).repeat(count);
    check_refused(&[
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(17_000)),
            414,
            "start_line_too_long",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "a".repeat(17_000)),
            431,
            "field_line_too_long",
        ),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", wide(7)), 431, "head_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431, "too_many_fields"),
    ]);
}

/// A head that grows a byte at a time has its time in all, not for each byte.
#[test]
fn a_slow_head_has_its_time_in_all() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let begin = std::time::Instant::now();
    for number in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        if client.stream.write_all(format!("x{number}: y\r\n").as_bytes()).is_err() {
            break;
        }
        if number == 20 {
            break;
        }
    }
    assert_eq!(client.response().status, 408);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(proxy.event().reason, Some("head_timeout"));
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let body = "a".repeat(32 << 20);
    let target = TestTarget::start(move |mut end| {
        end.request();
        end.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    });
    let mut proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(proxy.event().reason, Some("client_write_timeout"));
    let read = client.read_to_end().len();
    assert!(read < 32 << 20, "{read}");
}

/// Requests that wait behind others are not read: they wait in the kernels, and their sender with them.
#[test]
fn a_pipelining_flood_waits_for_its_own_responses() {
    let body = "a".repeat(16 << 10);
    let target = TestTarget::answering(&format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let mut proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let client = Client::connect(proxy.address());
    client.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "y".repeat(1000));
    let flood = request.repeat(1000);
    let mut sent: usize = 0;
    for _ in 0..100 {
        match (&client.stream).write(flood.as_bytes()) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    assert!(sent < 100 * flood.len(), "everything was taken: {sent}");
    let mut served: usize = 0;
    while proxy.event().reason != Some("client_write_timeout") {
        served += 1;
    }
    assert!(served * request.len() < sent, "{served} requests of {sent} bytes");
}

/// All code of a folder, tests as well.
fn code(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_page_names_tests_and_reasons_that_exist() {
    let mut all = String::new();
    code(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), &mut all);
    let refusals = Refusal::ALL.iter().map(|reason| reason.as_str());
    let findings = Finding::ALL.iter().map(|finding| finding.as_str());
    let failures = Failure::ALL.iter().map(|failure| failure.as_str());
    let reasons: Vec<&str> = refusals.chain(findings).chain(failures).collect();
    let page = include_str!("../../../../../docs/attacks.md");
    let is_name = |word: &&str| {
        word.contains('_') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let mut tests = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let names = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).filter(is_name).map(str::to_owned).collect()
        };
        for test in names(cells.last().unwrap()) {
            assert!(all.contains(&format!("fn {test}(")), "there is no test {test}");
            tests += 1;
        }
        for reason in names(cells[1]).iter().filter(|name| *name != "idle_timeout") {
            assert!(reasons.contains(&reason.as_str()), "there is no reason {reason}");
        }
    }
    assert!(tests > 40, "{tests}");
}
