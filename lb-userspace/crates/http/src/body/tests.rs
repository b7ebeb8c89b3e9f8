//! Bytes of bodies in, content and trailers out; any pieces of the same bytes give the same.

use proptest::prelude::*;

use super::*;

/// What a decoder has made of all bytes.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    content: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the body has ended, or why it is refused.
    end: Result<bool, Refusal>,
    /// Bytes behind the body.
    left: Vec<u8>,
}

/// Decodes bytes that arrive in pieces of these lengths; the rest arrives at once.
fn decode(length: BodyLength, bytes: &[u8], pieces: &[usize], limits: &Limits) -> Outcome {
    let mut decoder = BodyDecoder::new(length);
    let mut trailers = Head::default();
    let mut outcome =
        Outcome { content: Vec::new(), trailers: Vec::new(), end: Ok(false), left: Vec::new() };
    let (mut start, mut arrived) = (0, 0);
    for piece in pieces.iter().copied().chain([bytes.len()]) {
        arrived = bytes.len().min(arrived + piece);
        loop {
            let input = &bytes[start..arrived];
            let step = match decoder.decode(input, limits, &mut trailers) {
                Ok(step) => step,
                Err(refusal) => {
                    outcome.end = Err(refusal);
                    return outcome;
                }
            };
            assert!(step.consumed <= input.len());
            match step.piece {
                Piece::Data(range) => {
                    assert!(!range.is_empty() && range.end == step.consumed);
                    outcome.content.extend_from_slice(&input[range]);
                }
                Piece::Trailers => {
                    let fields = trailers.fields();
                    outcome.trailers =
                        fields.map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
                }
                Piece::End => outcome.end = Ok(true),
                Piece::NeedsMore => {
                    start += step.consumed;
                    break;
                }
            }
            start += step.consumed;
        }
    }
    outcome.left = bytes[start..].to_vec();
    outcome
}

/// A chunked body that is complete.
fn check(bytes: &str, content: &str, trailers: &[(&str, &str)], left: &str) {
    let outcome = decode(BodyLength::Chunked, bytes.as_bytes(), &[], &Limits::REQUEST);
    assert_eq!(outcome.end, Ok(true), "{bytes:?}");
    assert_eq!(String::from_utf8_lossy(&outcome.content), content, "{bytes:?}");
    assert_eq!(String::from_utf8_lossy(&outcome.left), left, "{bytes:?}");
    let bytes_of =
        |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!(outcome.trailers, trailers.iter().map(bytes_of).collect::<Vec<_>>(), "{bytes:?}");
}

#[test]
fn chunks_are_joined_and_extensions_ignored() {
    check("0\r\n\r\n", "", &[], "");
    check("3\r\nabc\r\n0\r\n\r\n", "abc", &[], "");
    check("3\r\nabc\r\n2;x=y\r\nde\r\n00;z\r\n\r\nGET", "abcde", &[], "GET");
    check("1\r\n\n\r\n0\r\n\r\n\r\n", "\n", &[], "\r\n");
    check("0\r\nA: b\r\nC: d \r\n\r\nX", "", &[("A", "b"), ("C", "d")], "X");
}

#[test]
fn chunks_that_break_a_rule_are_refused() {
    let long_line = format!("1;{}\r\na\r\n", "x".repeat(255));
    let many_extensions = format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(82);
    let long_trailers = format!("0\r\n{}", "A: 3456789\r\n".repeat(64));
    let many_trailers = format!("0\r\n{}", "A: b\r\n".repeat(200));
    let limits = Limits { trailers_max: 700, ..Limits::REQUEST };
    let cases = [
        ("\r\n", Refusal::BadChunkSize),
        ("x\r\n", Refusal::BadChunkSize),
        ("1\na", Refusal::BareLf),
        ("1 \r\na", Refusal::BadChunkSize),
        ("1;\r\na", Refusal::BadChunkExtension),
        ("1;a\nb\r\n", Refusal::BareLf),
        ("1\r\nab", Refusal::BadChunkEnd),
        ("1\r\na\n", Refusal::BadChunkEnd),
        ("1\r\na\rb", Refusal::BadChunkEnd),
        ("0\r\n\n", Refusal::BareLf),
        ("0\r\nA: b\n\r\n", Refusal::BareLf),
        ("0\r\nA : b\r\n\r\n", Refusal::SpaceBeforeColon),
        ("0\r\n A: b\r\n\r\n", Refusal::ObsFold),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", Refusal::SpaceBeforeColon),
        ("fffffffffffffffff\r\n", Refusal::BadChunkSize),
        (&long_line, Refusal::ChunkLineTooLong),
        (&many_extensions, Refusal::ChunkExtensionsTooLong),
        (&long_trailers, Refusal::TrailersTooLong),
        (&many_trailers, Refusal::TooManyFields),
    ];
    for (bytes, expected) in cases {
        let limits = if bytes == many_trailers { &Limits::REQUEST } else { &limits };
        let outcome = decode(BodyLength::Chunked, bytes.as_bytes(), &[], limits);
        assert_eq!(outcome.end, Err(expected), "{bytes:?}");
    }
}

#[test]
fn a_body_ends_by_its_length_or_by_the_connection() {
    let cases: [(BodyLength, &str, &str, bool, bool); 6] = [
        (BodyLength::None, "abc", "", true, true),
        (BodyLength::Length(0), "abc", "", true, true),
        (BodyLength::Length(2), "abc", "ab", true, true),
        (BodyLength::Length(4), "abc", "abc", false, false),
        (BodyLength::UntilClose, "abc", "abc", false, true),
        (BodyLength::Chunked, "3\r\nabc\r\n", "abc", false, false),
    ];
    for (length, bytes, content, is_ended, may_close) in cases {
        let outcome = decode(length, bytes.as_bytes(), &[], &Limits::RESPONSE);
        assert_eq!(outcome.content, content.as_bytes(), "{length:?}");
        assert_eq!(outcome.end, Ok(is_ended), "{length:?}");
        let mut decoder = BodyDecoder::new(length);
        let mut input = bytes.as_bytes();
        while let Ok(Decoded { consumed, piece }) =
            decoder.decode(input, &Limits::RESPONSE, &mut Head::default())
        {
            input = &input[consumed..];
            if piece == Piece::NeedsMore {
                break;
            }
        }
        assert_eq!(decoder.end_of_input().is_ok(), may_close, "{length:?}");
    }
}

#[test]
fn an_encoder_keeps_to_what_its_head_says() {
    let frames = |length, lens: &[usize]| -> Result<(), WriteError> {
        let mut encoder = BodyEncoder::new(length);
        for len in lens {
            encoder.frame(*len)?;
        }
        encoder.end(b"", &mut Vec::new())
    };
    assert_eq!(frames(BodyLength::Length(5), &[2, 3]), Ok(()));
    assert_eq!(frames(BodyLength::Length(5), &[2, 4]), Err(WriteError::TooManyBytes));
    assert_eq!(frames(BodyLength::Length(5), &[2, 2]), Err(WriteError::TooFewBytes));
    assert_eq!(frames(BodyLength::None, &[0]), Ok(()));
    assert_eq!(frames(BodyLength::None, &[1]), Err(WriteError::TooManyBytes));
    assert_eq!(frames(BodyLength::Chunked, &[1, 0, 1 << 40]), Ok(()));
    assert_eq!(frames(BodyLength::UntilClose, &[1]), Ok(()));
}

/// Bytes that look like chunks, often with one error.
fn chunk_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => Just("3\r\nabc\r\n"), 2 => Just("1;x=\"y\"\r\n\n\r\n"), 4 => Just("0\r\n"), 2 => Just("A: b\r\n"),
        4 => Just("\r\n"), 1 => Just("\n"), 1 => Just("f"), 1 => Just(" "), 1 => Just("\r"),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_outcome(
        mut bytes in chunk_like(),
        pieces in prop::collection::vec(0_usize..6, 0..40),
    ) {
        // A line that is too long forces a decision about what came before it.
        bytes.extend_from_slice(&[b'x'; 40]);
        let limits = Limits { trailers_max: 20, fields_max: 2, chunk_line_max: 10, ..Limits::REQUEST };
        for length in [BodyLength::Chunked, BodyLength::Length(7), BodyLength::UntilClose] {
            let whole = decode(length, &bytes, &[], &limits);
            prop_assert_eq!(&decode(length, &bytes, &pieces, &limits), &whole);
            prop_assert_eq!(&decode(length, &bytes, &vec![1; bytes.len()], &limits), &whole);
        }
    }

    #[test]
    fn what_is_encoded_in_chunks_is_decoded_again(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        pieces in prop::collection::vec(0_usize..50, 0..40),
    ) {
        let mut encoder = BodyEncoder::new(BodyLength::Chunked);
        let mut bytes = Vec::new();
        for content in &contents {
            let frame = encoder.frame(content.len()).expect("chunks have no bound");
            bytes.extend_from_slice(frame.prefix());
            bytes.extend_from_slice(content);
            bytes.extend_from_slice(frame.suffix());
        }
        encoder.end(b"A: b\r\n", &mut bytes).expect("the first end");
        bytes.extend_from_slice(b"next");
        let outcome = decode(BodyLength::Chunked, &bytes, &pieces, &Limits::REQUEST);
        let expected = Outcome {
            content: contents.concat(),
            trailers: vec![(b"A".to_vec(), b"b".to_vec())],
            end: Ok(true),
            left: b"next".to_vec(),
        };
        prop_assert_eq!(outcome, expected);
    }
}
