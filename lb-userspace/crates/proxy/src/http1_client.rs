//! A client that speaks HTTP/1.

use std::{
    rc::Rc,
    task::{Context, Poll, ready},
};

use lb_http::{
    body::WriteError,
    connection::{AfterExchange, Event, ServerConnection, ServerOptions},
    encode::{LocalResponse, ResponseToForward},
    framing::{BodyLength, RequestFraming},
    head::{Head, Version},
    refusal::Refusal,
    uri::Uri,
};

use crate::{
    buffer::BUFFER_SIZE,
    client_side::{BodyEvent, ClientSide},
    failure::Failure,
    stream::Stream,
    tunnel_side::TunnelSide,
    wire::Wire,
    worker_state::Worker,
};

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct Http1Client {
    pub(crate) wire: Wire,
    engine: ServerConnection,
    worker: Rc<Worker>,
    /// Bytes at the start of the input that are content of the request.
    content: usize,
    /// Whether content of the response is sent in chunks.
    is_chunked: bool,
    /// Whether the end of the connection is the end of the response.
    ends_by_close: bool,
    received_before: u64,
    sent_before: u64,
}

/// What came instead of, or as, the head of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadEvent {
    /// The head of a request.
    Head,
    /// The client has closed its connection between two requests, or it failed.
    Closed,
    /// The request is refused.
    Refused(Refusal),
}

impl Http1Client {
    pub(crate) fn new(stream: Stream, options: ServerOptions, worker: Rc<Worker>) -> Self {
        Self {
            wire: Wire::new(stream),
            engine: ServerConnection::new(options),
            worker,
            content: 0,
            is_chunked: false,
            ends_by_close: false,
            received_before: 0,
            sent_before: 0,
        }
    }

    /// Waits for the next request.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<HeadEvent> {
        loop {
            if !self.wire.input.is_empty() {
                let read = self.engine.read(self.wire.input.bytes());
                self.wire.input.consume(read.consumed);
                match read.event {
                    Event::NeedsMore => {}
                    Event::Head => return Poll::Ready(HeadEvent::Head),
                    Event::Refused { reason, .. } => {
                        return Poll::Ready(HeadEvent::Refused(reason));
                    }
                    _ => return Poll::Ready(HeadEvent::Closed),
                }
            }
            match ready!(self.wire.poll_fill(cx)) {
                Ok(count) if count > 0 => {}
                Ok(_) => {
                    return Poll::Ready(match self.engine.end_of_input() {
                        Event::Refused { reason, .. } => HeadEvent::Refused(reason),
                        _ => HeadEvent::Closed,
                    });
                }
                Err(_) => return Poll::Ready(HeadEvent::Closed),
            }
        }
    }

    /// Whether any byte of the next request has arrived.
    pub(crate) fn has_begun(&self) -> bool {
        !self.wire.input.is_empty()
    }

    /// Its next response is the last one.
    pub(crate) fn close_after_response(&mut self) {
        self.engine.close_after_response();
    }

    /// A response that begins while the worker stops is the last one.
    fn close_if_stopping(&mut self) {
        if self.worker.stopping_since().is_some() {
            self.engine.close_after_response();
        }
    }

    /// What becomes of the connection.
    pub(crate) fn after_exchange(&self) -> AfterExchange {
        self.engine.after_exchange(self.wire.input.len())
    }

    /// Expects the next request.
    pub(crate) fn next_request(&mut self) {
        self.engine.next_request();
        self.content = 0;
        self.received_before = self.wire.received - self.wire.input.len() as u64;
        self.sent_before = self.wire.sent;
    }

    /// Gives memory back while the connection waits for its next request.
    pub(crate) fn release_memory(&mut self) {
        self.engine.release_memory();
        self.wire.release_memory();
    }

    /// A response was cut: where its end is the end of the connection, the client must see a reset instead.
    pub(crate) fn cut(&self) {
        if self.ends_by_close {
            self.wire.stream().reset_on_close();
        }
    }

    /// Reads and drops what arrives. `Ok(0)` is the end.
    pub(crate) fn poll_drop_input(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let waiting = self.wire.input.len();
        self.wire.input.consume(waiting);
        self.wire.poll_fill(cx)
    }
}

impl ClientSide for Http1Client {
    fn head(&self) -> &Head {
        self.engine.head()
    }

    fn framing(&self) -> &RequestFraming {
        self.engine.framing()
    }

    fn uri(&self) -> &Uri {
        self.engine.uri()
    }

    fn uri_mut(&mut self) -> &mut Uri {
        self.engine.uri_mut()
    }

    fn version(&self) -> &'static str {
        match self.engine.head().version() {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, Failure>> {
        loop {
            if self.content > 0 {
                return Poll::Ready(Ok(BodyEvent::Content));
            }
            let read = self.engine.read(self.wire.input.bytes());
            match read.event {
                Event::Data(range) => {
                    self.wire.input.consume(range.start);
                    self.content = range.len();
                }
                Event::End => {
                    self.wire.input.consume(read.consumed);
                    return Poll::Ready(Ok(BodyEvent::End));
                }
                Event::Refused { reason, .. } => {
                    return Poll::Ready(Err(Failure::Request(reason)));
                }
                Event::NeedsMore => {
                    self.wire.input.consume(read.consumed);
                    match ready!(self.wire.poll_fill(cx)) {
                        Ok(count) if count > 0 => {}
                        _ => return Poll::Ready(Err(Failure::ClientClosed)),
                    }
                }
                _ => self.wire.input.consume(read.consumed),
            }
        }
    }

    fn content(&self) -> &[u8] {
        &self.wire.input.bytes()[..self.content]
    }

    fn consume(&mut self, count: usize) {
        self.content -= count;
        self.wire.input.consume(count);
    }

    fn trailers(&self) -> Option<&Head> {
        Some(self.engine.trailers())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Requests that come early wait; more than a buffer of them is not read.
        while self.wire.input.len() < BUFFER_SIZE {
            match ready!(self.wire.poll_fill(cx)) {
                Ok(count) if count > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn write_interim(&mut self, head: &Head) -> Result<(), WriteError> {
        self.engine.write_interim(head, self.wire.output.tail())
    }

    fn write_response(&mut self, response: &ResponseToForward<'_>) -> Result<(), WriteError> {
        self.close_if_stopping();
        let is_open = matches!(response.framing.body, BodyLength::Chunked | BodyLength::UntilClose);
        self.ends_by_close = is_open && self.engine.head().version() == Version::Http10;
        self.is_chunked = is_open && self.engine.head().version() == Version::Http11;
        self.engine.write_response(response, self.wire.output.tail())
    }

    fn write_local(&mut self, response: &LocalResponse<'_>) -> Result<(), WriteError> {
        self.close_if_stopping();
        self.engine.write_local(response, self.wire.output.tail())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, Failure>> {
        if !self.is_chunked {
            let sent = ready!(self.wire.poll_send(cx, content));
            let count = sent.map_err(|_| Failure::ClientClosed)?;
            self.engine.frame(count).map_err(|_| Failure::Internal)?;
            return Poll::Ready(Ok(count));
        }
        if !self.wire.has_room() {
            ready!(self.wire.poll_flush(cx)).map_err(|_| Failure::ClientClosed)?;
        }
        let frame = self.engine.frame(content.len()).map_err(|_| Failure::Internal)?;
        let tail = self.wire.output.tail();
        for part in [frame.prefix(), content, frame.suffix()] {
            tail.extend_from_slice(part);
        }
        Poll::Ready(Ok(content.len()))
    }

    fn write_end(&mut self, trailers: Option<&Head>) -> Result<(), WriteError> {
        self.engine.write_end(trailers, self.wire.output.tail())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.wire.poll_flush(cx).map_err(|_| Failure::ClientClosed)
    }

    fn received(&self) -> u64 {
        self.wire.received - self.wire.input.len() as u64 - self.received_before
    }

    fn sent(&self) -> u64 {
        self.wire.sent - self.sent_before
    }

    fn tunnel(&mut self) -> &mut dyn TunnelSide {
        &mut self.wire
    }
}
