//! PURE: the framing of responses. A target that breaks a rule gets no second reading: its response is refused.

use super::{body_length::BodyLength, fields::FramingFields};
use crate::{
    desync::{Finding, Findings},
    head::{Head, Version},
    refusal::Refusal,
};

/// The one reading of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseFraming {
    /// How long the body is.
    pub body: BodyLength,
    /// The length that a response without a body states, such as one to HEAD.
    pub stated_length: Option<u64>,
    /// Whether the target keeps its connection.
    pub keep_alive: bool,
    /// Status 101 that was asked for: a tunnel follows.
    pub is_upgrade: bool,
    /// Status 1xx: another head follows.
    pub is_interim: bool,
    /// What was normalised.
    pub findings: Findings,
}

/// Decides how a response is read: by itself, and by the request that it answers.
pub fn response(
    head: &Head,
    request_is_head: bool,
    request_is_upgrade: bool,
) -> Result<ResponseFraming, Refusal> {
    let status = head.status();
    if !(100..600).contains(&status) {
        return Err(Refusal::BadStatus);
    }
    let is_upgrade = status == 101;
    if is_upgrade && !request_is_upgrade {
        return Err(Refusal::UnexpectedUpgrade);
    }
    let fields = FramingFields::collect(head)?;
    let is_http11 = head.version() == Version::Http11;
    if fields.is_chunked && !is_http11 {
        return Err(Finding::TransferEncodingInOldVersion.into());
    }
    let stated_length = fields.content_length.map(|length| length.bytes);
    if fields.is_chunked && stated_length.is_some() {
        return Err(Finding::BothTeClPresent.into());
    }
    let keep_alive = fields.connection.keeps_alive(is_http11);
    let is_interim = status < 200;
    // RFC 9110, section 8.6 and RFC 9112, section 6.1: such responses have neither field. A target that sends
    // one may send a body, too.
    let is_bodiless = is_interim || status == 204;
    let may_send_body =
        is_bodiless && (fields.is_chunked || stated_length.is_some_and(|len| len > 0));
    let body = if is_bodiless || status == 304 || request_is_head {
        BodyLength::None
    } else if fields.is_chunked {
        BodyLength::Chunked
    } else {
        stated_length.map_or(BodyLength::UntilClose, BodyLength::Length)
    };
    Ok(ResponseFraming {
        body,
        stated_length: stated_length.filter(|_| !is_bodiless),
        keep_alive: keep_alive && !may_send_body && body != BodyLength::UntilClose,
        is_upgrade,
        is_interim: is_interim && !is_upgrade,
        findings: fields.findings,
    })
}
