//! PURE: which fields of a message go on to the next hop (RFC 9110, section 7.6.1).
//!
//! Only fields that were received are looked at. What the balancer adds is added afterwards, so no `Connection`
//! option can remove it.

use crate::{
    field_name::FieldName,
    head::{Head, list_elements},
};

/// Fields that are meant for everybody on the way, or that another proxy has set: no option removes them.
const NEVER_OPTIONS: &[&str] =
    &["authorization", "cookie", "set-cookie", "cache-control", "x-real-ip", "date"];

/// Names that start like this cannot be options either.
const NEVER_OPTION_PREFIXES: &[&str] = &["x-forwarded-", "content-"];

/// The fields that a message names in `Connection`, beside those that the engine knows.
#[derive(Debug, Clone, Default)]
pub struct ConnectionOptions<'head> {
    names: Vec<&'head [u8]>,
    /// Whether `TE` has `trailers`.
    accepts_trailers: bool,
}

impl<'head> ConnectionOptions<'head> {
    /// The union of all `Connection` lines.
    #[must_use]
    pub fn of(head: &'head Head) -> Self {
        let lines = head.values(FieldName::Connection);
        let options = lines.flat_map(list_elements).filter(|option| may_be_option(option));
        let codings = head.values(FieldName::Te).flat_map(list_elements);
        let mut names =
            codings.map(|coding| coding.split(|byte| *byte == b';').next().unwrap_or(coding));
        Self {
            names: options.collect(),
            accepts_trailers: names.any(|name| name.eq_ignore_ascii_case(b"trailers")),
        }
    }

    /// Whether the sender accepts trailers: the only part of `TE` that is forwarded.
    #[must_use]
    pub fn accepts_trailers(&self) -> bool {
        self.accepts_trailers
    }

    /// Whether a received field is copied. Framing, `Host`, `Connection`, `TE` and `Upgrade` are written anew.
    #[must_use]
    pub fn keeps(&self, known: FieldName, name: &[u8]) -> bool {
        match known {
            FieldName::Other => !self.names.iter().any(|option| option.eq_ignore_ascii_case(name)),
            FieldName::Trailer
            | FieldName::Expect
            | FieldName::XForwardedFor
            | FieldName::XForwardedProto
            | FieldName::XForwardedPort
            | FieldName::Forwarded
            | FieldName::TraceId => true,
            FieldName::ContentLength
            | FieldName::TransferEncoding
            | FieldName::Host
            | FieldName::Connection
            | FieldName::KeepAlive
            | FieldName::Proxy
            | FieldName::Te
            | FieldName::Upgrade
            | FieldName::SuspiciousFraming
            | FieldName::LookAlike => false,
        }
    }
}

/// Whether an option can name a field to remove.
fn may_be_option(option: &[u8]) -> bool {
    let is = |name: &&str| option.eq_ignore_ascii_case(name.as_bytes());
    let starts_with = |prefix: &&str| {
        option
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    !FieldName::of(option).is_reserved()
        && !["close", "keep-alive"].iter().any(is)
        && !NEVER_OPTIONS.iter().any(is)
        && !NEVER_OPTION_PREFIXES.iter().any(starts_with)
}

/// Whether a name has only letters, digits and `-`: the others are dropped where the attribute
/// `drop_invalid_header_fields` is set.
#[must_use]
pub fn is_plain_name(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Whether a field may stand in a trailer section (RFC 9110, section 6.5.1): none that frames, routes,
/// authenticates or describes the content.
#[must_use]
pub fn is_trailer(known: FieldName, name: &[u8]) -> bool {
    known == FieldName::Other && may_be_option(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::Kind,
        limits::Limits,
        parse::{Progress, parse},
    };

    fn check(fields: &str, kept: &[&str], accepts_trailers: bool) {
        let bytes = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let mut head = Head::default();
        let progress = &mut Progress::default();
        parse(bytes.as_bytes(), Kind::Request, &Limits::REQUEST, progress, &mut head)
            .expect(fields);
        let options = ConnectionOptions::of(&head);
        let names: Vec<String> = head
            .fields()
            .filter(|field| options.keeps(field.known, field.name))
            .map(|field| String::from_utf8_lossy(field.name).into_owned())
            .collect();
        assert_eq!(names, kept, "{fields:?}");
        assert_eq!(options.accepts_trailers(), accepts_trailers, "{fields:?}");
    }

    #[test]
    fn fields_of_this_hop_stay_here() {
        check(
            "Keep-Alive: 1\r\nProxy-Connection: a\r\nProxy: b\r\nUpgrade: c\r\nA: b\r\n",
            &["A"],
            false,
        );
        check("TE: gzip\r\nA: b\r\n", &["A"], false);
        check("TE: gzip, Trailers;q=1\r\n", &[], true);
        check(
            "Transfer_Encoding: chunked\r\nX_Forwarded_For: a\r\nmy_field: b\r\n",
            &["my_field"],
            false,
        );
        check("Content-Length: 1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n", &[], false);
        check("Expect: 100-continue\r\nTrailer: A\r\n", &["Expect", "Trailer"], false);
    }

    #[test]
    fn options_of_all_lines_remove_fields() {
        check("Connection: A\r\nA: 1\r\nB: 2\r\nC: 3\r\nConnection: close, b\r\n", &["C"], false);
        check("A: 1\r\nConnection: ,a,,\r\nA: 2\r\n", &[], false);
        check("Connection: close\r\nClose: 1\r\n", &["Close"], false);
    }

    #[test]
    fn options_cannot_remove_what_others_rely_on() {
        let fields = "Connection: X-Forwarded-For, X-Forwarded-Proto, Forwarded, X-Forwarded-Host, X-Real-IP, \
                      Cookie, Authorization, Content-Type, X-Xelb-Trace-Id, Expect\r\n\
                      X-Forwarded-For: a\r\nX-Forwarded-Proto: a\r\nForwarded: a\r\nX-Forwarded-Host: a\r\n\
                      X-Real-IP: a\r\nCookie: a\r\nAuthorization: a\r\nContent-Type: a\r\n\
                      X-Xelb-Trace-Id: a\r\nExpect: a\r\n";
        let kept = [
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "Forwarded",
            "X-Forwarded-Host",
            "X-Real-IP",
            "Cookie",
            "Authorization",
            "Content-Type",
            "X-Xelb-Trace-Id",
            "Expect",
        ];
        check(fields, &kept, false);
    }

    #[test]
    fn trailers_cannot_frame_or_route() {
        let allowed = |name: &str| is_trailer(FieldName::of(name.as_bytes()), name.as_bytes());
        for name in ["grpc-status", "Server-Timing", "Digest"] {
            assert!(allowed(name), "{name}");
        }
        for name in [
            "Content-Length",
            "Transfer-Encoding",
            "Host",
            "Cookie",
            "Content-Type",
            "X-Forwarded-For",
        ] {
            assert!(!allowed(name), "{name}");
        }
    }

    #[test]
    fn plain_names_have_letters_digits_and_dashes() {
        assert!(is_plain_name(b"X-Abc-1"));
        assert!(!is_plain_name(b"my_field") && !is_plain_name(b"a.b") && !is_plain_name(b"a!"));
    }
}
