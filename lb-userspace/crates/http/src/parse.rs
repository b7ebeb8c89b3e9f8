//! PURE: bytes to a head, by `httparse`, in time that is linear in the bytes whatever their pieces are.
//!
//! `httparse` accepts a bare LF; this file does not. What the head means is decided in [`crate::framing`].

#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::{
    diagnose::{Kind, diagnose},
    field_name::FieldName,
    head::{FieldSpan, Head, Span, Version},
    limits::{FIELDS_MAX, Limits},
    refusal::Refusal,
};

/// How far an incomplete head has been searched for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Bytes that have been searched.
    searched: usize,
    /// Where the last line among them starts.
    line_start: usize,
}

impl Progress {
    /// Whether these bytes must be parsed: they may hold a whole head, or exceed a bound.
    fn wants_parsing(&mut self, input: &[u8], kind: Kind, limits: &Limits) -> bool {
        let is_first_attempt = self.searched == 0;
        // The end may have begun in the bytes that were searched before.
        let from = self.searched.saturating_sub(3);
        let may_be_complete = kind == Kind::Trailers
            && (input.starts_with(b"\n") || input.starts_with(b"\r\n"))
            || memchr::memchr_iter(b'\n', &input[from..]).any(|position| {
                let after = &input[from + position + 1..];
                after.starts_with(b"\n") || after.starts_with(b"\r\n")
            });
        if let Some(last) = memchr::memrchr(b'\n', &input[self.searched..]) {
            self.line_start = self.searched + last + 1;
        }
        self.searched = input.len();
        let is_start_line = self.line_start == 0 && kind != Kind::Trailers;
        let line_max = if is_start_line { limits.start_line_max } else { limits.field_line_max };
        // One more byte, since the last one may be the CR of the line's end.
        let line_is_too_long = input.len() - self.line_start > line_max + 1;
        is_first_attempt
            || may_be_complete
            || line_is_too_long
            || input.len() >= section_max(kind, limits)
    }
}

/// The bound on all bytes of a head or trailer section.
fn section_max(kind: Kind, limits: &Limits) -> usize {
    if kind == Kind::Trailers { limits.trailers_max } else { limits.head_max }
}

/// Parses a head or trailer section at the start of `input` into `head`, and gives its length in bytes.
///
/// `None` means that it needs more bytes. The same bytes must then be given again with more behind them.
pub(crate) fn parse(
    input: &[u8],
    kind: Kind,
    limits: &Limits,
    progress: &mut Progress,
    head: &mut Head,
) -> Result<Option<usize>, Refusal> {
    let section_max = section_max(kind, limits);
    let window = &input[..input.len().min(section_max)];
    if window.is_empty() || !progress.wants_parsing(window, kind, limits) {
        return Ok(None);
    }
    let parsed = attempt(window, kind, head);
    if let Ok(Some(len)) = parsed
        && is_regular(window, len, head, kind, limits)
    {
        *progress = Progress::default();
        head.bytes.extend_from_slice(&window[..len]);
        return Ok(Some(len));
    }
    // Its parts lie in bytes that it does not have.
    head.clear();
    let refused = |error| diagnose(window, kind, limits).unwrap_or_else(|| unnamed(error));
    let parsed = parsed.map_err(refused)?;
    let too_long = || {
        let is_trailers = kind == Kind::Trailers;
        if is_trailers { Refusal::TrailersTooLong } else { Refusal::HeadTooLong }
    };
    match (diagnose(window, kind, limits), parsed) {
        (Some(refusal), _) => Err(refusal),
        (None, None) if window.len() >= section_max => Err(too_long()),
        (None, None) => Ok(None),
        // A complete head that is not regular has a named fault; this is what is left in theory.
        (None, Some(_)) => Err(Refusal::BadStartLine),
    }
}

/// Runs `httparse` and takes the places of all parts.
fn attempt(window: &[u8], kind: Kind, head: &mut Head) -> Result<Option<usize>, httparse::Error> {
    head.clear();
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let base = window.as_ptr() as usize;
    let span = |part: &[u8]| -> Span {
        let start = part.as_ptr() as usize - base;
        // A head is shorter than 2^32 bytes.
        Span { start: truncate(start), end: truncate(start + part.len()) }
    };
    let version = |minor| if minor == Some(0) { Version::Http10 } else { Version::Http11 };
    let mut empty = [];
    let (status, headers) = match kind {
        Kind::Request => {
            let mut request = httparse::Request::new(&mut empty);
            let status = request.parse_with_uninit_headers(window, &mut slots)?;
            head.method = request.method.map_or(Span::default(), |part| span(part.as_bytes()));
            head.target = request.path.map_or(Span::default(), |part| span(part.as_bytes()));
            head.version = version(request.version);
            (status, &*request.headers)
        }
        Kind::Response => {
            let mut response = httparse::Response::new(&mut empty);
            let config = httparse::ParserConfig::default();
            let status =
                config.parse_response_with_uninit_headers(&mut response, window, &mut slots)?;
            head.status = response.code.unwrap_or(0);
            // An absent reason phrase is a literal of httparse, not part of the window.
            let reason = response.reason.filter(|reason| !reason.is_empty());
            head.reason = reason.map_or(Span::default(), |part| span(part.as_bytes()));
            head.version = version(response.version);
            (status, &*response.headers)
        }
        Kind::Trailers => return attempt_trailers(window, head, span),
    };
    let Status::Complete(len) = status else { return Ok(None) };
    head.fields.extend(headers.iter().map(|header| field_span(header, span)));
    Ok(Some(len))
}

fn attempt_trailers(
    window: &[u8],
    head: &mut Head,
    span: impl Fn(&[u8]) -> Span + Copy,
) -> Result<Option<usize>, httparse::Error> {
    let mut slots = [httparse::EMPTY_HEADER; FIELDS_MAX];
    match httparse::parse_headers(window, &mut slots)? {
        Status::Complete((len, headers)) => {
            head.fields.extend(headers.iter().map(|header| field_span(header, span)));
            Ok(Some(len))
        }
        Status::Partial => Ok(None),
    }
}

fn field_span(header: &Header<'_>, span: impl Fn(&[u8]) -> Span) -> FieldSpan {
    let name = span(header.name.as_bytes());
    // An empty value may be a literal of httparse; it lies behind the colon.
    let value = if header.value.is_empty() {
        Span { start: name.end + 1, end: name.end + 1 }
    } else {
        span(header.value)
    };
    FieldSpan { known: FieldName::of(header.name.as_bytes()), name, value }
}

/// Whether a head that `httparse` accepts has CRLF at the end of each line, and keeps to the bounds.
fn is_regular(window: &[u8], len: usize, head: &Head, kind: Kind, limits: &Limits) -> bool {
    let ends = |end: usize| window[..end].ends_with(b"\r\n");
    if !ends(len) {
        return false;
    }
    let first = head.fields.first().map_or(len - 2, |field| field.name.start as usize);
    let is_trailers = kind == Kind::Trailers;
    if !(is_trailers && first == 0 || ends(first)) {
        return false;
    }
    if !is_trailers && first > limits.start_line_max + 2 || head.fields.len() > limits.fields_max {
        return false;
    }
    let starts = head.fields.iter().skip(1).map(|field| field.name.start as usize);
    let mut start = first;
    for end in starts.chain([len - 2]) {
        if end != start && (!ends(end) || end - start > limits.field_line_max + 2) {
            return false;
        }
        start = end;
    }
    has_start_line(window, kind)
}

/// `httparse` skips empty lines before a start line; the caller has to take them away.
fn has_start_line(window: &[u8], kind: Kind) -> bool {
    kind == Kind::Trailers || !window.starts_with(b"\r") && !window.starts_with(b"\n")
}

fn truncate(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The name of an error of `httparse` that [`diagnose`] does not see.
fn unnamed(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderName => Refusal::BadFieldName,
        httparse::Error::HeaderValue => Refusal::ControlInValue,
        httparse::Error::NewLine => Refusal::BareCr,
        httparse::Error::Status => Refusal::BadStatus,
        httparse::Error::Version => Refusal::BadVersion,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::Token => Refusal::BadStartLine,
    }
}
