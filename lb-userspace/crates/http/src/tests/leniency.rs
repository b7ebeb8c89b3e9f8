//! The messages of docs/decisions/http-engine.md, which lenient servers accept.

use super::relay::Relay;
use crate::{
    connection::{AfterExchange, Event, ServerOptions},
    desync::Finding,
};

/// A request that mode `defensive` refuses, with the names of the page.
fn check_refused(request: &str, status: u16, reason: &str) {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = request.as_bytes().to_vec();
    relay.forward_request();
    let refused = relay.refused.map(|(reason, status)| (status, reason.as_str()));
    assert_eq!(refused, Some((status, reason)), "{request:?}");
}

/// A request that is normalised and forwarded; both connections are closed after it.
fn check_normalised(request: &str, finding: Finding, line: &str, count: usize) {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = request.as_bytes().to_vec();
    relay.from_target = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    assert_eq!(relay.forward_request(), Event::End, "{request:?}");
    assert!(relay.server.framing().findings.contains(finding), "{request:?}");
    let forwarded = String::from_utf8_lossy(&relay.to_target).into_owned();
    assert_eq!(forwarded.matches(line).count(), count, "{forwarded}");
    relay.forward_response();
    assert_eq!(relay.after(), (AfterExchange::Close, AfterExchange::Close), "{request:?}");
}

#[test]
fn what_lenient_servers_accept_is_refused_or_normalised() {
    let post =
        |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
    let chunked = |chunks: &str| post("Transfer-Encoding: chunked", chunks);
    check_refused("GET / HTTP/1.1\r\n\r\n", 400, "missing_host");
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "duplicate_host");
    check_refused("GET / HTTP/1.1\r\nHost: a b/%00@\r\n\r\n", 400, "user_info");
    check_refused("GET / HTTP/1.1\nHost: a\n\n", 400, "bare_lf");
    check_refused("GET foo HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target");
    check_refused(&post("Upgrade: websocket", ""), 400, "upgrade_without_connection");
    check_refused(&post("Transfer-Encoding: x, chunked", ""), 501, "bad_transfer_encoding");
    check_refused(&post("Transfer-Encoding: chunked, chunked", ""), 501, "bad_transfer_encoding");
    let both = post("Content-Length: 9\r\nTransfer-Encoding: chunked", "0\r\n\r\n");
    check_refused(&both, 400, "both_te_cl_present");
    check_refused(&chunked("3  \r\nabc\r\n0\r\n\r\n"), 400, "bad_chunk_size");
    check_refused(&chunked("3;\0 = x\r\nabc\r\n0\r\n\r\n"), 400, "bad_chunk_extension");
    check_refused("GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "user_info");
    check_refused("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "control_in_target");
    check_refused("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "fragment_in_target");
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_refused(old, 400, "transfer_encoding_in_old_version");
    let equal = Finding::DuplicateContentLength;
    let twice = post("Content-Length: 3\r\nContent-Length: 3", "abc");
    check_normalised(&twice, equal, "Content-Length: 3\r\n", 1);
    check_normalised(&post("Content-Length: 3, 3", "abc"), equal, "Content-Length: 3\r\n", 1);
    let suspicious = post("Transfer_Encoding: chunked", "");
    check_normalised(&suspicious, Finding::SuspiciousHeader, "chunked", 0);
}
