//! PURE: requests for targets that speak HTTP/2, and their responses as the engine knows responses.

use super::{add_lines, push_field};
use crate::{
    client_certificate::CertificateFields,
    diagnose::Kind,
    encode::RequestToForward,
    field_name::FieldName,
    framing::{self, BodyLength, ResponseFraming},
    head::Head,
    hop_by_hop::ConnectionOptions,
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
    websocket,
};

/// Whether a request asks for a WebSocket, which HTTP/2 has as an extended CONNECT (RFC 8441).
#[must_use]
pub fn asks_for_websocket(request: &RequestToForward<'_>) -> bool {
    let mut protocols = request.head.values(FieldName::Upgrade);
    let is_websocket = |value: &[u8]| value.eq_ignore_ascii_case(websocket::PROTOCOL.as_bytes());
    request.framing.is_upgrade && protocols.any(is_websocket)
}

/// The fields of a request for such a target, without its pseudo-header fields. Gives the length of the body that
/// must follow. `is_connect` is set for an extended CONNECT, which has no key.
pub fn request_fields(
    request: &RequestToForward<'_>,
    is_connect: bool,
    mut add: impl FnMut(&[u8], &[u8]),
) -> BodyLength {
    let options = ConnectionOptions::of(request.head);
    for field in request.head.fields() {
        let is_of_http1 = is_connect && websocket::is_key(field.name);
        if request.keeps(&options, field.known, field.name) && !is_of_http1 {
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
    add_lines(request.certificate.map_or(&[], CertificateFields::lines), &mut add);
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
    /// The answer to the key of a WebSocket that was asked for by an extended CONNECT: status 2xx opens it, and
    /// is status 101 then.
    pub websocket_accept: Option<&'head str>,
}

impl Http2ResponseHead<'_> {
    /// Takes a response over. Its refusals are those of HTTP/1. A body without a length becomes chunks, so that
    /// its end and its trailers reach clients of HTTP/1.1.
    pub fn read(&self, limits: &Limits, head: &mut Head) -> Result<ResponseFraming, Refusal> {
        let accept = self.websocket_accept.filter(|_| (200..300).contains(&self.status));
        let bytes = self.bytes(limits, accept)?;
        let progress = &mut Progress::default();
        // The bytes end with the only empty line.
        if parse(&bytes, Kind::Response, limits, progress, head)? != Some(bytes.len()) {
            return Err(Refusal::BadStartLine);
        }
        let mut framing = framing::response(head, self.request_is_head, accept.is_some())?;
        framing.body = match framing.body {
            BodyLength::UntilClose if self.is_end => BodyLength::Length(0),
            BodyLength::UntilClose => BodyLength::Chunked,
            BodyLength::Length(1..) if self.is_end => return Err(Refusal::IncompleteMessage),
            body => body,
        };
        Ok(framing)
    }

    /// The head of HTTP/1.1 with the same meaning, but for the framing.
    fn bytes(&self, limits: &Limits, accept: Option<&str>) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::with_capacity(512);
        let start = match accept {
            None => format!("HTTP/1.1 {} \r\n", self.status),
            Some(accept) => format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n"
            ),
        };
        bytes.extend_from_slice(start.as_bytes());
        for &(name, value) in self.fields {
            // A tunnel has no length (RFC 9110, section 9.3.6).
            let is_of_http1 =
                FieldName::of(name) == FieldName::ContentLength || websocket::is_accept(name);
            if accept.is_some() && is_of_http1 {
                continue;
            }
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
