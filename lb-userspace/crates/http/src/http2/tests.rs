//! Heads of HTTP/2, and what targets and clients get of them.

use super::*;
use crate::{
    client_certificate::CertificateFields,
    desync::Finding,
    encode::RequestToForward,
    field_edits::FieldEdits,
    forwarded::{ForwardedPolicy, Scheme, Source},
    framing::BodyLength,
    http2::target::{Http2ResponseHead, asks_for_websocket, request_fields},
};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn read(
    method: &str,
    authority: Option<&str>,
    path: &str,
    fields: Fields<'_>,
    is_end: bool,
) -> Result<Http2Request, Refusal> {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let request = Http2Head { method, authority, path, fields: &fields, is_end, tunnel: None };
    Http2Request::read(request, &ServerOptions::default())
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// An extended CONNECT for a protocol.
fn connect(protocol: &str, fields: Fields<'_>, is_end: bool) -> Result<Http2Request, Refusal> {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let tunnel = Some(Http2Tunnel { protocol, key: KEY });
    let (method, authority, path) = ("CONNECT", Some("shop.example"), "/chat?a");
    let request = Http2Head { method, authority, path, fields: &fields, is_end, tunnel };
    Http2Request::read(request, &ServerOptions::default())
}

fn lines(head: &Head) -> Vec<String> {
    head.fields().map(|field| String::from_utf8_lossy(field.line).trim().to_owned()).collect()
}

#[test]
fn a_request_becomes_one_of_http1() {
    let fields = [("accept", "*/*"), ("cookie", "a=1"), ("te", "trailers"), ("cookie", "b=2")];
    let request = read("GET", Some("Shop.example:443"), "/a/../b?c", &fields, true).unwrap();
    let expected = ["Host: Shop.example:443", "accept: */*", "te: trailers", "Cookie: a=1; b=2"];
    assert_eq!(lines(&request.head), expected);
    assert_eq!(request.uri.path_and_query(), "/b?c");
    assert_eq!(request.uri.host().unwrap().name(), "shop.example");
    assert_eq!(request.framing.body, BodyLength::None);
}

#[test]
fn a_body_without_a_length_is_chunked() {
    let body = |fields: Fields<'_>, is_end| {
        read("POST", Some("a"), "/", fields, is_end).unwrap().framing.body
    };
    assert_eq!(body(&[], false), BodyLength::Chunked);
    assert_eq!(body(&[("content-length", "3")], false), BodyLength::Length(3));
    assert_eq!(body(&[], true), BodyLength::None);
    let get = read("GET", Some("a"), "/", &[], false).unwrap();
    assert_eq!(get.framing.body, BodyLength::Chunked);
    assert!(get.framing.findings.contains(Finding::UndefinedTransferEncodingSemantics));
}

#[test]
fn the_authority_wins_over_the_host_field() {
    let request = read("GET", Some("a"), "/", &[("host", "b")], true).unwrap();
    assert_eq!(request.uri.host().unwrap().name(), "a");
    let request = read("GET", None, "/", &[("host", "b")], true).unwrap();
    assert_eq!(request.uri.host().unwrap().name(), "b");
}

#[test]
fn what_would_break_a_head_of_http1_is_refused() {
    let cases: &[(&str, Option<&str>, &str, Fields<'_>, Refusal)] = &[
        ("GET", None, "/", &[], Refusal::MissingHost),
        ("GET", Some("u@a"), "/", &[], Refusal::UserInfo),
        ("GET", Some("a"), "/a b", &[], Refusal::BadTarget),
        ("GET", Some("a"), "/ HTTP/1.1\r\nX: y", &[], Refusal::BadTarget),
        ("GET", Some("a"), "http://b/", &[], Refusal::BadTarget),
        ("GET", Some("a"), "", &[], Refusal::BadTarget),
        ("G ET", Some("a"), "/", &[], Refusal::BadTarget),
        ("CONNECT", Some("a"), "/", &[], Refusal::MethodNotAllowed),
        ("GET", Some("a\r\nX: y"), "/", &[], Refusal::ControlInValue),
        ("GET", Some("a"), "/", &[("x", "a\r\nHost: b")], Refusal::ControlInValue),
        ("GET", Some("a"), "/", &[("x", "a\0")], Refusal::ControlInValue),
        ("GET", Some("a"), "/", &[("x: y\r\nz", "a")], Refusal::BadFieldName),
        ("GET", Some("a"), "/", &[("", "a")], Refusal::BadFieldName),
        ("GET", Some("a"), "/", &[("connection", "close")], Refusal::BadFieldName),
        ("GET", Some("a"), "/", &[("upgrade", "x")], Refusal::BadFieldName),
        ("POST", Some("a"), "/", &[("transfer-encoding", "chunked")], Refusal::BadFieldName),
        ("GET", Some("a"), "/", &[("te", "gzip")], Refusal::BadFieldName),
        ("POST", Some("a"), "/", &[("content-length", "+1")], Refusal::BadContentLength),
    ];
    for (method, authority, path, fields, expected) in cases {
        let found = read(method, *authority, path, fields, true);
        assert_eq!(found.err(), Some(*expected), "{method} {authority:?} {path:?} {fields:?}");
    }
}

#[test]
fn blanks_around_a_value_are_removed() {
    let request = read("GET", Some("a"), "/", &[("x", " b\t")], true).unwrap();
    assert_eq!(lines(&request.head), ["Host: a", "x: b"]);
}

#[test]
fn trailers_keep_what_may_be_one() {
    let fields = [("grpc-status", "0"), ("content-length", "7"), ("x", "y")];
    let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let head = trailers(fields).unwrap();
    let mut found = Vec::new();
    trailer_fields(&head, |name, _| found.push(String::from_utf8_lossy(name).into_owned()));
    assert_eq!(found, ["grpc-status", "x"]);
}

#[test]
fn a_response_loses_the_fields_of_its_hop() {
    let bytes =
        b"HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nServer: a\r\n\
                  Content-Length: 3\r\n\r\n";
    let mut head = Head::default();
    let progress = &mut Progress::default();
    parse(bytes, Kind::Response, &Limits::RESPONSE, progress, &mut head).unwrap();
    let framing = framing::response(&head, false, false).unwrap();
    let mut edits = FieldEdits::default();
    edits.set("Server", "b").unwrap();
    edits.add("Set-Cookie", "c=d; Path=/").unwrap();
    let mut found = Vec::new();
    let response = ResponseToForward { head: &head, framing: &framing, edits: &edits };
    response_fields(&response, |name, value| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        found.push(format!("{}: {}", text(name), text(value)));
    });
    assert_eq!(found, ["Server: b", "Set-Cookie: c=d; Path=/", "content-length: 3"]);
}

#[test]
fn a_request_for_a_target_of_http2_has_no_fields_of_its_hop() {
    let bytes = b"POST /a HTTP/1.1\r\nHost: shop.example\r\nConnection: x-hop, upgrade\r\nX-Hop: 1\r\n\
                  Upgrade: x\r\nTE: trailers, gzip\r\nX-Own: 2\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut head = Head::default();
    let progress = &mut Progress::default();
    parse(bytes, Kind::Request, &Limits::REQUEST, progress, &mut head).unwrap();
    let mut uri = Uri::default();
    let options = ServerOptions::default();
    let findings = uri.read(&head, options.uri_policy).unwrap();
    let framing = framing::request(&head, options.desync_mitigation, findings).unwrap();
    let source = Source::new(([192, 0, 2, 1], 9).into(), Scheme::Https, 443);
    let mut edits = FieldEdits::default();
    edits.set("X-Set", "3").unwrap();
    let mut certificate = CertificateFields::default();
    certificate.add("Subject", "CN=alice");
    let request = RequestToForward {
        head: &head,
        framing: &framing,
        uri: &uri,
        default_host: "",
        source: &source,
        forwarded: ForwardedPolicy::default(),
        trace_id: None,
        edits: &edits,
        preserve_host: false,
        certificate: Some(&certificate),
        drop_invalid_fields: false,
    };
    assert!(!asks_for_websocket(&request));
    let mut found = Vec::new();
    let body = request_fields(&request, false, |name, value| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        found.push(format!("{}: {}", text(name), text(value)));
    });
    let expected = [
        "X-Own: 2",
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 443",
        "X-Amzn-Mtls-Subject: CN=alice",
        "X-Set: 3",
        "te: trailers",
    ];
    assert_eq!(
        (found.as_slice(), body),
        (expected.map(str::to_owned).as_slice(), BodyLength::Chunked)
    );
}

/// The status of a response, its length if it has one, whether it ends with its head, whether the request was HEAD,
/// and the body that clients get.
type ResponseCase = (u16, Option<&'static str>, bool, bool, Result<BodyLength, Refusal>);

#[test]
fn the_body_of_a_response_of_http2_has_one_reading() {
    let cases: [ResponseCase; 10] = [
        (200, None, false, false, Ok(BodyLength::Chunked)),
        (200, None, true, false, Ok(BodyLength::Length(0))),
        (200, Some("3"), false, false, Ok(BodyLength::Length(3))),
        (200, Some("3"), true, true, Ok(BodyLength::None)),
        (200, Some("3"), true, false, Err(Refusal::IncompleteMessage)),
        (204, None, true, false, Ok(BodyLength::None)),
        (304, Some("3"), true, false, Ok(BodyLength::None)),
        (103, None, false, false, Ok(BodyLength::None)),
        (101, None, false, false, Err(Refusal::UnexpectedUpgrade)),
        (200, Some("+3"), false, false, Err(Refusal::BadContentLength)),
    ];
    for (status, length, is_end, request_is_head, expected) in cases {
        let fields: Vec<(&[u8], &[u8])> =
            length.iter().map(|length| (b"content-length".as_slice(), length.as_bytes())).collect();
        let websocket_accept = None;
        let head = Http2ResponseHead {
            status,
            fields: &fields,
            is_end,
            request_is_head,
            websocket_accept,
        };
        let framing = head.read(&Limits::RESPONSE, &mut Head::default());
        assert_eq!(framing.map(|framing| framing.body), expected, "{status} {length:?} {is_end}");
    }
    for (name, value) in [("connection", "close"), ("x", "a\r\nb: c"), ("x: y\r\nz", "a")] {
        let fields = [(name.as_bytes(), value.as_bytes())];
        let head = Http2ResponseHead {
            status: 200,
            fields: &fields,
            is_end: true,
            request_is_head: false,
            websocket_accept: None,
        };
        assert!(head.read(&Limits::RESPONSE, &mut Head::default()).is_err(), "{name:?}");
    }
}

#[test]
fn an_extended_connect_becomes_an_upgrade() {
    let fields = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "of a stranger"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    for is_end in [false, true] {
        let request = connect("WebSocket", &fields, is_end).unwrap();
        let expected = [
            "Host: shop.example",
            "sec-websocket-version: 13",
            "Cookie: a=1; b=2",
            "Connection: upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        assert_eq!(lines(&request.head), expected);
        assert_eq!(request.head.method(), b"GET");
        assert_eq!(request.uri.path_and_query(), "/chat?a");
        assert!(request.framing.is_upgrade && request.framing.body == BodyLength::None);
    }
    let cases: &[(&str, Fields<'_>, Refusal)] = &[
        ("connect-udp", &[], Refusal::UnsupportedProtocol),
        ("websocket\r\nX: y", &[], Refusal::UnsupportedProtocol),
        ("", &[], Refusal::UnsupportedProtocol),
        ("websocket", &[("content-length", "3")], Refusal::BadFieldName),
        ("websocket", &[("content-length", "0")], Refusal::BadFieldName),
        ("websocket", &[("upgrade", "websocket")], Refusal::BadFieldName),
        ("websocket", &[("connection", "upgrade")], Refusal::BadFieldName),
        ("websocket", &[("transfer-encoding", "chunked")], Refusal::BadFieldName),
        ("websocket", &[("x", "a\r\nb: c")], Refusal::ControlInValue),
    ];
    for (protocol, fields, expected) in cases {
        assert_eq!(
            connect(protocol, fields, false).err(),
            Some(*expected),
            "{protocol} {fields:?}"
        );
    }
}

#[test]
fn a_websocket_has_a_key_and_its_answer_in_http1_alone() {
    let request = connect("websocket", &[("sec-websocket-version", "13")], false).unwrap();
    let source = Source::new(([192, 0, 2, 1], 9).into(), Scheme::Https, 443);
    let (policy, edits) = (ForwardedPolicy::default(), FieldEdits::default());
    let request = RequestToForward {
        head: &request.head,
        framing: &request.framing,
        uri: &request.uri,
        default_host: "",
        source: &source,
        forwarded: policy,
        trace_id: None,
        edits: &edits,
        preserve_host: false,
        certificate: None,
        drop_invalid_fields: false,
    };
    assert!(asks_for_websocket(&request));
    let mut names = Vec::new();
    request_fields(&request, true, |name, _| {
        names.push(String::from_utf8_lossy(name).into_owned());
    });
    assert_eq!(names[0], "sec-websocket-version");
    assert!(names.iter().all(|name| !name.eq_ignore_ascii_case("sec-websocket-key")), "{names:?}");

    let fields: [(&[u8], &[u8]); 3] = [
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-accept", b"of a stranger"),
        (b"content-length", b"3"),
    ];
    let answer = |status| Http2ResponseHead {
        status,
        fields: &fields,
        is_end: false,
        request_is_head: false,
        websocket_accept: Some("answer"),
    };
    let mut head = Head::default();
    let framing = answer(204).read(&Limits::RESPONSE, &mut head).unwrap();
    assert_eq!((head.status(), framing.is_upgrade, framing.body), (101, true, BodyLength::None));
    let expected = [
        "Connection: upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Accept: answer",
        "sec-websocket-protocol: chat",
    ];
    assert_eq!(lines(&head), expected);
    let response = ResponseToForward { head: &head, framing: &framing, edits: &edits };
    let mut names = Vec::new();
    response_fields(&response, |name, _| names.push(String::from_utf8_lossy(name).into_owned()));
    assert_eq!(names, ["sec-websocket-protocol"]);
    let declined = answer(403).read(&Limits::RESPONSE, &mut head).unwrap();
    assert_eq!((declined.is_upgrade, declined.body), (false, BodyLength::Length(3)));
}
