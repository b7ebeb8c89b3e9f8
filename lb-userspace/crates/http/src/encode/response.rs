//! PURE: the head of a response of a target, to a client.

use super::{
    lines::{copy_fields, write_decimal, write_framing},
    response_end::ResponseEnd,
};
use crate::{
    field_edits::FieldEdits,
    field_name::FieldName,
    framing::{BodyLength, ResponseFraming},
    head::Head,
    hop_by_hop::ConnectionOptions,
};

/// A response as it is forwarded.
#[derive(Debug, Clone, Copy)]
pub struct ResponseToForward<'response> {
    /// The head as the target has sent it.
    pub head: &'response Head,
    /// How it was read.
    pub framing: &'response ResponseFraming,
    /// Fields that the rules change.
    pub edits: &'response FieldEdits,
}

/// Appends the head of a final response or of status 101. Gives the length of the body that must follow it, and
/// whether the connection is kept.
pub(crate) fn encode_response(
    response: &ResponseToForward<'_>,
    end: ResponseEnd,
    out: &mut Vec<u8>,
) -> (BodyLength, bool) {
    let ResponseToForward { head, framing, edits } = response;
    let options = ConnectionOptions::of(head);
    let (body, end) = end.frame(framing.body);
    write_status_line(head, out);
    let keeps = |known, name: &[u8]| {
        let announces_no_trailers = known == FieldName::Trailer && body != BodyLength::Chunked;
        options.keeps(known, name) && !announces_no_trailers && edits.keeps(name)
    };
    copy_fields(head, |field, name| keeps(field.known, name), out);
    out.extend_from_slice(edits.lines());
    match framing.stated_length.filter(|_| body == BodyLength::None) {
        Some(length) => {
            out.extend_from_slice(b"Content-Length: ");
            write_decimal(length, out);
            out.extend_from_slice(b"\r\n");
        }
        None => write_framing(body, out),
    }
    // Status 426 names the protocols that it requires (RFC 9110, section 15.5.22).
    let names_protocols = framing.is_upgrade || head.status() == 426;
    let upgrade = head.values(FieldName::Upgrade).next().filter(|_| names_protocols);
    if let Some(protocol) = upgrade {
        out.extend_from_slice(b"Upgrade: ");
        out.extend_from_slice(protocol);
        out.extend_from_slice(b"\r\nConnection: upgrade\r\n");
    }
    if !framing.is_upgrade {
        end.write(out);
    }
    out.extend_from_slice(b"\r\n");
    (body, end.keep_alive)
}

/// Appends an interim response, such as 103, without anything of its hop.
pub(crate) fn encode_interim(head: &Head, out: &mut Vec<u8>) {
    let options = ConnectionOptions::of(head);
    write_status_line(head, out);
    let keeps = |known, name: &[u8]| known != FieldName::Trailer && options.keeps(known, name);
    copy_fields(head, |field, name| keeps(field.known, name), out);
    out.extend_from_slice(b"\r\n");
}

fn write_status_line(head: &Head, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(head.status().into(), out);
    out.push(b' ');
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
}
