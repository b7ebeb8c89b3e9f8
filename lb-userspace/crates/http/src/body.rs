//! PURE: the bytes of a body, as they arrive in pieces and as they are written (RFC 9112, sections 6 and 7).
//!
//! A decoder gives ranges of the caller's bytes and copies nothing but trailers.

mod chunk_line;
mod chunked;
mod encoder;
mod piece;
#[cfg(test)]
mod tests;

use std::ops::Range;

use chunked::ChunkedDecoder;
pub use encoder::{BodyEncoder, Frame, WriteError};
pub use piece::{Decoded, Piece};

use crate::{framing::BodyLength, head::Head, limits::Limits, refusal::Refusal};

/// Reads one body.
#[derive(Debug, Clone, Default)]
pub struct BodyDecoder {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Length(0)
    }
}

impl BodyDecoder {
    /// A decoder for a body of this length.
    #[must_use]
    pub fn new(length: BodyLength) -> Self {
        let state = match length {
            BodyLength::None => State::Length(0),
            BodyLength::Length(bytes) => State::Length(bytes),
            BodyLength::Chunked => State::Chunked(ChunkedDecoder::default()),
            BodyLength::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Whether [`Piece::End`] has come.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Decodes the next piece. After the end it consumes nothing.
    pub fn decode(
        &mut self,
        input: &[u8],
        limits: &Limits,
        trailers: &mut Head,
    ) -> Result<Decoded, Refusal> {
        let decoded = match &mut self.state {
            State::Ended => return Ok(Decoded::new(0, Piece::NeedsMore)),
            State::Length(0) => Decoded::new(0, Piece::End),
            State::Length(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= len as u64;
                data(0..len)
            }
            State::UntilClose => data(0..input.len()),
            State::Chunked(decoder) => decoder.decode(input, limits, trailers)?,
        };
        if decoded.piece == Piece::End {
            self.state = State::Ended;
        }
        Ok(decoded)
    }

    /// Takes the end of the connection into account; an error means that the body is cut.
    pub fn end_of_input(&mut self) -> Result<(), Refusal> {
        if !matches!(self.state, State::UntilClose | State::Ended | State::Length(0)) {
            return Err(Refusal::IncompleteMessage);
        }
        self.state = State::Ended;
        Ok(())
    }
}

fn data(range: Range<usize>) -> Decoded {
    let piece = if range.is_empty() { Piece::NeedsMore } else { Piece::Data(range.clone()) };
    Decoded::new(range.end, piece)
}
