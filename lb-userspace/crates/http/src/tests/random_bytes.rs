//! Random and mutated bytes: no panic, bounds hold, and every byte is consumed or left.

use proptest::prelude::*;

use super::relay::Relay;
use crate::{
    connection::{Event, ServerConnection, ServerOptions},
    limits::Limits,
};

const SMALL: Limits = Limits {
    start_line_max: 40,
    field_line_max: 30,
    head_max: 120,
    fields_max: 4,
    chunk_line_max: 10,
    chunk_extensions_max: 12,
    trailers_max: 40,
    interim_responses_max: 2,
};

/// Bytes that an engine has reasons to look at.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => Just(b"GET / HTTP/1.1\r\n".to_vec()), 1 => Just(b"POST /a HTTP/1.0\r\n".to_vec()),
        3 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()), 1 => Just(b"HTTP/1.1 100 C\r\n".to_vec()),
        3 => Just(b"Host: a\r\n".to_vec()), 4 => Just(b"\r\n".to_vec()), 1 => Just(b"\n".to_vec()),
        2 => Just(b"Transfer-Encoding: chunked\r\n".to_vec()), 2 => Just(b"Content-Length: 3\r\n".to_vec()),
        2 => Just(b"3\r\nabc\r\n".to_vec()), 2 => Just(b"0\r\n".to_vec()), 1 => Just(b"2;a\r\nab\r\n".to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

/// All events of a connection whose bytes arrive in pieces, and the content between them.
fn events(bytes: &[u8], pieces: &[usize]) -> (Vec<Event>, Vec<u8>, usize) {
    let mut server =
        ServerConnection::new(ServerOptions { limits: SMALL, ..ServerOptions::default() });
    let (mut events, mut content) = (Vec::new(), Vec::new());
    let (mut position, mut arrived) = (0, 0);
    for piece in pieces.iter().copied().chain([bytes.len()]) {
        arrived = bytes.len().min(arrived + piece);
        loop {
            let input = &bytes[position..arrived];
            let read = server.read(input);
            assert!(read.consumed <= input.len());
            position += read.consumed;
            let head = server.head();
            assert!(head.fields().len() <= SMALL.fields_max);
            assert!(head.method().len() + head.target().len() <= SMALL.start_line_max);
            match read.event {
                Event::NeedsMore => break,
                Event::Data(range) => content.extend_from_slice(&input[range]),
                event => {
                    let is_last = matches!(event, Event::Refused { .. });
                    events.push(event);
                    if is_last {
                        return (events, content, 0);
                    }
                }
            }
        }
        // Only an incomplete line or head may be left, which has a bound.
        if !matches!(events.last(), Some(Event::End)) {
            assert!(arrived - position < SMALL.head_max);
        }
    }
    (events, content, bytes.len() - position)
}

proptest! {
    #[test]
    fn pieces_do_not_change_the_events(
        mut bytes in bytes(),
        pieces in prop::collection::vec(0_usize..20, 0..30),
    ) {
        // So many bytes force a decision about what came before them.
        bytes.extend_from_slice(&[b'x'; 130]);
        let whole = events(&bytes, &[]);
        prop_assert_eq!(&events(&bytes, &pieces), &whole);
        prop_assert_eq!(&events(&bytes, &vec![1; bytes.len()]), &whole);
    }

    #[test]
    fn every_byte_is_consumed_or_left(from_client in bytes(), from_target in bytes()) {
        let mut relay = Relay::new(ServerOptions { limits: SMALL, ..ServerOptions::default() });
        relay.from_client = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        relay.from_client.extend_from_slice(&from_client);
        relay.from_target.clone_from(&from_target);
        relay.forward_request();
        prop_assert_eq!(&relay.from_client, &from_client);
        let event = relay.forward_response();
        prop_assert!(from_target.ends_with(&relay.from_target));
        if event == Event::NeedsMore {
            prop_assert!(relay.from_target.len() < Limits::RESPONSE.head_max);
        }
    }

    #[test]
    fn bytes_without_any_sense_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut relay = Relay::new(ServerOptions::default());
        relay.from_client.clone_from(&bytes);
        relay.forward_request();
        relay.server.end_of_input();
        let mut relay = Relay::new(ServerOptions::default());
        relay.from_client = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        relay.from_target = bytes;
        relay.forward_request();
        relay.forward_response();
        relay.end_of_target();
    }
}
