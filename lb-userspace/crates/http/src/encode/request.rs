//! PURE: the head of a request to a target.

use super::lines::{copy_fields, write_framing};
use crate::{
    body::WriteError,
    client_certificate::{CertificateFields, is_look_alike},
    field_edits::FieldEdits,
    field_name::FieldName,
    forwarded::{ForwardedPolicy, Source},
    framing::{BodyLength, RequestFraming},
    head::{Head, Version},
    hop_by_hop::{ConnectionOptions, is_plain_name},
    trace_id::TraceId,
    uri::Uri,
};

/// A request as it is forwarded.
#[derive(Debug, Clone, Copy)]
pub struct RequestToForward<'request> {
    /// The head as it was received.
    pub head: &'request Head,
    /// How it was read.
    pub framing: &'request RequestFraming,
    /// The normalised URI, perhaps rewritten.
    pub uri: &'request Uri,
    /// The value of `Host` for a request that has none (HTTP/1.0): the address of the listener.
    pub default_host: &'request str,
    /// Who has asked.
    pub source: &'request Source,
    /// What the target is told about that.
    pub forwarded: ForwardedPolicy,
    /// The identifier of this request.
    pub trace_id: Option<&'request TraceId>,
    /// What the target is told of the certificate of the client.
    pub certificate: Option<&'request CertificateFields>,
    /// Fields that the rules change.
    pub edits: &'request FieldEdits,
    /// Whether the target gets `Host` as it was received, while it names the host of the URI.
    pub preserve_host: bool,
    /// Drop fields whose names are not letters, digits and `-` (`drop_invalid_header_fields`).
    pub drop_invalid_fields: bool,
}

impl RequestToForward<'_> {
    /// The value of `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        let Some(host) = self.uri.host() else { return self.default_host };
        let received = self.head.values(FieldName::Host).next();
        // After a rewrite, and beside a target in absolute-form, it may name another one.
        let received = received.filter(|value| self.preserve_host && host.is_named_by(value));
        let received = received.and_then(|value| str::from_utf8(value).ok());
        received.unwrap_or_else(|| host.authority())
    }

    /// Whether a received field is copied.
    pub(crate) fn keeps(
        &self,
        options: &ConnectionOptions<'_>,
        known: FieldName,
        name: &[u8],
    ) -> bool {
        let is_continue_of_old_client =
            known == FieldName::Expect && self.head.version() == Version::Http10;
        let announces_no_trailers =
            known == FieldName::Trailer && self.framing.body != BodyLength::Chunked;
        options.keeps(known, name)
            && self.forwarded.keeps(known)
            && !is_continue_of_old_client
            && !announces_no_trailers
            && !is_look_alike(name)
            && self.edits.keeps(name)
            && (!self.drop_invalid_fields || is_plain_name(name))
    }

    /// The length of the body that is sent. Methods that announce content get a length even when there is none
    /// (RFC 9110, section 8.6).
    pub(crate) fn body(&self) -> BodyLength {
        let expects_content = matches!(self.head.method(), b"POST" | b"PUT" | b"PATCH");
        match self.framing.body {
            BodyLength::None if expects_content => BodyLength::Length(0),
            body => body,
        }
    }
}

/// Appends a head, and gives the length of the body that must follow it.
pub(crate) fn encode_request(
    request: &RequestToForward<'_>,
    out: &mut Vec<u8>,
) -> Result<BodyLength, WriteError> {
    let host = request.host();
    if host.is_empty() {
        return Err(WriteError::BadField);
    }
    let options = ConnectionOptions::of(request.head);
    out.extend_from_slice(request.head.method());
    out.push(b' ');
    out.extend_from_slice(request.uri.path_and_query().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(b"\r\n");
    copy_fields(request.head, |field, name| request.keeps(&options, field.known, name), out);
    request.forwarded.write(request.source, request.trace_id, request.head, host, out);
    out.extend_from_slice(request.certificate.map_or(&[], CertificateFields::lines));
    out.extend_from_slice(request.edits.lines());
    let body = request.body();
    write_framing(body, out);
    write_connection(request, options.accepts_trailers(), out);
    out.extend_from_slice(b"\r\n");
    Ok(body)
}

fn write_connection(request: &RequestToForward<'_>, accepts_trailers: bool, out: &mut Vec<u8>) {
    let upgrade = request.head.values(FieldName::Upgrade).next();
    let upgrade = upgrade.filter(|_| request.framing.is_upgrade);
    let connection: &[u8] = match (upgrade.is_some(), accepts_trailers) {
        (true, true) => b"Connection: upgrade, TE\r\n",
        (true, false) => b"Connection: upgrade\r\n",
        (false, true) => b"Connection: TE\r\n",
        // HTTP/1.1 keeps connections by itself.
        (false, false) => b"",
    };
    out.extend_from_slice(connection);
    if accepts_trailers {
        out.extend_from_slice(b"TE: trailers\r\n");
    }
    if let Some(protocol) = upgrade {
        out.extend_from_slice(b"Upgrade: ");
        out.extend_from_slice(protocol);
        out.extend_from_slice(b"\r\n");
    }
}
