//! Pieces and bounds: the same bytes give the same head, whatever their pieces are.

use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    start_line_max: 20,
    field_line_max: 12,
    head_max: 64,
    fields_max: 3,
    trailers_max: 30,
    ..Limits::REQUEST
};

fn outcome(parsed: Result<Option<usize>, Refusal>) -> Result<usize, Option<Refusal>> {
    parsed.map_err(Some)?.ok_or(None)
}

/// Parses bytes at once and byte by byte; gives the length of the head, its refusal, or that it is incomplete.
fn parsed(bytes: &[u8], kind: Kind, limits: &Limits) -> Result<usize, Option<Refusal>> {
    let mut whole = Head::default();
    let at_once = outcome(parse(bytes, kind, limits, &mut Progress::default(), &mut whole));
    let mut head = Head::default();
    let mut progress = Progress::default();
    let mut pieces = Err(None);
    for end in 1..=bytes.len() {
        pieces = outcome(parse(&bytes[..end], kind, limits, &mut progress, &mut head));
        if pieces != Err(None) {
            break;
        }
    }
    let text = String::from_utf8_lossy(bytes);
    // A refusal may come as soon as the head ends; one that is incomplete is refused when all is there.
    if !(pieces == Err(None) && matches!(at_once, Err(Some(_)))) {
        assert_eq!(pieces, at_once, "{text:?}");
    }
    if at_once.is_ok() {
        assert_eq!(whole, head, "{text:?}");
    }
    at_once
}

#[test]
fn a_head_ends_at_the_empty_line_and_no_sooner() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(parsed(request, Kind::Request, &SMALL), Ok(request.len()));
    for end in 1..request.len() {
        assert_eq!(parsed(&request[..end], Kind::Request, &SMALL), Err(None), "{end}");
    }
    let mut more = request.to_vec();
    more.extend_from_slice(b"\0\n:");
    assert_eq!(parsed(&more, Kind::Request, &SMALL), Ok(request.len()));
    assert_eq!(parsed(b"GET / HTTP/1.1\r\n\r\n", Kind::Request, &SMALL), Ok(18));
    assert_eq!(parsed(b"HTTP/1.1 200 OK\r\n\r\n", Kind::Response, &SMALL), Ok(19));
    assert_eq!(parsed(b"\r\n", Kind::Trailers, &SMALL), Ok(2));
    assert_eq!(parsed(b"A: b\r\n\r\nC", Kind::Trailers, &SMALL), Ok(8));
    assert_eq!(parsed(b"\n", Kind::Trailers, &SMALL), Err(Some(Refusal::BareLf)));
}

#[test]
fn parts_of_a_head_are_where_they_came() {
    let bytes = b"PUT /a?b HTTP/1.0\r\nHost:\ta \r\nX:\r\nY:  \r\n\r\n";
    let mut head = Head::default();
    let len = parse(bytes, Kind::Request, &Limits::REQUEST, &mut Progress::default(), &mut head);
    assert_eq!(len, Ok(Some(bytes.len())));
    assert_eq!((head.method(), head.target()), (&b"PUT"[..], &b"/a?b"[..]));
    assert_eq!(head.version(), Version::Http10);
    let fields: Vec<_> = head.fields().map(|field| (field.name, field.value, field.line)).collect();
    let expected: [(&[u8], &[u8], &[u8]); 3] =
        [(b"Host", b"a", b"Host:\ta \r\n"), (b"X", b"", b"X:\r\n"), (b"Y", b"", b"Y:  \r\n")];
    assert_eq!(fields, expected);
    assert_eq!(head.named("hOST").collect::<Vec<_>>(), [b"a"]);
    assert_eq!(head.values(FieldName::Host).count(), 1);
}

#[test]
fn each_bound_holds_to_the_byte() {
    let request = |target: usize, fields: &str| {
        format!("GET /{} HTTP/1.1\r\n{fields}\r\n", "a".repeat(target)).into_bytes()
    };
    let cases = [
        (request(6, ""), None),
        (request(7, ""), Some(Refusal::StartLineTooLong)),
        (request(0, "X: 456789012\r\n"), None),
        (request(0, "X: 4567890123\r\n"), Some(Refusal::FieldLineTooLong)),
        (request(0, "X: 456789\r\nY: 4567890123\r\n"), Some(Refusal::FieldLineTooLong)),
        (request(0, "A: b\r\nA: b\r\nA: b\r\n"), None),
        (request(0, "A: b\r\nA: b\r\nA: b\r\nA: b\r\n"), Some(Refusal::TooManyFields)),
        (request(6, "X: 456789012\r\nX: 456789012\r\nA: 4567890\r\n"), None),
        (request(6, "X: 456789012\r\nX: 456789012\r\nA: 45678901\r\n"), Some(Refusal::HeadTooLong)),
    ];
    for (bytes, expected) in cases {
        let refusal = parsed(&bytes, Kind::Request, &SMALL).err().flatten();
        assert_eq!(refusal, expected, "{:?}", String::from_utf8_lossy(&bytes));
    }
    let trailers = parsed(b"A: 456789012\r\nA: 456789012\r\n\r\n", Kind::Trailers, &SMALL);
    assert_eq!(trailers, Ok(30));
    let trailers = parsed(b"A: 456789012\r\nA: 456789012\r\nB", Kind::Trailers, &SMALL);
    assert_eq!(trailers, Err(None));
    let trailers = parsed(b"A: 456789012\r\nA: 456789012\r\nB:", Kind::Trailers, &SMALL);
    assert_eq!(trailers, Err(Some(Refusal::TrailersTooLong)));
}

#[test]
fn an_endless_line_is_refused_before_it_ends() {
    let endless = [
        (b"GET /".to_vec(), Refusal::StartLineTooLong),
        (b"GET / HTTP/1.1\r\nX: ".to_vec(), Refusal::FieldLineTooLong),
        (b"GET / HTTP/1.1\r\nX".to_vec(), Refusal::FieldLineTooLong),
    ];
    for (start, expected) in endless {
        let mut bytes = start;
        let mut progress = Progress::default();
        let refusal = (0..64).find_map(|_| {
            bytes.push(b'a');
            parse(&bytes, Kind::Request, &SMALL, &mut progress, &mut Head::default()).err()
        });
        assert_eq!(refusal, Some(expected));
        assert!(bytes.len() < SMALL.head_max);
    }
}

#[test]
fn the_first_broken_rule_is_named() {
    let cases = [
        ("GET / HTTP/1.1\r\nX : a\r\nY: \0\r\n\r\n", Refusal::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nY: \0\r\nX : a\r\n\r\n", Refusal::NulInValue),
        ("GET /\u{1} HTTP/2.0\r\n\r\n", Refusal::ControlInTarget),
        ("GET / HTTP/1.1\r\nX: a\n\r\n\r\n", Refusal::BareLf),
    ];
    for (bytes, expected) in cases {
        let refusal = parsed(bytes.as_bytes(), Kind::Request, &SMALL);
        assert_eq!(refusal, Err(Some(expected)), "{bytes:?}");
    }
}

/// Bytes that look like a head, often with one error.
fn head_like(start: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        6 => Just(start), 6 => Just("A: b"), 8 => Just("\r\n"), 2 => Just("\n"), 2 => Just("\r"), 1 => Just(" "),
        1 => Just("\0"), 1 => Just(":"), 1 => Just("x"), 1 => Just("HTTP/1."), 1 => Just("\t"), 1 => Just("\u{e9}"),
    ];
    prop::collection::vec(part, 0..8)
        .prop_map(move |parts| [start, &parts.concat()].concat().into_bytes())
}

/// What bytes that arrive in pieces give.
fn in_pieces(bytes: &[u8], pieces: &[usize], kind: Kind) -> (Result<Option<usize>, Refusal>, Head) {
    let (mut head, mut progress, mut arrived) = (Head::default(), Progress::default(), 0);
    for piece in pieces.iter().copied().chain([bytes.len()]) {
        arrived = bytes.len().min(arrived + piece);
        match parse(&bytes[..arrived], kind, &SMALL, &mut progress, &mut head) {
            Ok(None) => {}
            Ok(len) => return (Ok(len), head),
            Err(refusal) => return (Err(refusal), Head::default()),
        }
    }
    (Ok(None), Head::default())
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_head(
        request in head_like("GET / HTTP/1.1"),
        response in head_like("HTTP/1.1 200 OK"),
        trailers in head_like("A: b"),
        pieces in prop::collection::vec(0_usize..9, 0..40),
    ) {
        let cases =
            [(request, Kind::Request), (response, Kind::Response), (trailers, Kind::Trailers)];
        for (mut bytes, kind) in cases {
            // A line that is too long forces a decision about what came before it.
            bytes.extend_from_slice(&[b'x'; 70]);
            let whole = in_pieces(&bytes, &[], kind);
            prop_assert_ne!(&whole.0, &Ok(None));
            prop_assert_eq!(&in_pieces(&bytes, &pieces, kind), &whole);
            prop_assert_eq!(&in_pieces(&bytes, &[1; 140], kind), &whole);
        }
    }
}
