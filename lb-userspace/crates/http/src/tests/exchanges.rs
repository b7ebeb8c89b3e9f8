//! Bytes of a client and of a target in; what each of them gets out.

use super::relay::Relay;
use crate::connection::ServerOptions;

/// What a relay adds to a request.
const ADDED: &str =
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n";

/// One exchange; `<added>` in the expected request stands for what the relay adds.
fn check(request: &str, to_target: &str, response: &str, to_client: &str) {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = request.as_bytes().to_vec();
    relay.from_target = response.as_bytes().to_vec();
    relay.forward_request();
    relay.forward_response();
    relay.end_of_target();
    let to_target = to_target.replace("<added>", ADDED);
    assert_eq!(String::from_utf8_lossy(&relay.to_target), to_target, "{request:?}");
    assert_eq!(String::from_utf8_lossy(&relay.to_client), to_client, "{response:?} to {request:?}");
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_FORWARDED: &str = "GET / HTTP/1.1\r\nHost: a\r\n<added>\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Only the request.
fn check_request(request: &str, to_target: &str) {
    check(request, to_target, OK, OK);
}

/// Only the response.
fn check_response(response: &str, to_client: &str) {
    check(GET, GET_FORWARDED, response, to_client);
}

#[test]
fn heads_of_requests_are_copied_except_for_what_must_change() {
    check_request(GET, GET_FORWARDED);
    check_request(
        "GET http://A:80/%61/../b?c HTTP/1.1\r\nAccept: x \r\nHost: a:80\r\nKeep-Alive: 1\r\nB: 1\r\nC:2\r\n\r\n",
        "GET /b?c HTTP/1.1\r\nHost: a:80\r\nAccept: x \r\nB: 1\r\nC:2\r\n<added>\r\n",
    );
    check_request(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: A, keep-alive\r\nA: 1\r\nB: 2\r\nTE: trailers, gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nB: 2\r\n<added>Connection: TE\r\nTE: trailers\r\n\r\n",
    );
    check_request(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: b\r\nX_Forwarded_For: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: b, 192.0.2.1\r\nX-Forwarded-Proto: http\r\n\
         X-Forwarded-Port: 80\r\n\r\n",
    );
    check_request(
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n<added>\r\n",
    );
    check_request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", GET_FORWARDED);
}

#[test]
fn bodies_of_requests_are_framed_anew() {
    let post =
        |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let forwarded = |fields: &str, body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\n<added>{fields}\r\n{body}")
    };
    check_request(&post("", ""), &forwarded("Content-Length: 0\r\n", ""));
    check_request(
        &post("Content-Length: 03\r\n", "abc"),
        &forwarded("Content-Length: 3\r\n", "abc"),
    );
    check(
        &post("Content-Length: 3, 3\r\n", "abc"),
        &forwarded("Content-Length: 3\r\n", "abc").replace("<added>", ADDED),
        OK,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    );
    check_request(
        &post(
            "Transfer-Encoding: Chunked\r\n",
            "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\nHost: b\r\n\r\n",
        ),
        &forwarded("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"),
    );
    check_request(
        &post("Trailer: T\r\nContent-Length: 1\r\n", "a"),
        &forwarded("Content-Length: 1\r\n", "a"),
    );
    check_request("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", GET_FORWARDED);
    check_request(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n<added>Content-Length: 1\r\n\r\na",
    );
}

#[test]
fn requests_of_http_10_become_http_11() {
    check(
        "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: default.example\r\n<added>\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
    );
    check(
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        GET_FORWARDED,
        "HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    );
    check(
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        GET_FORWARDED,
        OK,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
    );
}

#[test]
fn bodies_of_responses_are_framed_for_the_client() {
    check_response(OK, OK);
    check_response(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n",
    );
    check_response(
        "HTTP/1.0 200 OK\r\nA: b\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    check_response("HTTP/1.1 204 \r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 204 \r\n\r\n");
    check_response(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
    );
    check_response(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    );
    check_response(
        "HTTP/1.1 200 OK\r\nConnection: A\r\nA: 1\r\nUpgrade: h2c\r\nKeep-Alive: 1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    check_response(
        "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: foo\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
    );
}

#[test]
fn responses_to_head_have_a_length_and_no_body() {
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let forwarded = "HEAD / HTTP/1.1\r\nHost: a\r\n<added>\r\n";
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    check(head, forwarded, response, response);
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(head, forwarded, response, "HTTP/1.1 200 OK\r\n\r\n");
}

#[test]
fn an_upgrade_names_its_protocol_on_both_sides() {
    check(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\n<added>Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    );
    check_request(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
        GET_FORWARDED,
    );
}

#[test]
fn fields_are_edited_and_invalid_ones_dropped_on_request() {
    let mut relay = Relay::new(ServerOptions::default());
    relay.edits.set("X-A", "1").expect("a plain field");
    relay.edits.remove("X-B").expect("a plain name");
    relay.drop_invalid_fields = true;
    relay.from_client =
        b"GET / HTTP/1.1\r\nHost: a\r\nx-a: 0\r\nX-B: 2\r\nmy_field: 3\r\nX-C: 4\r\n\r\n".to_vec();
    relay.from_target =
        b"HTTP/1.1 200 OK\r\nX-a: 0\r\nX-B: 2\r\nmy_field: 3\r\nContent-Length: 0\r\n\r\n".to_vec();
    relay.forward_request();
    relay.forward_response();
    let to_target = format!("GET / HTTP/1.1\r\nHost: a\r\nX-C: 4\r\n{ADDED}X-A: 1\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(&relay.to_target), to_target);
    let to_client = "HTTP/1.1 200 OK\r\nmy_field: 3\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&relay.to_client), to_client);
}
