//! PURE: the framing of requests, under `desync_mitigation`.

use super::{
    body_length::BodyLength,
    fields::{FramingFields, Upgrade},
};
use crate::{
    desync::{DesyncMitigation, Finding, Findings, decide},
    head::{Head, Version, is_token},
    refusal::Refusal,
};

/// The one reading of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about the request; none excludes another"
)]
pub struct RequestFraming {
    /// How long the body is.
    pub body: BodyLength,
    /// Whether the client wants to keep its connection.
    pub keep_alive: bool,
    /// Whether both connections are closed after the response, because of the findings.
    pub close_both: bool,
    /// `Expect: 100-continue`, from a client that understands 100.
    pub expects_continue: bool,
    /// Whether it asks for a tunnel, such as a WebSocket (RFC 9110, section 7.8).
    pub is_upgrade: bool,
    /// What does not comply, and was normalised or passed.
    pub findings: Findings,
}

/// Decides how a request is read.
///
/// Host and target are checked for being there; [`crate::uri`] checks what they hold. `findings` are those that
/// the caller has already.
pub fn request(
    head: &Head,
    mode: DesyncMitigation,
    findings: Findings,
) -> Result<RequestFraming, Refusal> {
    refuse_method(head)?;
    let method = head.method();
    let fields = FramingFields::collect(head)?;
    let is_http11 = head.version() == Version::Http11;
    if is_http11 && fields.host.is_none() {
        return Err(Refusal::MissingHost);
    }
    let mut all = fields.findings;
    all.extend(findings);
    let body = body(&fields, is_http11, matches!(method, b"GET" | b"HEAD"), &mut all);
    let is_upgrade = is_upgrade(&fields, is_http11, body, &mut all);
    let close_both = decide(mode, all)?;
    let keep_alive = fields.connection.keeps_alive(is_http11);
    Ok(RequestFraming {
        body,
        keep_alive: keep_alive && !close_both,
        close_both,
        expects_continue: fields.expects_continue && is_http11 && !body.is_empty(),
        is_upgrade,
        findings: all,
    })
}

/// Refuses methods that the balancer never serves. The target of `CONNECT` is no URI, so this comes first.
pub fn refuse_method(head: &Head) -> Result<(), Refusal> {
    let is_refused = matches!(head.method(), b"CONNECT" | b"TRACE");
    if is_refused { Err(Refusal::MethodNotAllowed) } else { Ok(()) }
}

/// The length of the body (RFC 9112, section 6.3), with what is not compliant in it.
fn body(
    fields: &FramingFields<'_>,
    is_http11: bool,
    is_get_or_head: bool,
    findings: &mut Findings,
) -> BodyLength {
    if fields.is_chunked {
        let conditions = [
            (fields.content_length.is_some(), Finding::BothTeClPresent),
            (!is_http11, Finding::TransferEncodingInOldVersion),
            (is_get_or_head, Finding::UndefinedTransferEncodingSemantics),
        ];
        conditions
            .into_iter()
            .filter(|(holds, _)| *holds)
            .for_each(|(_, found)| findings.add(found));
        return BodyLength::Chunked;
    }
    match fields.content_length.map(|length| length.bytes) {
        None => BodyLength::None,
        Some(0) if is_get_or_head => {
            findings.add(Finding::GetHeadZeroContentLength);
            BodyLength::None
        }
        Some(length) => {
            if is_get_or_head {
                findings.add(Finding::UndefinedContentLengthSemantics);
            }
            BodyLength::Length(length)
        }
    }
}

/// A tunnel is asked for by one protocol, in HTTP/1.1 and without a body.
///
/// Anything else is served as if nobody had asked, which RFC 9110, section 7.8, allows; so is `h2c`
/// (RFC 9113, section 3.1: deprecated).
fn is_upgrade(
    fields: &FramingFields<'_>,
    is_http11: bool,
    body: BodyLength,
    findings: &mut Findings,
) -> bool {
    if matches!(fields.upgrade, Upgrade::Absent) {
        return false;
    }
    if is_http11 && !fields.connection.upgrade {
        findings.add(Finding::UpgradeWithoutConnection);
        return false;
    }
    let Upgrade::One(protocol) = fields.upgrade else { return false };
    let is_one_protocol = {
        let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
        let has_good_version = protocol[name.len()..].strip_prefix(b"/").is_none_or(is_token);
        is_token(name) && has_good_version && !name.eq_ignore_ascii_case(b"h2c")
    };
    is_http11 && is_one_protocol && body.is_empty()
}
