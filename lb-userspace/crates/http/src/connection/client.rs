//! PURE: a connection to a target: it writes requests and reads responses.

use super::{
    event::{AfterExchange, Event, Read},
    message::{IncomingMessage, ReadState},
};
use crate::{
    body::{BodyEncoder, Frame, WriteError},
    diagnose::Kind,
    encode::{RequestToForward, encode_request, encode_trailers},
    framing::{self, ResponseFraming},
    head::Head,
    limits::Limits,
    refusal::Refusal,
};

/// The status for a client whose target sends nonsense.
const BAD_GATEWAY: u16 = 502;

/// A connection to a target.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the exchange")]
pub struct ClientConnection {
    limits: Limits,
    incoming: IncomingMessage,
    framing: ResponseFraming,
    encoder: BodyEncoder,
    request_is_head: bool,
    request_is_upgrade: bool,
    request_closes: bool,
    /// Whether the connection is closed after this exchange.
    close: bool,
    interim_responses: u32,
}

impl ClientConnection {
    /// A new connection, with bounds of responses.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut incoming = IncomingMessage::default();
        incoming.state = ReadState::Idle;
        Self {
            limits,
            incoming,
            framing: ResponseFraming::default(),
            encoder: BodyEncoder::default(),
            request_is_head: false,
            request_is_upgrade: false,
            request_closes: false,
            close: false,
            interim_responses: 0,
        }
    }

    /// The head of the response, since [`Event::Head`] or [`Event::Interim`].
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.incoming.head
    }

    /// The trailer section of the response, since [`Event::Trailers`].
    #[must_use]
    pub fn trailers(&self) -> &Head {
        &self.incoming.trailers
    }

    /// How the response is read, since [`Event::Head`].
    #[must_use]
    pub fn framing(&self) -> &ResponseFraming {
        &self.framing
    }

    /// Appends the head of a request. Its body follows by [`Self::frame`] and [`Self::write_end`].
    pub fn write_request(
        &mut self,
        request: &RequestToForward<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        if self.incoming.state != ReadState::Idle || self.close {
            return Err(WriteError::OutOfOrder);
        }
        let body = encode_request(request, out)?;
        self.encoder = BodyEncoder::new(body);
        self.request_is_head = request.head.method() == b"HEAD";
        self.request_is_upgrade = request.framing.is_upgrade;
        self.request_closes = request.framing.close_both;
        self.close = self.request_closes;
        self.interim_responses = 0;
        self.incoming.expect_head();
        Ok(())
    }

    /// The request goes to another connection, which answers it anew. What was written of the request holds.
    pub fn expect_other_response(&mut self) {
        self.close = self.request_closes;
        self.interim_responses = 0;
        self.incoming.expect_head();
    }

    /// What stands around the next `len` bytes of the request's body.
    pub fn frame(&mut self, len: usize) -> Result<Frame, WriteError> {
        self.encoder.frame(len)
    }

    /// Ends the request, with the trailer section of the client if there is one.
    pub fn write_end(
        &mut self,
        trailers: Option<&Head>,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let mut lines = Vec::new();
        if let Some(trailers) = trailers {
            encode_trailers(trailers, &mut lines);
        }
        self.encoder.end(&lines, out)
    }

    /// Reads the next part of the response. Bytes without a request are refused.
    pub fn read(&mut self, input: &[u8]) -> Read {
        let result = match self.incoming.state {
            ReadState::Head => self.read_head(input),
            ReadState::Body => self.read_body(input),
            ReadState::Tunnel => Ok(Read::new(0, Event::Tunnel)),
            ReadState::Idle if !input.is_empty() => Err(Refusal::UnexpectedResponse),
            ReadState::Idle | ReadState::Ended | ReadState::Refused => {
                Ok(Read::new(0, Event::NeedsMore))
            }
        };
        result.unwrap_or_else(|reason| self.refuse(reason))
    }

    /// Takes the end of what the target sends into account; it ends a body of unknown length.
    ///
    /// It must be an orderly end. After a reset such a body is cut, and the client's connection must be closed
    /// without [`crate::connection::ServerConnection::write_end`].
    ///
    /// [`Event::Closed`] while a response is expected means that the target has closed before any byte of it.
    pub fn end_of_input(&mut self) -> Event {
        self.close = true;
        match self.incoming.end_of_input() {
            Ok(true) => Event::End,
            Ok(false) => Event::Closed,
            Err(reason) => self.refuse(reason).event,
        }
    }

    fn refuse(&mut self, reason: Refusal) -> Read {
        self.incoming.state = ReadState::Refused;
        self.close = true;
        Read::new(0, Event::Refused { reason, status: BAD_GATEWAY })
    }

    fn read_head(&mut self, input: &[u8]) -> Result<Read, Refusal> {
        let Some(len) = self.incoming.read_head(input, Kind::Response, &self.limits)? else {
            return Ok(Read::new(0, Event::NeedsMore));
        };
        let head = &self.incoming.head;
        self.framing = framing::response(head, self.request_is_head, self.request_is_upgrade)?;
        self.close |= !self.framing.keep_alive;
        if self.framing.is_interim {
            self.interim_responses += 1;
            if self.interim_responses > self.limits.interim_responses_max {
                return Err(Refusal::TooManyInterimResponses);
            }
            return Ok(Read::new(len, Event::Interim));
        }
        self.incoming.start_body(self.framing.body);
        if self.framing.is_upgrade {
            self.incoming.state = ReadState::Tunnel;
        }
        Ok(Read::new(len, Event::Head))
    }

    fn read_body(&mut self, input: &[u8]) -> Result<Read, Refusal> {
        Ok(self.incoming.read_body(input, &self.limits)?.into())
    }

    /// What becomes of the connection. `unread` is the number of bytes that have arrived and were not consumed:
    /// no request has asked for them, so the connection is not used again.
    #[must_use]
    pub fn after_exchange(&self, unread: usize) -> AfterExchange {
        match self.incoming.state {
            ReadState::Tunnel => AfterExchange::Tunnel,
            ReadState::Ended if self.encoder.is_ended() && !self.close && unread == 0 => {
                AfterExchange::Reuse
            }
            _ => AfterExchange::Close,
        }
    }

    /// Waits for the next request, when the exchange allows reuse, and gives back whether it does.
    pub fn next_exchange(&mut self, unread: usize) -> bool {
        let is_reused = self.after_exchange(unread) == AfterExchange::Reuse;
        if is_reused {
            self.incoming.state = ReadState::Idle;
        }
        is_reused
    }

    /// Gives memory back while the connection waits for its next request.
    pub fn release_memory(&mut self) {
        if self.incoming.state == ReadState::Idle {
            self.incoming.release_memory();
        }
    }
}
