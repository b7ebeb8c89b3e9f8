//! PURE: the field names that the engine acts on, and names that other programs may take for them.

/// The header that carries the trace identifier; its value has the form of `X-Amzn-Trace-Id`.
pub const TRACE_ID: &str = "X-Xelb-Trace-Id";

/// What a field name means to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldName {
    /// `Content-Length` (RFC 9110, section 8.6).
    ContentLength,
    /// `Transfer-Encoding` (RFC 9112, section 6.1).
    TransferEncoding,
    /// `Host` (RFC 9110, section 7.2).
    Host,
    /// `Connection` (RFC 9110, section 7.6.1).
    Connection,
    /// `Keep-Alive`: hop by hop.
    KeepAlive,
    /// `Proxy-*` and `Proxy`: hop by hop, or harmful to CGI programs (CVE-2016-5385).
    Proxy,
    /// `TE` (RFC 9110, section 10.1.4).
    Te,
    /// `Trailer` (RFC 9110, section 6.6.2).
    Trailer,
    /// `Upgrade` (RFC 9110, section 7.8).
    Upgrade,
    /// `Expect` (RFC 9110, section 10.1.1).
    Expect,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Forwarded-Port`.
    XForwardedPort,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// [`TRACE_ID`].
    TraceId,
    /// Another spelling of `Content-Length` or `Transfer-Encoding`, such as `Transfer_Encoding`.
    SuspiciousFraming,
    /// A name that becomes one of the names above when `_` is read as `-`, as CGI does.
    LookAlike,
    /// Any other name.
    Other,
}

impl FieldName {
    /// Classifies a name; case does not count.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        match Self::exact(name) {
            Self::Other => Self::similar(name),
            known => known,
        }
    }

    /// Whether the engine itself writes, reads or removes fields of this name.
    ///
    /// A `Connection` option cannot name such a field, see [`crate::hop_by_hop`].
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self != Self::Other
    }

    fn exact(name: &[u8]) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            2 if is("te") => Self::Te,
            4 if is("host") => Self::Host,
            5 if is("proxy") => Self::Proxy,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") => Self::Upgrade,
            7 if is("trailer") => Self::Trailer,
            9 if is("forwarded") => Self::Forwarded,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::KeepAlive,
            14 if is("content-length") => Self::ContentLength,
            15 if is("x-forwarded-for") => Self::XForwardedFor,
            16 if is("x-forwarded-port") => Self::XForwardedPort,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            17 if is("x-forwarded-proto") => Self::XForwardedProto,
            len if len == TRACE_ID.len() && is(TRACE_ID) => Self::TraceId,
            7.. if name[..6].eq_ignore_ascii_case(b"proxy-") => Self::Proxy,
            _ => Self::Other,
        }
    }

    /// Recognises names that are not exactly, but almost, those above.
    fn similar(name: &[u8]) -> Self {
        let has_underscore = name.contains(&b'_');
        if has_underscore || matches!(name.len(), 13..=24) {
            let letters = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
            let letters = letters.map(u8::to_ascii_lowercase);
            if letters.clone().eq(*b"contentlength") || letters.eq(*b"transferencoding") {
                return Self::SuspiciousFraming;
            }
        }
        if !has_underscore {
            return Self::Other;
        }
        let dashed: Vec<u8> =
            name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
        match Self::exact(&dashed) {
            Self::Other => Self::Other,
            _ => Self::LookAlike,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_classified_whatever_their_case() {
        let cases = [
            ("Content-Length", FieldName::ContentLength),
            ("cOnTeNt-lEnGtH", FieldName::ContentLength),
            ("Transfer-Encoding", FieldName::TransferEncoding),
            ("HOST", FieldName::Host),
            ("TE", FieldName::Te),
            ("Proxy", FieldName::Proxy),
            ("Proxy-Connection", FieldName::Proxy),
            ("Proxy-Authorization", FieldName::Proxy),
            ("proxy-", FieldName::Other),
            ("Proxied-By", FieldName::Other),
            ("x-xelb-trace-id", FieldName::TraceId),
            ("X-Forwarded-Host", FieldName::Other),
            ("Content-Type", FieldName::Other),
            ("Content-Language", FieldName::Other),
            ("", FieldName::Other),
        ];
        for (name, expected) in cases {
            assert_eq!(FieldName::of(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn names_that_others_take_for_known_ones_are_recognised() {
        let cases = [
            ("Content_Length", FieldName::SuspiciousFraming),
            ("Transfer_Encoding", FieldName::SuspiciousFraming),
            ("TransferEncoding", FieldName::SuspiciousFraming),
            ("Transfer--Encoding", FieldName::SuspiciousFraming),
            ("Content.Length", FieldName::SuspiciousFraming),
            ("C_o_n_t_e_n_t_L_e_n_g_t_h_", FieldName::SuspiciousFraming),
            ("X_Forwarded_For", FieldName::LookAlike),
            ("X-Forwarded_Proto", FieldName::LookAlike),
            ("Keep_Alive", FieldName::LookAlike),
            ("x_xelb_trace_id", FieldName::LookAlike),
            ("my_header", FieldName::Other),
            ("Content-Length-Hint", FieldName::Other),
        ];
        for (name, expected) in cases {
            assert_eq!(FieldName::of(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn only_other_names_are_free() {
        assert!(!FieldName::of(b"accept").is_reserved());
        assert!(FieldName::of(b"forwarded").is_reserved());
        assert!(FieldName::of(b"x_forwarded_for").is_reserved());
    }
}
