//! Targets and hosts in, the one view of the URI or the reason of the refusal out.

use proptest::prelude::*;

use super::*;
use crate::{
    diagnose::Kind,
    limits::Limits,
    parse::{Progress, parse},
};

const KEEP: UriPolicy = UriPolicy {
    encoded_slash: EncodedSlashPolicy::Keep,
    double_slash: DoubleSlashPolicy::Keep,
    semicolon: SemicolonPolicy::Keep,
    backslash: BackslashPolicy::Keep,
};
const DECODE: UriPolicy = UriPolicy {
    encoded_slash: EncodedSlashPolicy::Decode,
    double_slash: DoubleSlashPolicy::Merge,
    semicolon: SemicolonPolicy::Keep,
    backslash: BackslashPolicy::Slash,
};
const REFUSE: UriPolicy = UriPolicy {
    encoded_slash: EncodedSlashPolicy::Refuse,
    double_slash: DoubleSlashPolicy::Refuse,
    semicolon: SemicolonPolicy::Refuse,
    backslash: BackslashPolicy::Refuse,
};

fn read(start: &str, host: &str, policy: UriPolicy) -> Result<(Uri, Findings), Refusal> {
    let bytes = format!("{start} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut head = Head::default();
    parse(bytes.as_bytes(), Kind::Request, &Limits::REQUEST, &mut Progress::default(), &mut head)?;
    let mut uri = Uri::default();
    let findings = uri.read(&head, policy)?;
    Ok((uri, findings))
}

fn target(target: &str, policy: UriPolicy) -> Result<String, Refusal> {
    let uri = read(&format!("GET {target}"), "a", policy)?.0;
    Ok(uri.path_and_query().to_owned())
}

#[test]
fn paths_have_one_normal_form() {
    let cases = [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/%61%2D%7e", "/a-~"),
        ("/%c3%a9", "/%C3%A9"),
        ("/é", "/%C3%A9"),
        ("/a|b\"<>^`{}[]", "/a%7Cb%22%3C%3E%5E%60%7B%7D%5B%5D"),
        ("/%25%36%31", "/%2561"),
        ("/%2561", "/%2561"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e/b/%2E%2e/c", "/a/c"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/../../a", "/a"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("/a//../b", "/a/b"),
        ("/a?b", "/a?b"),
        ("/a?", "/a?"),
        ("/a?b=/../%2e%zz&c[]=|%00", "/a?b=/../%2e%zz&c[]=|%00"),
        ("/a?é\"", "/a?%C3%A9%22"),
        ("/a;b=c/d", "/a;b=c/d"),
        ("/a%3bb", "/a%3Bb"),
        ("/%40:@!$&'()*+,=", "/%40:@!$&'()*+,="),
        ("/%3f%23", "/%3F%23"),
    ];
    for (given, expected) in cases {
        assert_eq!(target(given, KEEP).as_deref(), Ok(expected), "{given:?}");
    }
}

#[test]
fn what_servers_read_differently_follows_the_policy() {
    let cases = [
        ("/a%2fb", Ok("/a%2Fb"), Ok("/a/b"), Refusal::EncodedSlash),
        ("/a//b", Ok("/a//b"), Ok("/a/b"), Refusal::DoubleSlash),
        ("//a", Ok("//a"), Ok("/a"), Refusal::DoubleSlash),
        ("/a;b", Ok("/a;b"), Ok("/a;b"), Refusal::Semicolon),
        ("/a\\b", Ok("/a%5Cb"), Ok("/a/b"), Refusal::Backslash),
        ("/a%5cb", Ok("/a%5Cb"), Ok("/a/b"), Refusal::Backslash),
        ("/a/..%2fb", Err(Refusal::HiddenDotSegment), Ok("/b"), Refusal::EncodedSlash),
        ("/a%2f..%2fb", Err(Refusal::HiddenDotSegment), Ok("/b"), Refusal::EncodedSlash),
        ("/a/..\\b", Err(Refusal::HiddenDotSegment), Ok("/b"), Refusal::Backslash),
        ("/a/%2e%2e%5cb", Err(Refusal::HiddenDotSegment), Ok("/b"), Refusal::Backslash),
        (
            "/a/..;/b",
            Err(Refusal::HiddenDotSegment),
            Err(Refusal::HiddenDotSegment),
            Refusal::Semicolon,
        ),
        (
            "/a/.;x=y/b",
            Err(Refusal::HiddenDotSegment),
            Err(Refusal::HiddenDotSegment),
            Refusal::Semicolon,
        ),
        ("/a%2f%2fb", Ok("/a%2F%2Fb"), Ok("/a/b"), Refusal::EncodedSlash),
    ];
    for (given, keep, decode, refuse) in cases {
        assert_eq!(target(given, KEEP).as_deref().map_err(|refusal| *refusal), keep, "{given:?}");
        assert_eq!(
            target(given, DECODE).as_deref().map_err(|refusal| *refusal),
            decode,
            "{given:?}"
        );
        assert_eq!(target(given, REFUSE), Err(refuse), "{given:?}");
    }
    assert_eq!(target("/a/..%3b/b", KEEP), Err(Refusal::HiddenDotSegment));
}

#[test]
fn targets_that_no_server_should_see_are_refused() {
    let cases = [
        ("GET /%00", Refusal::ControlInTarget),
        ("GET /a%0d%0ab", Refusal::ControlInTarget),
        ("GET /%7F", Refusal::ControlInTarget),
        ("GET /%", Refusal::BadEscape),
        ("GET /%4", Refusal::BadEscape),
        ("GET /%zz", Refusal::BadEscape),
        ("GET /a#b", Refusal::FragmentInTarget),
        ("GET /a?b#c", Refusal::FragmentInTarget),
        ("GET foo", Refusal::BadTarget),
        ("GET *", Refusal::BadTarget),
        ("GET a:80", Refusal::BadTarget),
        ("GET ?a", Refusal::BadTarget),
        ("GET ftp://a/", Refusal::BadTarget),
        ("GET http:/a", Refusal::BadTarget),
        ("GET http://", Refusal::BadHost),
        ("GET http:///a", Refusal::BadHost),
        ("GET http://u@a/", Refusal::UserInfo),
        ("GET http://u:p@a/", Refusal::UserInfo),
        ("OPTIONS *a", Refusal::BadTarget),
    ];
    for (start, expected) in cases {
        assert_eq!(read(start, "a", KEEP).map(|_| ()), Err(expected), "{start:?}");
    }
}

#[test]
fn forms_of_targets_become_origin_form_and_host() {
    let check = |start: &str, path: &str, query: Option<&str>, host: &str, findings: &[Finding]| {
        let (uri, found) = read(start, "a", KEEP).expect(start);
        assert_eq!((uri.path(), uri.query()), (path, query), "{start:?}");
        assert_eq!(uri.host().map(Host::authority), Some(host), "{start:?}");
        assert_eq!(found.iter().collect::<Vec<_>>(), findings, "{start:?}");
    };
    check("GET /b?c?d", "/b", Some("c?d"), "a", &[]);
    check("GET http://A/b", "/b", None, "a", &[]);
    check("GET HTTPS://a", "/", None, "a", &[]);
    check("GET http://a?b", "/", Some("b"), "a", &[]);
    check("GET http://c:8080/b", "/b", None, "c:8080", &[Finding::HostMismatch]);
    check("OPTIONS *", "*", None, "a", &[]);
    check("OPTIONS http://a", "*", None, "a", &[]);
    check("OPTIONS http://a/", "/", None, "a", &[]);
    check("GET /b|", "/b%7C", None, "a", &[Finding::NonCompliantTarget]);
    check("GET /b?<", "/b", Some("%3C"), "a", &[Finding::NonCompliantTarget]);
}

#[test]
fn hosts_have_one_normal_form() {
    let cases = [
        ("A.Example", Ok(("a.example", None, "a.example"))),
        ("a.", Ok(("a", None, "a"))),
        ("a.:80", Ok(("a", Some(80), "a:80"))),
        ("a:", Ok(("a", None, "a"))),
        ("a:0080", Ok(("a", Some(80), "a:80"))),
        ("192.0.2.1:65535", Ok(("192.0.2.1", Some(65535), "192.0.2.1:65535"))),
        ("my_host-1", Ok(("my_host-1", None, "my_host-1"))),
        ("[2001:DB8:0::1]:8080", Ok(("[2001:db8::1]", Some(8080), "[2001:db8::1]:8080"))),
        ("[::1]", Ok(("[::1]", None, "[::1]"))),
        ("", Err(Refusal::BadHost)),
        (".", Err(Refusal::BadHost)),
        (".a", Err(Refusal::BadHost)),
        ("a..b", Err(Refusal::BadHost)),
        ("a..", Err(Refusal::BadHost)),
        (":80", Err(Refusal::BadHost)),
        ("a:0", Err(Refusal::BadHost)),
        ("a:65536", Err(Refusal::BadHost)),
        ("a:8 0", Err(Refusal::BadHost)),
        ("a:+80", Err(Refusal::BadHost)),
        ("a:80:80", Err(Refusal::BadHost)),
        ("a b", Err(Refusal::BadHost)),
        ("a, b", Err(Refusal::BadHost)),
        ("a/b", Err(Refusal::BadHost)),
        ("a%2e", Err(Refusal::BadHost)),
        ("é", Err(Refusal::BadHost)),
        ("::1", Err(Refusal::BadHost)),
        ("[::1", Err(Refusal::BadHost)),
        ("[::1]a", Err(Refusal::BadHost)),
        ("[::1%25eth0]", Err(Refusal::BadHost)),
        ("[v1.a]", Err(Refusal::BadHost)),
        ("u@a", Err(Refusal::UserInfo)),
    ];
    for (value, expected) in cases {
        let host = Host::parse_into(value.as_bytes(), None);
        let parts = host.as_ref().map(|host| (host.name(), host.port(), host.authority()));
        assert_eq!(parts, expected.as_ref().copied(), "{value:?}");
        if let Ok(host) = &host {
            let again = Host::parse_into(host.authority().as_bytes(), Some(host.clone()));
            assert_eq!(again.as_ref(), Ok(host), "{value:?}");
        }
    }
    let long = "a".repeat(254);
    assert_eq!(Host::parse_into(long.as_bytes(), None), Err(Refusal::BadHost));
}

proptest! {
    #[test]
    fn the_normal_form_of_a_normal_form_is_itself(
        parts in prop::collection::vec(prop_oneof![
            Just("/"), Just("."), Just(".."), Just("%2e"), Just("%2F"), Just("%5c"), Just("\\"), Just(";"),
            Just("a"), Just("%41"), Just("%25"), Just("2e"), Just("|"), Just("é"), Just("?"), Just("%3b"),
        ], 0..12),
        policy in prop_oneof![Just(KEEP), Just(DECODE), Just(REFUSE)],
    ) {
        let given = format!("/{}", parts.concat());
        if let Ok((mut uri, _)) = read(&format!("GET {given}"), "a", policy) {
            let once = uri.clone();
            let normal = once.path_and_query().to_owned();
            prop_assert_eq!(uri.set_path_and_query(&normal, policy), Ok(Findings::default()));
            prop_assert_eq!(&uri, &once);
            let has_dot_segment = once.path().split('/').any(|segment| matches!(segment, "." | ".."));
            prop_assert!(!has_dot_segment && once.path().starts_with('/'));
        }
    }
}
