//! PURE: what happens on a connection, and what becomes of it.

use std::ops::Range;

use crate::{
    body::{Decoded, Piece},
    refusal::Refusal,
};

/// What the next bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet: give the bytes that were not consumed again, with more behind them.
    NeedsMore,
    /// A head has arrived: of a request, or of a final response.
    Head,
    /// The head of an interim (1xx) response has arrived; another head follows.
    Interim,
    /// Bytes of the body, in what was given.
    Data(Range<usize>),
    /// The trailer section has arrived.
    Trailers,
    /// The message is complete.
    End,
    /// All bytes from here on belong to a tunnel; the connection carries no other message.
    Tunnel,
    /// The peer has ended the connection between two messages.
    Closed,
    /// The message is refused. Nothing more is read; the connection must be closed.
    Refused {
        /// The machine reason.
        reason: Refusal,
        /// The status for the client.
        status: u16,
    },
}

/// What one call of `read` has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Bytes that must not be given again.
    pub consumed: usize,
    /// What they are.
    pub event: Event,
}

impl Read {
    pub(super) fn new(consumed: usize, event: Event) -> Self {
        Self { consumed, event }
    }
}

/// What becomes of a connection when request and response are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterExchange {
    /// The next request may follow.
    Reuse,
    /// Close it.
    Close,
    /// End the sending side, read and drop a bounded rest, then close: otherwise TCP resets the connection, and
    /// the client loses the response (RFC 9112, section 9.6).
    Linger,
    /// It is a tunnel now.
    Tunnel,
}

impl From<Decoded> for Read {
    fn from(decoded: Decoded) -> Self {
        let event = match decoded.piece {
            Piece::NeedsMore => Event::NeedsMore,
            Piece::Data(range) => Event::Data(range),
            Piece::Trailers => Event::Trailers,
            Piece::End => Event::End,
        };
        Self::new(decoded.consumed, event)
    }
}
