//! Bytes of heads in, the one reading or the reason of the refusal out.

use super::*;
use crate::{
    desync::{DesyncMitigation, Finding, Findings},
    diagnose::Kind,
    head::Head,
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
};

const MODES: [DesyncMitigation; 3] =
    [DesyncMitigation::Monitor, DesyncMitigation::Defensive, DesyncMitigation::Strictest];

fn parsed(bytes: &str, kind: Kind) -> Result<Head, Refusal> {
    let mut head = Head::default();
    let limits = if kind == Kind::Request { Limits::REQUEST } else { Limits::RESPONSE };
    let len = parse(bytes.as_bytes(), kind, &limits, &mut Progress::default(), &mut head)?;
    assert_eq!(len, Some(bytes.len()), "{bytes:?}");
    Ok(head)
}

fn read(bytes: &str, mode: DesyncMitigation) -> Result<RequestFraming, Refusal> {
    request(&parsed(bytes, Kind::Request)?, mode, Findings::default())
}

/// A request that every mode refuses for the same reason.
fn check_refused(bytes: &str, expected: Refusal, status: u16) {
    for mode in MODES {
        assert_eq!(read(bytes, mode), Err(expected), "{bytes:?} in mode {mode:?}");
    }
    assert_eq!(expected.status(), status, "{expected}");
}

/// A request with these fields behind a good start.
fn with(fields: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn start_lines_with_two_readings_are_refused() {
    let cases = [
        ("GET foo bar HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadVersion),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadTarget),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", Refusal::BareLf),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", Refusal::BareCr),
        ("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadStartLine),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::ControlInTarget),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadMethod),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadMethod),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadMethod),
        ("GET /\r\n\r\n", Refusal::BadStartLine),
        ("GET\r\n\r\n", Refusal::BadStartLine),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", Refusal::BadVersion),
        ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", Refusal::BadVersion),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Refusal::BadVersion),
        ("GET / HTTP/11\r\nHost: a\r\n\r\n", Refusal::BadVersion),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadStartLine),
        ("\u{16}\u{3}\u{1}\r\n\r\n", Refusal::BadMethod),
    ];
    for (bytes, expected) in cases {
        check_refused(bytes, expected, 400);
    }
    check_refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refusal::UnsupportedVersion, 505);
    check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::UnsupportedVersion, 505);
    check_refused("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", Refusal::MethodNotAllowed, 405);
    check_refused("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::MethodNotAllowed, 405);
}

#[test]
fn field_lines_with_two_readings_are_refused() {
    let cases = [
        ("X: a\n", Refusal::BareLf),
        ("X: a\r\n b\r\n", Refusal::ObsFold),
        ("X: a\r\n\tb\r\n", Refusal::ObsFold),
        ("X: a\rb\r\n", Refusal::BareCr),
        ("X: a\0b\r\n", Refusal::NulInValue),
        ("X: a\u{1}b\r\n", Refusal::ControlInValue),
        ("X: a\u{7f}b\r\n", Refusal::ControlInValue),
        ("X : a\r\n", Refusal::SpaceBeforeColon),
        ("X\t: a\r\n", Refusal::SpaceBeforeColon),
        ("Transfer-Encoding : chunked\r\n", Refusal::SpaceBeforeColon),
        ("X Y: a\r\n", Refusal::SpaceBeforeColon),
        (": a\r\n", Refusal::BadFieldName),
        ("X\r\n", Refusal::BadFieldName),
        ("X(: a\r\n", Refusal::BadFieldName),
        ("X\0: a\r\n", Refusal::BadFieldName),
        ("Ü: a\r\n", Refusal::BadFieldName),
    ];
    for (fields, expected) in cases {
        check_refused(&with(fields), expected, 400);
    }
    check_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Refusal::ObsFold, 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\n\n", Refusal::BareLf, 400);
}

#[test]
fn hosts_that_are_missing_or_repeated_are_refused() {
    check_refused("GET / HTTP/1.1\r\n\r\n", Refusal::MissingHost, 400);
    check_refused("GET http://a/ HTTP/1.1\r\n\r\n", Refusal::MissingHost, 400);
    check_refused(&with("Host: a\r\n"), Refusal::DuplicateHost, 400);
    check_refused(&with("hOsT: b\r\n"), Refusal::DuplicateHost, 400);
    check_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::DuplicateHost, 400);
    assert!(read("GET / HTTP/1.0\r\n\r\n", DesyncMitigation::Strictest).is_ok());
}

#[test]
fn lengths_that_are_no_number_are_refused() {
    let bad = [
        "",
        "+1",
        "-1",
        "1 2",
        "0x1",
        "1.0",
        "a",
        "18446744073709551616",
        ",",
        "1,",
        "99999999999999999999999",
    ];
    for value in bad {
        check_refused(
            &with(&format!("Content-Length: {value}\r\n")),
            Refusal::BadContentLength,
            400,
        );
    }
    for value in ["1, 2", "1\r\nContent-Length: 2", "1, 1\r\nContent-Length: 01, 3"] {
        let bytes = with(&format!("Content-Length: {value}\r\n"));
        check_refused(&bytes, Refusal::MultipleContentLength, 400);
    }
}

#[test]
fn transfer_codings_other_than_chunked_are_refused() {
    let bad = [
        "x, chunked",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "gzip",
        "identity",
        "",
        "chunked;q=1",
        "chunked,",
        "xchunked",
        "\"chunked\"",
    ];
    for value in bad {
        let bytes = with(&format!("Transfer-Encoding: {value}\r\n"));
        check_refused(&bytes, Refusal::BadTransferEncoding, 501);
    }
}

#[test]
fn bodies_of_requests_are_those_of_the_fields() {
    let cases = [
        ("", BodyLength::None),
        ("Content-Length: 0\r\n", BodyLength::Length(0)),
        ("Content-Length: 5\r\n", BodyLength::Length(5)),
        ("content-length:\t007 \r\n", BodyLength::Length(7)),
        ("Content-Length: 18446744073709551615\r\n", BodyLength::Length(u64::MAX)),
        ("Transfer-Encoding: chunked\r\n", BodyLength::Chunked),
        ("transfer-encoding: CHUNKED\r\n", BodyLength::Chunked),
    ];
    for (fields, body) in cases {
        let framing = read(&with(fields), DesyncMitigation::Strictest).expect(fields);
        assert_eq!(framing.body, body, "{fields:?}");
        assert!(framing.findings.is_empty() && framing.keep_alive, "{fields:?}");
    }
}

/// A request that modes judge differently: monitor passes it, with or without closing the connections.
fn check_judged(bytes: &str, finding: Finding, body: BodyLength) {
    use crate::desync::Severity;
    let severity = finding.severity();
    let monitored = read(bytes, DesyncMitigation::Monitor).expect(bytes);
    assert_eq!(monitored.body, body, "{bytes:?}");
    assert_eq!(monitored.findings.iter().collect::<Vec<_>>(), [finding], "{bytes:?}");
    assert_eq!(monitored.close_both, severity == Severity::Severe, "{bytes:?}");
    match read(bytes, DesyncMitigation::Defensive) {
        Ok(defended) => {
            assert!(severity < Severity::Severe, "{bytes:?}");
            assert_eq!(defended.body, body, "{bytes:?}");
            assert_eq!(defended.close_both, severity == Severity::Ambiguous, "{bytes:?}");
            assert_eq!(defended.keep_alive, !defended.close_both, "{bytes:?}");
        }
        Err(refusal) => {
            assert_eq!((refusal, severity), (finding.into(), Severity::Severe), "{bytes:?}");
        }
    }
    assert_eq!(read(bytes, DesyncMitigation::Strictest), Err(finding.into()), "{bytes:?}");
}

#[test]
fn deviations_are_judged_by_the_mode() {
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let cases = [
        (get("Content-Length: 0\r\n"), Finding::GetHeadZeroContentLength, BodyLength::None),
        (
            get("Content-Length: 3\r\n"),
            Finding::UndefinedContentLengthSemantics,
            BodyLength::Length(3),
        ),
        (
            get("Transfer-Encoding: chunked\r\n"),
            Finding::UndefinedTransferEncodingSemantics,
            BodyLength::Chunked,
        ),
        (with("Content-Length: 3, 3\r\n"), Finding::DuplicateContentLength, BodyLength::Length(3)),
        (
            with("Content-Length: 3\r\ncontent-length: 03\r\n"),
            Finding::DuplicateContentLength,
            BodyLength::Length(3),
        ),
        (with("Transfer_Encoding: chunked\r\n"), Finding::SuspiciousHeader, BodyLength::None),
        (with("ContentLength: 3\r\n"), Finding::SuspiciousHeader, BodyLength::None),
        (with("X: \u{e9}\r\n"), Finding::NonCompliantHeader, BodyLength::None),
        (
            with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
            Finding::BothTeClPresent,
            BodyLength::Chunked,
        ),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
                .to_owned(),
            Finding::TransferEncodingInOldVersion,
            BodyLength::Chunked,
        ),
        (with("Upgrade: websocket\r\n"), Finding::UpgradeWithoutConnection, BodyLength::None),
        (
            with("Upgrade: websocket\r\nConnection: keep-alive\r\n"),
            Finding::UpgradeWithoutConnection,
            BodyLength::None,
        ),
    ];
    for (bytes, finding, body) in cases {
        check_judged(&bytes, finding, body);
    }
}

#[test]
fn a_connection_persists_by_version_and_options() {
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ];
    for (bytes, keep_alive) in cases {
        let framing = read(bytes, DesyncMitigation::Strictest).expect(bytes);
        assert_eq!(framing.keep_alive, keep_alive, "{bytes:?}");
    }
}

#[test]
fn tunnels_need_one_protocol_and_no_body() {
    let cases = [
        ("Connection: upgrade\r\nUpgrade: websocket\r\n", true),
        ("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", true),
        ("Connection: upgrade\r\nUpgrade: foo/2\r\n", true),
        ("Connection: upgrade\r\nUpgrade: h2c\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: foo\r\n", false),
        ("Connection: upgrade\r\nUpgrade: foo/\r\n", false),
        ("Connection: upgrade\r\nUpgrade: \r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false),
        ("Connection: upgrade\r\n", false),
    ];
    for (fields, is_upgrade) in cases {
        let framing = read(&with(fields), DesyncMitigation::Strictest).expect(fields);
        assert_eq!(framing.is_upgrade, is_upgrade, "{fields:?}");
    }
    let old = "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert!(!read(old, DesyncMitigation::Strictest).expect(old).is_upgrade);
}

#[test]
fn continue_is_expected_only_before_a_body_in_http_11() {
    let cases = [
        (with("Expect: 100-continue\r\nContent-Length: 1\r\n"), true),
        (with("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"), true),
        (with("Expect: 100-continue\r\nContent-Length: 0\r\n"), false),
        (with("Expect: 100-continue\r\n"), false),
        (with("Expect: 200-ok\r\nContent-Length: 1\r\n"), false),
        ("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n".to_owned(), false),
    ];
    for (bytes, expected) in cases {
        let framing = read(&bytes, DesyncMitigation::Strictest).expect(&bytes);
        assert_eq!(framing.expects_continue, expected, "{bytes:?}");
    }
}
