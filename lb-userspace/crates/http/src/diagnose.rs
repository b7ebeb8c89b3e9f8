//! PURE: which rule a head breaks first. It runs only for heads that are refused or incomplete.
//!
//! The first offending byte decides, so the reason does not depend on the pieces in which a head came.

use crate::{head::is_token_byte, limits::Limits, refusal::Refusal};

/// What a section of lines is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
    /// Field lines without a start line.
    Trailers,
}

/// The first rule that these bytes break; `None` when they are the start of a good head.
pub(crate) fn diagnose(bytes: &[u8], kind: Kind, limits: &Limits) -> Option<Refusal> {
    let mut rest = bytes;
    if kind != Kind::Trailers {
        let line = Line::first(rest);
        if let Some(refusal) = start_line(&line, kind, limits) {
            return Some(refusal);
        }
        rest = &rest[line.len_with_end..];
    }
    let mut fields = 0;
    while !rest.is_empty() {
        let line = Line::first(rest);
        if line.content.is_empty() && line.is_complete {
            return (!line.has_crlf).then_some(Refusal::BareLf);
        }
        if line.content != b"\r" || line.is_complete {
            fields += 1;
            if fields > limits.fields_max {
                return Some(Refusal::TooManyFields);
            }
        }
        if let Some(refusal) = field_line(&line, limits.field_line_max) {
            return Some(refusal);
        }
        rest = &rest[line.len_with_end..];
    }
    None
}

/// One line, perhaps without its end.
struct Line<'bytes> {
    /// Without CRLF or LF; an incomplete line keeps a CR at its end.
    content: &'bytes [u8],
    len_with_end: usize,
    is_complete: bool,
    has_crlf: bool,
}

impl<'bytes> Line<'bytes> {
    fn first(bytes: &'bytes [u8]) -> Self {
        let Some(position) = memchr::memchr(b'\n', bytes) else {
            let len = bytes.len();
            return Self { content: bytes, len_with_end: len, is_complete: false, has_crlf: false };
        };
        let line = &bytes[..position];
        let content = line.strip_suffix(b"\r");
        let has_crlf = content.is_some();
        let content = content.unwrap_or(line);
        Self { content, len_with_end: position + 1, is_complete: true, has_crlf }
    }

    /// The content up to the bound, and whether it is longer.
    fn bounded(&self, max: usize) -> (&'bytes [u8], bool) {
        let may_end = !self.is_complete && self.content.ends_with(b"\r");
        let content = if may_end { &self.content[..self.content.len() - 1] } else { self.content };
        (&content[..content.len().min(max)], content.len() > max)
    }
}

fn start_line(line: &Line<'_>, kind: Kind, limits: &Limits) -> Option<Refusal> {
    let (content, is_too_long) = line.bounded(limits.start_line_max);
    let is_whole = line.is_complete && !is_too_long;
    let refusal = match kind {
        Kind::Request => request_line(content, is_whole),
        Kind::Response | Kind::Trailers => status_line(content, is_whole),
    };
    let bare = || match memchr::memchr(b'\r', content) {
        Some(_) => Some(Refusal::BareCr),
        None if is_whole && !line.has_crlf => Some(Refusal::BareLf),
        None => None,
    };
    refusal.or_else(bare).or(is_too_long.then_some(Refusal::StartLineTooLong))
}

fn request_line(content: &[u8], is_whole: bool) -> Option<Refusal> {
    let mut parts = content.splitn(3, |byte| *byte == b' ');
    let method = parts.next().unwrap_or_default();
    if let Some(byte) = method.iter().find(|byte| !is_token_byte(**byte)) {
        return Some(if *byte == b'\r' { Refusal::BadStartLine } else { Refusal::BadMethod });
    }
    let Some(target) = parts.next() else {
        return is_whole.then_some(Refusal::BadStartLine);
    };
    if method.is_empty() {
        return Some(Refusal::BadMethod);
    }
    if let Some(byte) = target.iter().find(|byte| byte.is_ascii_control()) {
        return Some(if *byte == b'\r' { Refusal::BadStartLine } else { Refusal::ControlInTarget });
    }
    let Some(version) = parts.next() else {
        return is_whole.then_some(Refusal::BadStartLine);
    };
    if target.is_empty() {
        return Some(Refusal::BadTarget);
    }
    let (version, rest) = version.split_at(version.len().min(8));
    bad_version(version, is_whole).or(match rest {
        [] => None,
        [b'\r', ..] => Some(Refusal::BareCr),
        _ => Some(Refusal::BadVersion),
    })
}

fn status_line(content: &[u8], is_whole: bool) -> Option<Refusal> {
    let version = &content[..content.len().min(8)];
    if let Some(refusal) = bad_version(version, is_whole || content.len() > 8) {
        return Some(refusal);
    }
    let rest = content.get(8..).unwrap_or_default();
    let pattern_fits = rest.iter().take(5).enumerate().all(|(place, byte)| match place {
        0 | 4 => *byte == b' ',
        _ => byte.is_ascii_digit(),
    });
    let is_short = is_whole && rest.len() < 4;
    let reason = rest.get(5..).unwrap_or_default();
    let is_bad_reason =
        reason.iter().any(|byte| byte.is_ascii_control() && !b"\t\r".contains(byte));
    (!pattern_fits || is_short || is_bad_reason).then_some(Refusal::BadStatus)
}

/// What is wrong with `HTTP/1.1`; a part of it is good as long as the line is incomplete.
fn bad_version(version: &[u8], is_whole: bool) -> Option<Refusal> {
    const PATTERN: &[u8] = b"HTTP/1.1";
    let fits = |(place, byte): (usize, &u8)| match place {
        5 | 7 => byte.is_ascii_digit(),
        6 => *byte == b'.',
        _ => PATTERN.get(place) == Some(byte),
    };
    if !version.iter().enumerate().all(fits) || is_whole && version.len() != PATTERN.len() {
        return Some(Refusal::BadVersion);
    }
    let is_supported = |(place, byte): (usize, &u8)| match place {
        5 => *byte == b'1',
        7 => matches!(byte, b'0' | b'1'),
        _ => true,
    };
    let supported = version.iter().enumerate().all(is_supported);
    (!supported).then_some(Refusal::UnsupportedVersion)
}

fn field_line(line: &Line<'_>, max: usize) -> Option<Refusal> {
    let (content, is_too_long) = line.bounded(max);
    let is_whole = line.is_complete && !is_too_long;
    if matches!(content.first(), Some(b' ' | b'\t')) {
        return Some(Refusal::ObsFold);
    }
    let too_long = is_too_long.then_some(Refusal::FieldLineTooLong);
    let Some(colon) = memchr::memchr(b':', content) else {
        return name(content, false).or(too_long).or(is_whole.then_some(Refusal::BadFieldName));
    };
    let refusal = name(&content[..colon], true).or_else(|| value(&content[colon + 1..]));
    let is_bare = is_whole && !line.has_crlf;
    refusal.or(too_long).or(is_bare.then_some(Refusal::BareLf))
}

fn name(name: &[u8], has_colon: bool) -> Option<Refusal> {
    let bad = name.iter().position(|byte| !is_token_byte(*byte));
    match bad.map(|position| name[position]) {
        None => (has_colon && name.is_empty()).then_some(Refusal::BadFieldName),
        Some(b' ' | b'\t') => Some(Refusal::SpaceBeforeColon),
        Some(_) => Some(Refusal::BadFieldName),
    }
}

fn value(value: &[u8]) -> Option<Refusal> {
    let is_control = |byte: &&u8| byte.is_ascii_control() && **byte != b'\t';
    value.iter().find(is_control).map(|byte| match byte {
        0 => Refusal::NulInValue,
        b'\r' => Refusal::BareCr,
        _ => Refusal::ControlInValue,
    })
}
