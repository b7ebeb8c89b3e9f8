//! PURE: responses of the balancer itself: redirects, fixed responses, errors.

use super::{
    lines::{write_decimal, write_framing},
    response_end::ResponseEnd,
};
use crate::{
    body::WriteError,
    field_name::FieldName,
    framing::BodyLength,
    head::{is_field_value, is_token},
};

/// A whole response that no target has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalResponse<'response> {
    /// From 200 to 599.
    pub status: u16,
    /// Names and values; none that frame the response.
    pub fields: &'response [(&'response str, &'response str)],
    /// The body; a response to HEAD has its length, but not its bytes.
    pub body: &'response [u8],
}

/// Appends a whole response.
pub(crate) fn encode_local(
    response: &LocalResponse<'_>,
    request_is_head: bool,
    end: ResponseEnd,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let is_writable = |(name, value): &(&str, &str)| {
        is_token(name.as_bytes())
            && FieldName::of(name.as_bytes()) == FieldName::Other
            && is_field_value(value.as_bytes())
    };
    if !(200..600).contains(&response.status) || !response.fields.iter().all(is_writable) {
        return Err(WriteError::BadField);
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(response.status.into(), out);
    out.push(b' ');
    out.extend_from_slice(reason(response.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.fields {
        for part in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    let has_no_body = matches!(response.status, 204 | 304);
    if !has_no_body {
        write_framing(BodyLength::Length(response.body.len() as u64), out);
    }
    end.write(out);
    out.extend_from_slice(b"\r\n");
    if !has_no_body && !request_is_head {
        out.extend_from_slice(response.body);
    }
    Ok(())
}

/// The reason phrase of a status that the balancer sends; the status code alone counts.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
