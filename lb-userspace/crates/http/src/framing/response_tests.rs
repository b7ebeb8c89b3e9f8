//! Heads of responses in, the one reading or the reason of the refusal out.

use super::*;
use crate::{
    desync::Finding,
    diagnose::Kind,
    head::Head,
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Get,
    Head,
    Upgrade,
}

fn read(bytes: &str, asked: Asked) -> Result<ResponseFraming, Refusal> {
    let mut head = Head::default();
    let progress = &mut Progress::default();
    let len = parse(bytes.as_bytes(), Kind::Response, &Limits::RESPONSE, progress, &mut head)?;
    assert_eq!(len, Some(bytes.len()), "{bytes:?}");
    response(&head, asked == Asked::Head, asked == Asked::Upgrade)
}

fn check(start: &str, asked: Asked, body: BodyLength, keep_alive: bool) {
    let framing = read(&format!("{start}\r\n\r\n"), asked).expect(start);
    assert_eq!((framing.body, framing.keep_alive), (body, keep_alive), "{start:?} to {asked:?}");
}

#[test]
fn bodies_of_responses_follow_from_request_and_status() {
    use BodyLength::{Chunked, Length, None, UntilClose};
    check("HTTP/1.1 200 OK\r\nContent-Length: 5", Asked::Get, Length(5), true);
    check("HTTP/1.1 200 OK\r\nContent-Length: 0", Asked::Get, Length(0), true);
    check("HTTP/1.1 200 OK\r\nContent-Length: 5, 5", Asked::Get, Length(5), true);
    check("HTTP/1.1 200\r\nContent-Length: 5", Asked::Get, Length(5), true);
    check("HTTP/1.1 200 \r\nContent-Length: 5", Asked::Get, Length(5), true);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", Asked::Get, Chunked, true);
    check("HTTP/1.1 200 OK", Asked::Get, UntilClose, false);
    check("HTTP/1.0 200 OK\r\nConnection: keep-alive", Asked::Get, UntilClose, false);
    check("HTTP/1.0 200 OK\r\nContent-Length: 5", Asked::Get, Length(5), false);
    check(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5",
        Asked::Get,
        Length(5),
        true,
    );
    check(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5",
        Asked::Get,
        Length(5),
        false,
    );
    check("HTTP/1.1 200 OK\r\nContent-Length: 5", Asked::Head, None, true);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", Asked::Head, None, true);
    check("HTTP/1.1 200 OK", Asked::Head, None, true);
    check("HTTP/1.1 204 No Content", Asked::Get, None, true);
    check("HTTP/1.1 204 No Content\r\nContent-Length: 0", Asked::Get, None, true);
    check("HTTP/1.1 204 No Content\r\nContent-Length: 5", Asked::Get, None, false);
    check("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked", Asked::Get, None, false);
    check("HTTP/1.1 304 Not Modified\r\nContent-Length: 5", Asked::Get, None, true);
    check("HTTP/1.1 404 Not Found\r\nContent-Length: 5", Asked::Upgrade, Length(5), true);
    check("HTTP/1.1 101 Switching Protocols", Asked::Upgrade, None, true);
    check("HTTP/1.1 103 Early Hints\r\nLink: a", Asked::Get, None, true);
}

#[test]
fn a_head_without_a_body_keeps_its_stated_length() {
    let stated = |start: &str, asked| {
        let framing = read(&format!("{start}\r\nContent-Length: 5\r\n\r\n"), asked).expect(start);
        framing.stated_length
    };
    assert_eq!(stated("HTTP/1.1 200 OK", Asked::Head), Some(5));
    assert_eq!(stated("HTTP/1.1 304 Not Modified", Asked::Get), Some(5));
    assert_eq!(stated("HTTP/1.1 204 No Content", Asked::Get), None);
}

#[test]
fn interim_responses_and_upgrades_are_told_apart() {
    let flags = |bytes: &str, asked| {
        let framing = read(bytes, asked).expect(bytes);
        (framing.is_interim, framing.is_upgrade)
    };
    assert_eq!(flags("HTTP/1.1 100 Continue\r\n\r\n", Asked::Get), (true, false));
    assert_eq!(flags("HTTP/1.1 103 Early Hints\r\n\r\n", Asked::Upgrade), (true, false));
    assert_eq!(flags("HTTP/1.1 101 Switching Protocols\r\n\r\n", Asked::Upgrade), (false, true));
    assert_eq!(flags("HTTP/1.1 200 OK\r\n\r\n", Asked::Upgrade), (false, false));
}

#[test]
fn responses_with_two_readings_are_refused() {
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
            Refusal::MultipleContentLength,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: +5", Refusal::BadContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length:", Refusal::BadContentLength),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            Refusal::Desync(Finding::BothTeClPresent),
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
            Refusal::Desync(Finding::TransferEncodingInOldVersion),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", Refusal::BadTransferEncoding),
        ("HTTP/1.1 101 Switching Protocols", Refusal::UnexpectedUpgrade),
        ("HTTP/1.1 099 X", Refusal::BadStatus),
        ("HTTP/1.1 600 X", Refusal::BadStatus),
        ("HTTP/1.1 2000 X", Refusal::BadStatus),
        ("HTTP/1.1 20 X", Refusal::BadStatus),
        ("HTTP/1.1  200 X", Refusal::BadStatus),
        ("HTTP/1.1 200 X\u{1}", Refusal::BadStatus),
        ("HTTP/1.1", Refusal::BadStatus),
        ("HTTP/1.2 200 OK", Refusal::UnsupportedVersion),
        ("HTTP/1.1 200 OK\n", Refusal::BareLf),
        ("HTTP/1.1 200 O\rK", Refusal::BareCr),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b", Refusal::ObsFold),
        ("HTTP/1.1 200 OK\r\nX : a", Refusal::SpaceBeforeColon),
        ("ICY 200 OK", Refusal::BadVersion),
    ];
    for (start, expected) in cases {
        assert_eq!(read(&format!("{start}\r\n\r\n"), Asked::Get), Err(expected), "{start:?}");
    }
}
