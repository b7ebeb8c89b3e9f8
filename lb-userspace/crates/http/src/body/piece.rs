//! PURE: what one step of decoding a body gives.

use std::ops::Range;

/// What the next bytes of a body are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Nothing yet: more bytes are needed behind those that were not consumed.
    NeedsMore,
    /// Bytes of the content, in what was given; never empty.
    Data(Range<usize>),
    /// The trailer section is there; the end follows.
    Trailers,
    /// The body is complete. It comes once.
    End,
}

/// What one call has decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes that must not be given again.
    pub consumed: usize,
    /// What they are.
    pub piece: Piece,
}

impl Decoded {
    pub(super) fn new(consumed: usize, piece: Piece) -> Self {
        Self { consumed, piece }
    }
}
