//! PURE: a strict decoder of chunks (RFC 9112, section 7.1).

use super::{
    chunk_line::{self, ChunkLine},
    piece::{Decoded, Piece},
};
use crate::{
    diagnose::Kind,
    head::Head,
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
};

/// Reads the chunks of one body.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkedDecoder {
    state: State,
    /// Bytes of extensions so far.
    extensions: usize,
}

#[derive(Debug, Clone, Default)]
enum State {
    /// At the line of a chunk.
    #[default]
    Line,
    /// In a chunk with this many bytes left.
    Data(u64),
    /// At the CRLF behind a chunk.
    DataEnd,
    /// In the trailer section.
    Trailers(Progress),
    /// Behind the trailer section.
    Ended,
}

impl ChunkedDecoder {
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        limits: &Limits,
        trailers: &mut Head,
    ) -> Result<Decoded, Refusal> {
        let mut consumed = 0;
        loop {
            let rest = &input[consumed..];
            match &mut self.state {
                State::Line => match line(rest, limits)? {
                    Some((line, len)) => {
                        consumed += len;
                        self.start_chunk(line, limits)?;
                    }
                    None => return Ok(Decoded::new(consumed, Piece::NeedsMore)),
                },
                State::Data(0) => self.state = State::DataEnd,
                State::Data(_) if rest.is_empty() => {
                    return Ok(Decoded::new(consumed, Piece::NeedsMore));
                }
                State::Data(left) => {
                    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= len as u64;
                    let end = consumed + len;
                    return Ok(Decoded::new(end, Piece::Data(consumed..end)));
                }
                State::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        consumed += 2;
                        self.state = State::Line;
                    }
                    [] | [b'\r'] => return Ok(Decoded::new(consumed, Piece::NeedsMore)),
                    _ => return Err(Refusal::BadChunkEnd),
                },
                State::Trailers(progress) => {
                    let parsed = parse(rest, Kind::Trailers, limits, progress, trailers)?;
                    let Some(len) = parsed else {
                        return Ok(Decoded::new(consumed, Piece::NeedsMore));
                    };
                    self.state = State::Ended;
                    let has_trailers = trailers.fields().len() > 0;
                    let piece = if has_trailers { Piece::Trailers } else { Piece::End };
                    return Ok(Decoded::new(consumed + len, piece));
                }
                State::Ended => return Ok(Decoded::new(consumed, Piece::End)),
            }
        }
    }

    fn start_chunk(&mut self, line: ChunkLine, limits: &Limits) -> Result<(), Refusal> {
        self.extensions += line.extensions;
        if self.extensions > limits.chunk_extensions_max {
            return Err(Refusal::ChunkExtensionsTooLong);
        }
        self.state = match line.size {
            0 => State::Trailers(Progress::default()),
            size => State::Data(size),
        };
        Ok(())
    }
}

/// The line at the start of `rest`, and its length with CRLF.
fn line(rest: &[u8], limits: &Limits) -> Result<Option<(ChunkLine, usize)>, Refusal> {
    let window = &rest[..rest.len().min(limits.chunk_line_max + 2)];
    let Some(position) = memchr::memchr(b'\n', window) else {
        let is_too_long = window.len() == limits.chunk_line_max + 2;
        return if is_too_long { Err(Refusal::ChunkLineTooLong) } else { Ok(None) };
    };
    let content = window[..position].strip_suffix(b"\r").ok_or(Refusal::BareLf)?;
    Ok(Some((chunk_line::read(content)?, position + 1)))
}
