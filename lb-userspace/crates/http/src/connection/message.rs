//! PURE: the message that a side is reading: head, body, trailers, in this order.

use crate::{
    body::{BodyDecoder, Decoded, Piece},
    diagnose::Kind,
    framing::BodyLength,
    head::Head,
    limits::Limits,
    parse::{Progress, parse},
    refusal::Refusal,
};

/// Where a side is in what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ReadState {
    /// No message is expected.
    Idle,
    /// Before the end of a head.
    #[default]
    Head,
    Body,
    /// The message is complete.
    Ended,
    Tunnel,
    Refused,
}

/// A message that is being read.
#[derive(Debug, Default)]
pub(super) struct IncomingMessage {
    pub(super) state: ReadState,
    pub(super) head: Head,
    pub(super) trailers: Head,
    progress: Progress,
    decoder: BodyDecoder,
    /// Bytes of a head have arrived.
    has_begun: bool,
}

impl IncomingMessage {
    /// Reads a head; `None` means that it needs more bytes.
    pub(super) fn read_head(
        &mut self,
        input: &[u8],
        kind: Kind,
        limits: &Limits,
    ) -> Result<Option<usize>, Refusal> {
        self.has_begun |= !input.is_empty();
        parse(input, kind, limits, &mut self.progress, &mut self.head)
    }

    /// The head has arrived, and a body of this length follows.
    pub(super) fn start_body(&mut self, length: BodyLength) {
        self.decoder = BodyDecoder::new(length);
        self.trailers.clear();
        self.state = ReadState::Body;
    }

    /// Reads the next piece of the body.
    pub(super) fn read_body(&mut self, input: &[u8], limits: &Limits) -> Result<Decoded, Refusal> {
        let decoded = self.decoder.decode(input, limits, &mut self.trailers)?;
        if decoded.piece == Piece::End {
            self.state = ReadState::Ended;
        }
        Ok(decoded)
    }

    /// Takes the end of the connection into account. `Ok(true)` means that it ends the body.
    pub(super) fn end_of_input(&mut self) -> Result<bool, Refusal> {
        match self.state {
            ReadState::Head if self.has_begun => Err(Refusal::IncompleteMessage),
            ReadState::Body => {
                self.decoder.end_of_input()?;
                self.state = ReadState::Ended;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Gives the memory of the last message back.
    pub(super) fn release_memory(&mut self) {
        self.head = Head::default();
        self.trailers = Head::default();
    }

    /// Expects the head of the next message.
    pub(super) fn expect_head(&mut self) {
        self.state = ReadState::Head;
        self.has_begun = false;
    }
}
