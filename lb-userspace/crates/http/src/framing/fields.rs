//! PURE: the fields that decide about framing and persistence, collected in one pass over a head.

use super::content_length::ContentLength;
use crate::{
    desync::{Finding, Findings},
    field_name::FieldName,
    head::{Head, list_elements},
    refusal::Refusal,
};

/// The options of all `Connection` lines that the engine acts on.
#[derive(Debug, Default)]
pub(super) struct ConnectionFlags {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

impl ConnectionFlags {
    fn add(&mut self, value: &[u8]) {
        for option in list_elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    /// Whether the sender keeps its connection (RFC 9112, section 9.3).
    pub(super) fn keeps_alive(&self, is_http11: bool) -> bool {
        !self.close && (is_http11 || self.keep_alive)
    }
}

/// The `Upgrade` lines of a head.
#[derive(Debug, Default)]
pub(super) enum Upgrade<'head> {
    #[default]
    Absent,
    One(&'head [u8]),
    Several,
}

/// What a head says about its message.
#[derive(Debug, Default)]
pub(super) struct FramingFields<'head> {
    pub(super) content_length: Option<ContentLength>,
    pub(super) is_chunked: bool,
    pub(super) host: Option<&'head [u8]>,
    pub(super) connection: ConnectionFlags,
    pub(super) upgrade: Upgrade<'head>,
    /// `Expect: 100-continue`.
    pub(super) expects_continue: bool,
    pub(super) findings: Findings,
}

impl<'head> FramingFields<'head> {
    pub(super) fn collect(head: &'head Head) -> Result<Self, Refusal> {
        let mut found = Self::default();
        for field in head.fields() {
            let value = field.value;
            match field.known {
                FieldName::ContentLength => {
                    found.content_length = Some(ContentLength::add(found.content_length, value)?);
                }
                FieldName::TransferEncoding => found.add_transfer_encoding(value)?,
                FieldName::Host if found.host.is_some() => return Err(Refusal::DuplicateHost),
                FieldName::Host => found.host = Some(value),
                FieldName::Connection => found.connection.add(value),
                FieldName::Upgrade => {
                    found.upgrade = match found.upgrade {
                        Upgrade::Absent => Upgrade::One(value),
                        Upgrade::One(_) | Upgrade::Several => Upgrade::Several,
                    };
                }
                FieldName::Expect => {
                    found.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                }
                FieldName::SuspiciousFraming => found.findings.add(Finding::SuspiciousHeader),
                _ => {}
            }
            if !value.is_ascii() {
                found.findings.add(Finding::NonCompliantHeader);
            }
        }
        if found.content_length.is_some_and(|length| length.is_repeated) {
            found.findings.add(Finding::DuplicateContentLength);
        }
        Ok(found)
    }

    /// A second line makes it a list of codings, which is more than `chunked`.
    fn add_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::BadTransferEncoding);
        }
        self.is_chunked = true;
        Ok(())
    }
}
