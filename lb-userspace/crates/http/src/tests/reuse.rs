//! A connection that is used again remembers nothing of the exchange before, and messages come in order.

use super::relay::Relay;
use crate::{
    body::WriteError,
    connection::{
        AfterExchange::{Close, Reuse},
        Event, ServerOptions,
    },
    encode::{LocalResponse, ResponseToForward},
    field_edits::FieldEdits,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Behind one exchange over both connections.
fn after_exchange(request: &str, response: &str) -> Relay {
    let mut relay = Relay::new(ServerOptions::default());
    exchange(&mut relay, request, response);
    relay
}

/// One more exchange, over connections that can be used again.
fn exchange(relay: &mut Relay, request: &str, response: &str) {
    relay.from_client.extend_from_slice(request.as_bytes());
    relay.from_target.extend_from_slice(response.as_bytes());
    assert_eq!(relay.forward_request(), Event::End, "{request:?}: {:?}", relay.refused);
    assert_eq!(relay.forward_response(), Event::End, "{response:?}: {:?}", relay.refused);
    assert_eq!(relay.after(), (Reuse, Reuse), "{response:?} to {request:?}");
    relay.server.next_request();
    assert!(relay.client.next_exchange(0));
    relay.to_target.clear();
    relay.to_client.clear();
}

#[test]
fn an_empty_line_is_skipped_before_each_request() {
    let request = format!("\r\n{GET}");
    let mut relay = after_exchange(&request, OK);
    exchange(&mut relay, &request, OK);
}

#[test]
fn interim_responses_are_counted_for_each_request() {
    let response = format!("{}{OK}", "HTTP/1.1 102 Processing\r\n\r\n".repeat(16));
    let mut relay = after_exchange(GET, &response);
    exchange(&mut relay, GET, &response);
}

#[test]
fn each_request_may_wait_for_status_100() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    let mut relay = Relay::new(ServerOptions::default());
    for _ in 0..2 {
        relay.from_client = head.as_bytes().to_vec();
        assert_eq!(relay.forward_request(), Event::NeedsMore);
        assert!(relay.server.waits_for_continue());
        relay.server.write_continue(&mut relay.to_client);
        assert!(!relay.server.waits_for_continue());
        exchange(&mut relay, "a", OK);
    }
    relay.from_client = head.as_bytes().to_vec();
    relay.from_target = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
    relay.forward_request();
    relay.forward_response();
    assert!(!relay.server.waits_for_continue(), "the target has sent it");
}

#[test]
fn trailers_belong_to_one_response() {
    let with_trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: 1\r\n\r\n";
    let mut relay = after_exchange(GET, with_trailers);
    relay.from_client = GET.as_bytes().to_vec();
    relay.from_target = b"HTTP/1.1 200 OK\r\n\r\nok".to_vec();
    relay.forward_request();
    relay.forward_response();
    assert_eq!(relay.end_of_target(), Event::End);
    assert!(relay.to_client.ends_with(b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
}

#[test]
fn a_connection_that_waits_may_end() {
    let mut relay = after_exchange(GET, OK);
    assert_eq!(relay.server.end_of_input(), Event::Closed);
    assert_eq!(relay.client.end_of_input(), Event::Closed);
    assert_eq!(relay.write_request(), Err(WriteError::OutOfOrder), "the target is gone");
}

#[test]
fn a_client_that_sends_no_more_gets_its_response_and_no_other() {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = GET.as_bytes().to_vec();
    relay.forward_request();
    assert_eq!(relay.server.end_of_input(), Event::Closed);
    relay.from_target = OK.as_bytes().to_vec();
    relay.forward_response();
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    assert_eq!(String::from_utf8_lossy(&relay.to_client), response);
    assert_eq!(relay.after(), (Close, Reuse));
}

#[test]
fn a_second_request_waits_for_the_response() {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = GET.as_bytes().to_vec();
    relay.forward_request();
    assert_eq!(relay.write_request(), Err(WriteError::OutOfOrder));
    relay.from_target = OK.as_bytes().to_vec();
    relay.forward_response();
    assert_eq!(relay.write_request(), Err(WriteError::OutOfOrder), "before the next exchange");
    assert!(relay.client.next_exchange(0));
    assert_eq!(relay.write_request(), Ok(()));
}

#[test]
fn a_request_gets_one_response() {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = GET.as_bytes().to_vec();
    relay.from_target = format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}").into_bytes();
    relay.forward_request();
    assert_eq!(relay.read_target().0, Event::Interim);
    let edits = FieldEdits::default();
    let mut out = Vec::new();
    let (head, framing) = (relay.client.head().clone(), relay.client.framing().clone());
    let interim = ResponseToForward { head: &head, framing: &framing, edits: &edits };
    let is_refused = |result| assert_eq!(result, Err(WriteError::OutOfOrder));
    is_refused(relay.server.write_response(&interim, &mut out));
    relay.forward_response();
    let (last, last_framing) = (relay.client.head(), relay.client.framing());
    let again = ResponseToForward { head: last, framing: last_framing, edits: &edits };
    is_refused(relay.server.write_response(&again, &mut out));
    is_refused(relay.server.write_interim(&head, &mut out));
    let local = LocalResponse { status: 503, fields: &[], body: b"" };
    is_refused(relay.server.write_local(&local, &mut out));
    assert_eq!(String::from_utf8_lossy(&out), "");
}

#[test]
fn a_client_that_did_not_ask_gets_no_tunnel() {
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n";
    let mut asked = Relay::new(ServerOptions::default());
    asked.from_client = upgrade.as_bytes().to_vec();
    asked.from_target = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\n".to_vec();
    asked.forward_request();
    assert_eq!(asked.read_target().0, Event::Head);
    let mut other = Relay::new(ServerOptions::default());
    other.from_client = GET.as_bytes().to_vec();
    other.forward_request();
    let edits = FieldEdits::default();
    let (head, framing) = (asked.client.head(), asked.client.framing());
    let response = ResponseToForward { head, framing, edits: &edits };
    let result = other.server.write_response(&response, &mut Vec::new());
    assert_eq!(result, Err(WriteError::OutOfOrder));
}

#[test]
fn responses_of_the_balancer_cannot_break_their_framing() {
    let cases: [(u16, &[(&str, &str)]); 6] = [
        (101, &[]),
        (600, &[]),
        (200, &[("Content-Length", "1")]),
        (200, &[("X-A", "a\r\nX-B: b")]),
        (200, &[("X A", "a")]),
        (200, &[("Connection", "close")]),
    ];
    for (status, fields) in cases {
        let mut relay = Relay::new(ServerOptions::default());
        relay.from_client = GET.as_bytes().to_vec();
        relay.forward_request();
        let response = LocalResponse { status, fields, body: b"" };
        let mut out = Vec::new();
        let result = relay.server.write_local(&response, &mut out);
        assert_eq!((result, out.len()), (Err(WriteError::BadField), 0), "{response:?}");
    }
}

#[test]
fn statuses_without_content_have_no_length() {
    for (status, reason) in [(204, "No Content"), (304, "")] {
        let mut relay = Relay::new(ServerOptions::default());
        relay.from_client = GET.as_bytes().to_vec();
        relay.forward_request();
        relay.respond(status);
        let response = format!("HTTP/1.1 {status} {reason}\r\nServer: xelb\r\n\r\n");
        assert_eq!(String::from_utf8_lossy(&relay.to_client), response);
    }
}
