//! What becomes of both connections after an exchange.

use super::relay::Relay;
use crate::{
    connection::{
        AfterExchange::{self, Close, Linger, Reuse, Tunnel},
        Event, ServerOptions,
    },
    head::Head,
    limits::Limits,
    refusal::Refusal,
};

fn relay(from_client: &str, from_target: &str) -> Relay {
    let mut relay = Relay::new(ServerOptions::default());
    relay.from_client = from_client.as_bytes().to_vec();
    relay.from_target = from_target.as_bytes().to_vec();
    relay
}

/// One exchange, and what becomes of the client's and of the target's connection.
fn check(request: &str, response: &str, after: (AfterExchange, AfterExchange)) {
    let mut relay = relay(request, response);
    relay.forward_request();
    let is_complete = relay.forward_response() == Event::End;
    assert_eq!(relay.after(), after, "{response:?} to {request:?}");
    let says_close = String::from_utf8_lossy(&relay.to_client).contains("Connection: close");
    assert!(says_close || !is_complete || after.0 != Close, "{request:?}: the client is not told");
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";

#[test]
fn connections_persist_when_both_messages_are_complete() {
    check(GET, OK, (Reuse, Reuse));
    check(&format!("{POST}abcde"), OK, (Reuse, Reuse));
    check("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", OK, (Close, Reuse));
    check("GET / HTTP/1.0\r\n\r\n", OK, (Close, Reuse));
    let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    check(old, OK, (Reuse, Reuse));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    check(GET, chunked, (Reuse, Reuse));
    check(old, chunked, (Close, Reuse));
    check(GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", (Reuse, Close));
    check(GET, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", (Reuse, Close));
    check(GET, "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\n", (Reuse, Close));
}

#[test]
fn an_ambiguous_request_closes_both_connections() {
    check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n", OK, (Close, Close));
    check("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb", OK, (Close, Close));
}

#[test]
fn a_connection_whose_message_is_unread_is_not_reused() {
    // The target answers before the body has arrived.
    check(&format!("{POST}abc"), OK, (Linger, Close));
    // The response is not complete.
    check(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", (Close, Close));
    check(GET, "HTTP/1.1 200 OK\r\n", (Close, Close));
    // The target says more than was asked for.
    check(GET, &format!("{OK}HTTP/1.1 200 OK\r\n\r\n"), (Reuse, Close));
    // More requests have arrived on a connection that closes.
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{GET}"),
        OK,
        (Linger, Reuse),
    );
}

#[test]
fn pipelined_requests_wait_for_their_turn() {
    let mut relay = relay(&format!("{POST}abcde{GET}"), OK);
    assert_eq!(relay.forward_request(), Event::End);
    assert_eq!(relay.read_client().0, Event::NeedsMore);
    assert_eq!(relay.from_client, GET.as_bytes());
    relay.forward_response();
    assert_eq!(relay.after(), (Reuse, Reuse));
    relay.server.next_request();
    assert!(relay.client.next_exchange(0));
    relay.server.release_memory();
    relay.client.release_memory();
    assert_eq!(relay.server.head(), &Head::default());
    assert_eq!(relay.client.head(), &Head::default());
    relay.to_target.clear();
    assert_eq!(relay.forward_request(), Event::End);
    assert!(relay.to_target.starts_with(b"GET / HTTP/1.1\r\nHost: a\r\n"));
    assert_eq!(relay.after().0, Close, "the second response is missing");
    relay.from_target = OK.as_bytes().to_vec();
    relay.forward_response();
    assert_eq!(relay.after(), (Reuse, Reuse));
}

#[test]
fn responses_of_the_balancer_close_what_is_unread() {
    let cases = [
        (
            GET.to_owned(),
            "HTTP/1.1 503 Service Unavailable\r\nServer: xelb\r\nContent-Length: 4\r\n\r\ntext",
            Reuse,
        ),
        (
            POST.to_owned(),
            "HTTP/1.1 503 Service Unavailable\r\nServer: xelb\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntext",
            Linger,
        ),
        (
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "HTTP/1.1 503 Service Unavailable\r\nServer: xelb\r\nContent-Length: 4\r\n\r\n",
            Reuse,
        ),
    ];
    for (request, response, after) in cases {
        let mut relay = relay(&request, "");
        assert_eq!(relay.read_client().0, Event::Head);
        relay.respond(503);
        assert_eq!(String::from_utf8_lossy(&relay.to_client), response, "{request:?}");
        assert_eq!(relay.server.after_exchange(0), after, "{request:?}");
    }
}

#[test]
fn a_refused_request_gets_its_status_and_nothing_more_is_read() {
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", Refusal::MissingHost, 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Refusal::BadHost, 400),
        ("GET foo HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadTarget, 400),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::MethodNotAllowed, 405),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadStartLine, 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx",
            Refusal::BadChunkSize,
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            Refusal::BadTransferEncoding,
            501,
        ),
    ];
    for (request, reason, status) in cases {
        let mut relay = relay(&format!("{request}\r\n{GET}"), "");
        relay.forward_request();
        assert_eq!(relay.refused, Some((reason, status)), "{request:?}");
        assert_eq!(relay.read_client().0, Event::NeedsMore, "{request:?}");
        relay.respond(status);
        let response = String::from_utf8_lossy(&relay.to_client);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {response}");
        assert!(response.contains("Connection: close\r\n"), "{request:?}: {response}");
        assert_eq!(relay.server.after_exchange(0), Linger, "{request:?}");
    }
}

#[test]
fn a_tunnel_begins_behind_status_101() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n";
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n";
    let mut tunnel = relay(&format!("{request}\0up"), &format!("{switching}\0down"));
    assert_eq!(tunnel.forward_request(), Event::End);
    assert_eq!(tunnel.read_client().0, Event::NeedsMore, "not before the target agrees");
    assert_eq!(tunnel.forward_response(), Event::Tunnel);
    assert_eq!(tunnel.read_client().0, Event::Tunnel);
    assert_eq!((&*tunnel.from_client, &*tunnel.from_target), (&b"\0up"[..], &b"\0down"[..]));
    assert_eq!(tunnel.after(), (Tunnel, Tunnel));
    check(request, OK, (Reuse, Reuse));
}

#[test]
fn nonsense_of_a_target_is_status_502() {
    let cases = [
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", Refusal::UnexpectedUpgrade),
        ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", Refusal::BareLf),
        ("hello\r\n\r\n", Refusal::BadVersion),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Refusal::BadChunkSize),
        (&"HTTP/1.1 102 Processing\r\n\r\n".repeat(17), Refusal::TooManyInterimResponses),
    ];
    for (response, reason) in cases {
        let mut relay = relay(GET, response);
        relay.forward_request();
        relay.forward_response();
        assert_eq!(relay.refused, Some((reason, 502)), "{response:?}");
        assert_eq!(relay.after().1, Close, "{response:?}");
    }
    let mut idle = relay("", "HTTP/1.1 408 Request Timeout\r\n\r\n");
    idle.forward_response();
    assert_eq!(idle.refused, Some((Refusal::UnexpectedResponse, 502)));
}

#[test]
fn the_end_of_a_connection_is_judged_by_what_is_missing() {
    let incomplete = Event::Refused { reason: Refusal::IncompleteMessage, status: 502 };
    let cases = [
        ("", Event::Closed),
        ("HTTP/1.1 2", incomplete.clone()),
        ("HTTP/1.1 100 Continue\r\n\r\n", incomplete.clone()),
        ("HTTP/1.1 200 OK\r\n\r\nok", Event::End),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", incomplete.clone()),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", incomplete),
        (OK, Event::Closed),
    ];
    for (response, expected) in cases {
        let mut relay = relay(GET, response);
        relay.forward_request();
        relay.forward_response();
        assert_eq!(relay.end_of_target(), expected, "{response:?}");
        assert_eq!(relay.after().1, Close, "{response:?}");
    }
    let incomplete = Event::Refused { reason: Refusal::IncompleteMessage, status: 400 };
    for (request, expected) in [("", Event::Closed), ("GE", incomplete.clone()), (POST, incomplete)]
    {
        let mut relay = relay(request, "");
        relay.forward_request();
        assert_eq!(relay.server.end_of_input(), expected, "{request:?}");
    }
}

#[test]
fn status_100_is_sent_once_and_only_when_it_is_awaited() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    let mut relay = relay(request, "");
    relay.forward_request();
    assert!(relay.server.waits_for_continue());
    relay.server.write_continue(&mut relay.to_client);
    relay.server.write_continue(&mut relay.to_client);
    assert_eq!(relay.to_client, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut impatient = self::relay(&format!("{request}a"), "");
    impatient.forward_request();
    assert!(!impatient.server.waits_for_continue(), "the body is there");
}

#[test]
fn a_draining_listener_ends_connections_with_the_next_response() {
    let mut relay = relay(GET, OK);
    relay.server.close_after_response();
    relay.forward_request();
    relay.forward_response();
    assert!(String::from_utf8_lossy(&relay.to_client).contains("\r\nConnection: close\r\n"));
    assert_eq!(relay.after(), (Close, Reuse));
}

#[test]
fn bounds_of_a_listener_are_those_of_its_options() {
    let limits = Limits { start_line_max: 14, ..Limits::REQUEST };
    let mut relay = Relay::new(ServerOptions { limits, ..ServerOptions::default() });
    relay.from_client = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    relay.forward_request();
    assert_eq!(relay.refused, Some((Refusal::StartLineTooLong, 414)));
}
