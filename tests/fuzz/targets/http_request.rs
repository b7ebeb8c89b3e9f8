//! Bytes of a client: the events do not depend on the pieces in which they arrive, and where `httparse` reads
//! a head as well, it reads the same one.
//!
//! An input is the length of the pieces (1 byte) and the bytes.
#![no_main]

use lb_http::connection::{Event, ServerConnection, ServerOptions};
use libfuzzer_sys::fuzz_target;

/// The head as somebody reads it: method, target, and fields.
type HeadParts = (Vec<u8>, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn head_parts(server: &ServerConnection) -> HeadParts {
    let head = server.head();
    let fields = head.fields().map(|field| (field.name.to_vec(), field.value.to_vec()));
    (head.method().to_vec(), head.target().to_vec(), fields.collect())
}

/// All events until the bytes end or are refused, with the content, and the first head.
fn events(bytes: &[u8], piece: usize) -> (Vec<Event>, Vec<u8>, Option<HeadParts>) {
    let mut server = ServerConnection::new(ServerOptions::default());
    let (mut events, mut content, mut first) = (Vec::new(), Vec::new(), None);
    let (mut position, mut arrived) = (0, 0);
    while arrived < bytes.len() {
        arrived = bytes.len().min(arrived + piece);
        loop {
            let input = &bytes[position..arrived];
            let read = server.read(input);
            assert!(read.consumed <= input.len(), "more consumed than there is");
            position += read.consumed;
            match read.event {
                Event::NeedsMore => break,
                Event::Data(range) => content.extend_from_slice(&input[range]),
                event @ (Event::Refused { .. } | Event::Closed | Event::Tunnel) => {
                    events.push(event);
                    return (events, content, first);
                }
                event => {
                    if event == Event::Head && first.is_none() {
                        first = Some(head_parts(&server));
                    }
                    let ended = event == Event::End;
                    events.push(event);
                    if ended {
                        // Nobody answers, so the next request is not read.
                        return (events, content, first);
                    }
                }
            }
        }
    }
    (events, content, first)
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let whole = events(bytes, bytes.len().max(1));
    let pieces = events(bytes, usize::from(*piece).max(1));
    // A refusal can come before bytes that were sent with its cause.
    if !whole.0.iter().any(|event| matches!(event, Event::Refused { .. })) {
        assert_eq!(pieces, whole, "pieces of {piece} bytes are read in another way");
    }
    if let Some((method, target, fields)) = whole.2 {
        let mut storage = [httparse::EMPTY_HEADER; 128];
        let mut other = httparse::Request::new(&mut storage);
        if let Ok(httparse::Status::Complete(_)) = other.parse(bytes) {
            assert_eq!(other.method.map(str::as_bytes), Some(&*method), "method");
            assert_eq!(other.path.map(str::as_bytes), Some(&*target), "target");
            let others = other.headers.iter().map(|field| (field.name.as_bytes(), field.value));
            let own = fields.iter().map(|(name, value)| (&**name, &**value));
            assert!(own.eq(others), "fields");
        }
    }
});
