//! A connection to a target: requests out, responses in.

use std::{
    net::SocketAddr,
    task::{Context, Poll, ready},
};

use lb_http::{
    body::WriteError,
    connection::{ClientConnection, Event},
    head::Head,
    limits::Limits,
    refusal::Refusal,
};

use crate::{stream::Stream, wire::Wire};

/// A connection to a target.
#[derive(Debug)]
pub(crate) struct TargetConnection {
    pub(crate) wire: Wire,
    pub(crate) engine: ClientConnection,
    pub(crate) address: SocketAddr,
    /// Requests that it has served before.
    pub(crate) served: u64,
    /// Bytes at the start of the input that are content of the response.
    content: usize,
    /// `wire.received` when the request began.
    received_before: u64,
}

/// What a target has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetEvent {
    /// The head of an interim response.
    Interim,
    /// The head of the response.
    Head,
    /// Content: see [`TargetConnection::content`].
    Content,
    /// The response is complete.
    End,
    /// The connection has ended in order, before or within the response.
    Closed,
    /// It was reset, or failed.
    Reset,
    /// It breaks the rules of HTTP/2.
    ProtocolError,
    /// The response breaks a rule.
    Refused(Refusal),
}

impl TargetConnection {
    pub(crate) fn new(stream: Stream, address: SocketAddr) -> Self {
        Self {
            wire: Wire::new(stream),
            engine: ClientConnection::new(Limits::RESPONSE),
            address,
            served: 0,
            content: 0,
            received_before: 0,
        }
    }

    /// A request begins: what is sent is kept, so that it can be sent again over another connection.
    pub(crate) fn begin(&mut self) {
        self.received_before = self.wire.received;
        self.content = 0;
        self.wire.output.keep_sent();
    }

    /// Whether any byte of a response has arrived since [`Self::begin`].
    pub(crate) fn has_answered(&self) -> bool {
        self.wire.received != self.received_before
    }

    /// Goes on with another connection: everything that was sent is sent again.
    pub(crate) fn reconnect(&mut self, stream: Stream) {
        self.wire.replace_stream(stream);
        self.served = 0;
    }

    /// Leaves the response, and goes on with another target: everything that was sent is sent again.
    pub(crate) fn begin_again(&mut self, stream: Stream, address: SocketAddr) {
        self.wire.input.consume(self.wire.input.len());
        self.content = 0;
        self.engine.expect_other_response();
        self.reconnect(stream);
        self.address = address;
        self.received_before = self.wire.received;
    }

    /// The content that has arrived.
    pub(crate) fn content(&self) -> &[u8] {
        &self.wire.input.bytes()[..self.content]
    }

    /// Takes content away.
    pub(crate) fn consume(&mut self, count: usize) {
        self.content -= count;
        self.wire.input.consume(count);
    }

    /// What the target sends next. Content must be consumed before.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TargetEvent> {
        loop {
            if self.content > 0 {
                return Poll::Ready(TargetEvent::Content);
            }
            let read = self.engine.read(self.wire.input.bytes());
            let event = match read.event {
                Event::NeedsMore => {
                    self.wire.input.consume(read.consumed);
                    match ready!(self.wire.poll_fill(cx)) {
                        Ok(0) => return Poll::Ready(self.end_of_input()),
                        Ok(_) => continue,
                        Err(_) => return Poll::Ready(TargetEvent::Reset),
                    }
                }
                Event::Data(range) => {
                    self.wire.input.consume(range.start);
                    self.content = range.len();
                    continue;
                }
                Event::Trailers => {
                    self.wire.input.consume(read.consumed);
                    continue;
                }
                Event::Interim => TargetEvent::Interim,
                Event::Head => TargetEvent::Head,
                Event::End => TargetEvent::End,
                // A tunnel is not read here.
                Event::Closed | Event::Tunnel => TargetEvent::Closed,
                Event::Refused { reason, .. } => TargetEvent::Refused(reason),
            };
            self.wire.input.consume(read.consumed);
            return Poll::Ready(event);
        }
    }

    fn end_of_input(&mut self) -> TargetEvent {
        if !self.has_answered() {
            // The engine is not told, so that the request can go on over another connection.
            return TargetEvent::Closed;
        }
        match self.engine.end_of_input() {
            Event::End => TargetEvent::End,
            _ => TargetEvent::Closed,
        }
    }

    /// Sends content of the request. Gives the number of bytes that were taken.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        content: &[u8],
        is_chunked: bool,
    ) -> Poll<Result<usize, SendError>> {
        if !is_chunked {
            let count =
                ready!(self.wire.poll_send(cx, content)).map_err(|_| SendError::Connection)?;
            self.engine.frame(count).map_err(|_| SendError::Framing)?;
            return Poll::Ready(Ok(count));
        }
        if !self.wire.has_room() {
            ready!(self.wire.poll_flush(cx)).map_err(|_| SendError::Connection)?;
        }
        self.wire.limit_kept();
        let frame = self.engine.frame(content.len()).map_err(|_| SendError::Framing)?;
        let tail = self.wire.output.tail();
        for part in [frame.prefix(), content, frame.suffix()] {
            tail.extend_from_slice(part);
        }
        Poll::Ready(Ok(content.len()))
    }

    /// Ends the request.
    pub(crate) fn end_request(&mut self, trailers: Option<&Head>) -> Result<(), WriteError> {
        self.engine.write_end(trailers, self.wire.output.tail())
    }

    /// Gives memory back while the connection is idle.
    pub(crate) fn release_memory(&mut self) {
        self.engine.release_memory();
    }

    /// Waits for the next request, if the exchange allows it.
    pub(crate) fn next_exchange(&mut self) -> bool {
        let is_reused = self.wire.output.is_empty()
            && self.content == 0
            && self.engine.next_exchange(self.wire.input.len());
        if is_reused {
            self.served += 1;
            self.wire.output.release();
            self.wire.release_memory();
        }
        is_reused
    }
}

/// Why content could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendError {
    /// The connection failed.
    Connection,
    /// The content is not what the head says.
    Framing,
}
