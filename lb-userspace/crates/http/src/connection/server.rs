//! PURE: a connection from a client: it reads requests and writes responses.

use super::{
    event::{AfterExchange, Event, Read},
    message::{IncomingMessage, ReadState},
};
use crate::{
    body::{BodyEncoder, Frame, WriteError},
    desync::DesyncMitigation,
    diagnose::Kind,
    encode::{
        LocalResponse, ResponseEnd, ResponseToForward, encode_interim, encode_local,
        encode_response, encode_trailers,
    },
    framing::{self, RequestFraming},
    head::{Head, Version},
    limits::Limits,
    refusal::Refusal,
    uri::{Uri, UriPolicy},
};

/// What a listener says about its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// Bounds of a request.
    pub limits: Limits,
    /// What is passed although it does not comply.
    pub desync_mitigation: DesyncMitigation,
    /// What becomes of paths that servers read differently.
    pub uri_policy: UriPolicy,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::REQUEST,
            desync_mitigation: DesyncMitigation::default(),
            uri_policy: UriPolicy::default(),
        }
    }
}

/// What has been written of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum WriteState {
    #[default]
    Nothing,
    Head,
    Tunnel,
}

/// A connection from a client.
#[derive(Debug, Default)]
pub struct ServerConnection {
    options: ServerOptions,
    incoming: IncomingMessage,
    framing: RequestFraming,
    uri: Uri,
    write_state: WriteState,
    encoder: BodyEncoder,
    /// Whether the client is asked to close after this response.
    close: bool,
    /// An empty line before a request was skipped.
    has_skipped_line: bool,
    has_sent_continue: bool,
}

impl ServerConnection {
    /// A new connection.
    #[must_use]
    pub fn new(options: ServerOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The head of the request, since [`Event::Head`].
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.incoming.head
    }

    /// The trailer section of the request, since [`Event::Trailers`].
    #[must_use]
    pub fn trailers(&self) -> &Head {
        &self.incoming.trailers
    }

    /// How the request is read, since [`Event::Head`].
    #[must_use]
    pub fn framing(&self) -> &RequestFraming {
        &self.framing
    }

    /// The normalised URI, since [`Event::Head`].
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The same, for a rewrite.
    pub fn uri_mut(&mut self) -> &mut Uri {
        &mut self.uri
    }

    /// Reads the next part of a request. Behind its end, bytes wait for [`Self::next_request`].
    pub fn read(&mut self, input: &[u8]) -> Read {
        let result = match self.incoming.state {
            ReadState::Head => self.read_head(input),
            ReadState::Body => self.read_body(input),
            ReadState::Tunnel => Ok(Read::new(0, Event::Tunnel)),
            ReadState::Idle | ReadState::Ended | ReadState::Refused => {
                Ok(Read::new(0, Event::NeedsMore))
            }
        };
        result.unwrap_or_else(|reason| self.refuse(reason))
    }

    /// Takes the end of what the client sends into account: an orderly end, not a reset.
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
        Read::new(0, Event::Refused { reason, status: reason.status() })
    }

    fn read_head(&mut self, input: &[u8]) -> Result<Read, Refusal> {
        // RFC 9112, section 2.2: one empty line before a request is ignored.
        let skipped = match input {
            [b'\r', b'\n', ..] if !self.has_skipped_line => 2,
            [b'\r'] if !self.has_skipped_line => return Ok(Read::new(0, Event::NeedsMore)),
            _ => 0,
        };
        self.has_skipped_line |= skipped > 0;
        let input = &input[skipped..];
        let Some(len) = self.incoming.read_head(input, Kind::Request, &self.options.limits)? else {
            return Ok(Read::new(skipped, Event::NeedsMore));
        };
        let head = &self.incoming.head;
        framing::refuse_method(head)?;
        let findings = self.uri.read(head, self.options.uri_policy)?;
        self.framing = framing::request(head, self.options.desync_mitigation, findings)?;
        self.incoming.start_body(self.framing.body);
        Ok(Read::new(skipped + len, Event::Head))
    }

    fn read_body(&mut self, input: &[u8]) -> Result<Read, Refusal> {
        Ok(self.incoming.read_body(input, &self.options.limits)?.into())
    }

    /// Ends the connection after this response, or after the next one: the listener drains, or the connection is
    /// too old.
    pub fn close_after_response(&mut self) {
        self.close = true;
    }

    /// Whether the client waits for status 100 before it sends the body.
    #[must_use]
    pub fn waits_for_continue(&self) -> bool {
        self.framing.expects_continue
            && !self.has_sent_continue
            && self.write_state == WriteState::Nothing
            && self.incoming.state == ReadState::Body
    }

    /// Appends status 100, once, if the client waits for it.
    pub fn write_continue(&mut self, out: &mut Vec<u8>) {
        if self.waits_for_continue() {
            self.has_sent_continue = true;
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Passes an interim response on. HTTP/1.0 knows none (RFC 9110, section 15.2), and gets none.
    pub fn write_interim(&mut self, head: &Head, out: &mut Vec<u8>) -> Result<(), WriteError> {
        if self.write_state != WriteState::Nothing {
            return Err(WriteError::OutOfOrder);
        }
        if self.incoming.head.version() == Version::Http11 {
            self.has_sent_continue |= head.status() == 100;
            encode_interim(head, out);
        }
        Ok(())
    }

    /// Appends the head of a target's response. Its body follows by [`Self::frame`] and [`Self::write_end`].
    pub fn write_response(
        &mut self,
        response: &ResponseToForward<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        if self.write_state != WriteState::Nothing || response.framing.is_interim {
            return Err(WriteError::OutOfOrder);
        }
        if response.framing.is_upgrade && !self.framing.is_upgrade {
            return Err(WriteError::OutOfOrder);
        }
        let (body, keep_alive) = encode_response(response, self.response_end(), out);
        self.close |= !keep_alive;
        self.encoder = BodyEncoder::new(body);
        self.write_state = WriteState::Head;
        if response.framing.is_upgrade {
            self.write_state = WriteState::Tunnel;
            self.incoming.state = ReadState::Tunnel;
        }
        Ok(())
    }

    /// Appends a whole response of the balancer itself. The connection closes when the request is not read.
    pub fn write_local(
        &mut self,
        response: &LocalResponse<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        if self.write_state != WriteState::Nothing {
            return Err(WriteError::OutOfOrder);
        }
        self.close |= self.incoming.state != ReadState::Ended && !self.framing.body.is_empty();
        let request_is_head = self.incoming.head.method() == b"HEAD";
        encode_local(response, request_is_head, self.response_end(), out)?;
        self.write_state = WriteState::Head;
        self.encoder = BodyEncoder::default();
        Ok(())
    }

    fn response_end(&self) -> ResponseEnd {
        let client = self.incoming.head.version();
        let keep_alive = self.framing.keep_alive && !self.close;
        ResponseEnd { client, keep_alive }
    }

    /// What stands around the next `len` bytes of the response's body.
    pub fn frame(&mut self, len: usize) -> Result<Frame, WriteError> {
        self.encoder.frame(len)
    }

    /// Ends the response, with the trailer section of the target if there is one.
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

    /// What becomes of the connection. `unread` is the number of bytes that have arrived and were not consumed.
    #[must_use]
    pub fn after_exchange(&self, unread: usize) -> AfterExchange {
        let is_read = self.incoming.state == ReadState::Ended
            || self.incoming.state == ReadState::Body && self.framing.body.is_empty();
        let is_written = self.write_state == WriteState::Head && self.encoder.is_ended();
        match self.write_state {
            WriteState::Tunnel => AfterExchange::Tunnel,
            _ if !is_written => AfterExchange::Close,
            _ if !is_read || self.will_close() && unread > 0 => AfterExchange::Linger,
            _ if self.will_close() => AfterExchange::Close,
            _ => AfterExchange::Reuse,
        }
    }

    fn will_close(&self) -> bool {
        self.close || !self.framing.keep_alive
    }

    /// Expects the next request. It does nothing unless the exchange allows reuse.
    pub fn next_request(&mut self) {
        if self.after_exchange(0) == AfterExchange::Reuse {
            self.incoming.expect_head();
            self.framing = RequestFraming::default();
            self.write_state = WriteState::Nothing;
            self.encoder = BodyEncoder::default();
            self.has_skipped_line = false;
            self.has_sent_continue = false;
        }
    }

    /// Gives memory back while the connection waits for its next request.
    pub fn release_memory(&mut self) {
        if self.incoming.state == ReadState::Head {
            self.incoming.release_memory();
            self.uri = Uri::default();
        }
    }
}
