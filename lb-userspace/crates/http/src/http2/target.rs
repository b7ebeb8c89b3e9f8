//! PURE: requests for targets that speak HTTP/2, and their responses as the engine knows responses.

use super::{add_lines, push_field};
use crate::{
    diagnose::Kind,
    encode::RequestToForward,
    field_name::FieldName,
    framing::{self, BodyLength, ResponseFraming},
    head::Head,
    hop_by_hop::ConnectionOptions,
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
};

/// The fields of a request for such a target, without its pseudo-header fields. Gives the length of the body that
/// must follow.
pub fn request_fields(
    request: &RequestToForward<'_>,
    mut add: impl FnMut(&[u8], &[u8]),
) -> BodyLength {
    let options = ConnectionOptions::of(request.head);
    for field in request.head.fields() {
        if request.keeps(&options, field.known, field.name) {
            add(field.name, field.value);
        }
    }
    let mut lines = Vec::new();
    request.forwarded.write(
        request.source,
        request.trace_id,
        request.head,
        request.host(),
        &mut lines,
    );
    add_lines(&lines, &mut add);
    add_lines(request.edits.lines(), &mut add);
    if options.accepts_trailers() {
        add(b"te", b"trailers");
    }
    let body = request.body();
    if let BodyLength::Length(length) = body {
        add(b"content-length", length.to_string().as_bytes());
    }
    body
}

/// A response as HTTP/2 has it.
#[derive(Debug, Clone, Copy)]
pub struct Http2ResponseHead<'head> {
    /// `:status`.
    pub status: u16,
    /// All other fields: names and values, in their order.
    pub fields: &'head [(&'head [u8], &'head [u8])],
    /// Whether no body follows.
    pub is_end: bool,
    /// Whether the request had the method HEAD.
    pub request_is_head: bool,
}

impl Http2ResponseHead<'_> {
    /// Takes a response over. Its refusals are those of HTTP/1. A body without a length becomes chunks, so that
    /// its end and its trailers reach clients of HTTP/1.1.
    pub fn read(&self, limits: &Limits, head: &mut Head) -> Result<ResponseFraming, Refusal> {
        let bytes = self.bytes(limits)?;
        let progress = &mut Progress::default();
        // The bytes end with the only empty line.
        if parse(&bytes, Kind::Response, limits, progress, head)? != Some(bytes.len()) {
            return Err(Refusal::BadStartLine);
        }
        let mut framing = framing::response(head, self.request_is_head, false)?;
        framing.body = match framing.body {
            BodyLength::UntilClose if self.is_end => BodyLength::Length(0),
            BodyLength::UntilClose => BodyLength::Chunked,
            BodyLength::Length(1..) if self.is_end => return Err(Refusal::IncompleteMessage),
            body => body,
        };
        Ok(framing)
    }

    /// The head of HTTP/1.1 with the same meaning, but for the framing.
    fn bytes(&self, limits: &Limits) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(format!("HTTP/1.1 {} \r\n", self.status).as_bytes());
        for &(name, value) in self.fields {
            // RFC 9113, section 8.2.2.
            let is_of_connection = matches!(
                FieldName::of(name),
                FieldName::Connection
                    | FieldName::KeepAlive
                    | FieldName::TransferEncoding
                    | FieldName::Upgrade
            );
            if is_of_connection {
                return Err(Refusal::BadFieldName);
            }
            push_field(name, value, &mut bytes)?;
            if bytes.len() > limits.head_max {
                return Err(Refusal::HeadTooLong);
            }
        }
        bytes.extend_from_slice(b"\r\n");
        Ok(bytes)
    }
}
