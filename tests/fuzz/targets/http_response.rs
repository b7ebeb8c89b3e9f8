//! Bytes of a target, as the answer to `GET` or `HEAD`.
//!
//! An input is the length of the pieces (1 byte; the answer is to `HEAD` when it is odd) and the bytes.
#![no_main]

use lb_http::{
    connection::{ClientConnection, Event, ServerConnection, ServerOptions},
    encode::RequestToForward,
    field_edits::FieldEdits,
    forwarded::{ForwardedPolicy, Scheme, Source},
    limits::Limits,
};
use libfuzzer_sys::fuzz_target;

/// A connection to a target that has been asked.
fn asked(request: &[u8]) -> ClientConnection {
    let mut server = ServerConnection::new(ServerOptions::default());
    assert_eq!(server.read(request).event, Event::Head);
    let mut client = ClientConnection::new(Limits::RESPONSE);
    let request = RequestToForward {
        head: server.head(),
        framing: server.framing(),
        uri: server.uri(),
        default_host: "default.example",
        source: &Source::new(([192, 0, 2, 1], 1024).into(), Scheme::Http, 80),
        forwarded: ForwardedPolicy::default(),
        trace_id: None,
        edits: &FieldEdits::default(),
        preserve_host: false,
        certificate: None,
        drop_invalid_fields: false,
    };
    let mut written = Vec::new();
    client.write_request(&request, &mut written).expect("an idle connection");
    client.write_end(None, &mut written).expect("a request without a body");
    client
}

fn events(request: &[u8], bytes: &[u8], piece: usize) -> (Vec<Event>, Vec<u8>) {
    let mut client = asked(request);
    let (mut events, mut content) = (Vec::new(), Vec::new());
    let (mut position, mut arrived) = (0, 0);
    while arrived < bytes.len() {
        arrived = bytes.len().min(arrived + piece);
        loop {
            let input = &bytes[position..arrived];
            let read = client.read(input);
            assert!(read.consumed <= input.len(), "more consumed than there is");
            position += read.consumed;
            match read.event {
                Event::NeedsMore => break,
                Event::Data(range) => content.extend_from_slice(&input[range]),
                event @ (Event::Refused { .. } | Event::Closed | Event::Tunnel | Event::End) => {
                    events.push(event);
                    return (events, content);
                }
                event => events.push(event),
            }
        }
    }
    events.push(client.end_of_input());
    (events, content)
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let request: &[u8] = if piece % 2 == 1 {
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    } else {
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    };
    let whole = events(request, bytes, bytes.len().max(1));
    let pieces = events(request, bytes, usize::from(*piece).max(1));
    if !whole.0.iter().any(|event| matches!(event, Event::Refused { .. })) {
        assert_eq!(pieces, whole, "pieces of {piece} bytes are read in another way");
    }
});
