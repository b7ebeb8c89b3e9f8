//! PURE: messages of HTTP/2 as the engine knows messages: requests of clients and responses for them here, requests
//! for targets and their responses in [`target`] (RFC 9113, section 8). Frames and HPACK are read and written
//! elsewhere.
//!
//! What a target gets is made from the head of HTTP/1.1 that has the same meaning, by the rules of every other
//! request: nothing reaches a target that it would not have got from a client of HTTP/1.1.

pub mod target;
#[cfg(test)]
mod tests;

use crate::{
    connection::ServerOptions,
    diagnose::Kind,
    encode::ResponseToForward,
    field_name::FieldName,
    framing::{self, RequestFraming},
    head::{Head, trim},
    hop_by_hop::{ConnectionOptions, is_trailer},
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
    uri::Uri,
    websocket,
};

/// A request as HTTP/2 has it.
#[derive(Debug, Clone, Copy)]
pub struct Http2Head<'head> {
    /// `:method`.
    pub method: &'head str,
    /// `:authority`; it wins over a `host` field.
    pub authority: Option<&'head str>,
    /// `:path`.
    pub path: &'head str,
    /// All other fields: names and values, in their order.
    pub fields: &'head [(&'head [u8], &'head [u8])],
    /// Whether no body follows.
    pub is_end: bool,
    /// What an extended CONNECT (RFC 8441) asks for.
    pub tunnel: Option<Http2Tunnel<'head>>,
}

/// The tunnel of an extended CONNECT.
#[derive(Debug, Clone, Copy)]
pub struct Http2Tunnel<'head> {
    /// `:protocol`.
    pub protocol: &'head str,
    /// The key of the request of HTTP/1.1 with the same meaning: HTTP/2 has none.
    pub key: &'head str,
}

/// The same request as the engine knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Http2Request {
    /// The head, with `Host` and the framing of its body.
    pub head: Head,
    /// How it is read. A body without a length is forwarded in chunks.
    pub framing: RequestFraming,
    /// The normalised URI.
    pub uri: Uri,
}

impl Http2Request {
    /// Takes a request over. Its refusals are those of HTTP/1.
    pub fn read(request: Http2Head<'_>, options: &ServerOptions) -> Result<Self, Refusal> {
        let bytes = head_bytes(&request, &options.limits)?;
        let mut head = Head::default();
        let progress = &mut Progress::default();
        let len = parse(&bytes, Kind::Request, &options.limits, progress, &mut head)?;
        // The bytes end with the only empty line.
        if len != Some(bytes.len()) {
            return Err(Refusal::BadStartLine);
        }
        framing::refuse_method(&head)?;
        let mut uri = Uri::default();
        let findings = uri.read(&head, options.uri_policy)?;
        let framing = framing::request(&head, options.desync_mitigation, findings)?;
        Ok(Self { head, framing, uri })
    }
}

/// The head of HTTP/1.1 with the same meaning. An extended CONNECT becomes a GET with `Upgrade`.
fn head_bytes(request: &Http2Head<'_>, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain(request.method) || !is_plain(request.path) {
        return Err(Refusal::BadTarget);
    }
    // A target with a scheme would name another host than `:authority`.
    if !request.path.starts_with('/') && request.path != "*" {
        return Err(Refusal::BadTarget);
    }
    let method = match request.tunnel {
        None => request.method,
        Some(tunnel) if tunnel.protocol.eq_ignore_ascii_case(websocket::PROTOCOL) => "GET",
        Some(_) => return Err(Refusal::UnsupportedProtocol),
    };
    let mut bytes = Vec::with_capacity(512);
    for part in [method, " ", request.path, " HTTP/1.1\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    if let Some(authority) = request.authority {
        push_field(b"Host", authority.as_bytes(), &mut bytes)?;
    }
    let mut has_length = false;
    let mut has_cookie = false;
    for &(name, value) in request.fields {
        match FieldName::of(name) {
            FieldName::Host if request.authority.is_some() => continue,
            // RFC 9113, section 8.2.2.
            FieldName::Connection
            | FieldName::KeepAlive
            | FieldName::TransferEncoding
            | FieldName::Upgrade => return Err(Refusal::BadFieldName),
            FieldName::Te if !trim(value).eq_ignore_ascii_case(b"trailers") => {
                return Err(Refusal::BadFieldName);
            }
            // What follows such a request is no content (RFC 9113, section 8.5).
            FieldName::ContentLength if request.tunnel.is_some() => {
                return Err(Refusal::BadFieldName);
            }
            FieldName::ContentLength => has_length = true,
            _ if request.tunnel.is_some() && websocket::is_key(name) => continue,
            _ => {}
        }
        has_cookie |= name.eq_ignore_ascii_case(b"cookie");
        if !name.eq_ignore_ascii_case(b"cookie") {
            push_field(name, value, &mut bytes)?;
        }
        if bytes.len() > limits.head_max {
            return Err(Refusal::HeadTooLong);
        }
    }
    if has_cookie {
        push_cookies(request.fields, &mut bytes)?;
    }
    if let Some(tunnel) = request.tunnel {
        bytes.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n");
        push_field(b"Sec-WebSocket-Key", tunnel.key.as_bytes(), &mut bytes)?;
    } else if !request.is_end && !has_length {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

/// The pieces of `cookie` become one line (RFC 9113, section 8.2.3).
fn push_cookies(fields: &[(&[u8], &[u8])], bytes: &mut Vec<u8>) -> Result<(), Refusal> {
    let cookies = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"cookie"));
    let pieces: Vec<&[u8]> = cookies.map(|(_, value)| trim(value)).collect();
    push_field(b"Cookie", &pieces.join(b"; ".as_slice()), bytes)
}

/// Appends a line. A value that would end it is refused.
fn push_field(name: &[u8], value: &[u8], bytes: &mut Vec<u8>) -> Result<(), Refusal> {
    if !crate::head::is_token(name) {
        return Err(Refusal::BadFieldName);
    }
    let value = trim(value);
    if !crate::head::is_field_value(value) {
        return Err(Refusal::ControlInValue);
    }
    for part in [name, b": ", value, b"\r\n"] {
        bytes.extend_from_slice(part);
    }
    Ok(())
}

/// A trailer section that came over HTTP/2.
pub fn trailers<'field>(
    fields: impl Iterator<Item = (&'field [u8], &'field [u8])>,
) -> Result<Head, Refusal> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        push_field(name, value, &mut bytes)?;
    }
    bytes.extend_from_slice(b"\r\n");
    let mut head = Head::default();
    let progress = &mut Progress::default();
    parse(&bytes, Kind::Trailers, &Limits::REQUEST, progress, &mut head)?;
    Ok(head)
}

/// The fields of a response for a client of HTTP/2: without those of the target's hop, with the edits.
pub fn response_fields(response: &ResponseToForward<'_>, mut add: impl FnMut(&[u8], &[u8])) {
    let ResponseToForward { head, framing, edits } = response;
    let options = ConnectionOptions::of(head);
    for field in head.fields() {
        let is_of_http1 = framing.is_upgrade && websocket::is_accept(field.name);
        if options.keeps(field.known, field.name) && edits.keeps(field.name) && !is_of_http1 {
            add(field.name, field.value);
        }
    }
    add_lines(edits.lines(), &mut add);
    if let Some(length) = framing.stated_length {
        add(b"content-length", length.to_string().as_bytes());
    }
}

/// Gives the names and values of complete field lines.
fn add_lines(lines: &[u8], add: &mut impl FnMut(&[u8], &[u8])) {
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(colon) = memchr::memchr(b':', line) {
            add(&line[..colon], trim(&line[colon + 1..]));
        }
    }
}

/// The fields of an interim response for such a client.
pub fn interim_fields(head: &Head, mut add: impl FnMut(&[u8], &[u8])) {
    let options = ConnectionOptions::of(head);
    for field in head.fields() {
        if field.known != FieldName::Trailer && options.keeps(field.known, field.name) {
            add(field.name, field.value);
        }
    }
}

/// The fields of a trailer section for such a client.
pub fn trailer_fields(trailers: &Head, mut add: impl FnMut(&[u8], &[u8])) {
    for field in trailers.fields() {
        if is_trailer(field.known, field.name) {
            add(field.name, field.value);
        }
    }
}
