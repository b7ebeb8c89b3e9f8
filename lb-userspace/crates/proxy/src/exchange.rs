//! One request and its response, both on their way at the same time, in buffers of bounded size. It does not
//! choose a target, and knows no time.

use std::task::{Context, Poll, Waker, ready};

use lb_http::{encode::ResponseToForward, framing::BodyLength};

use crate::{
    client_side::{BodyEvent, ClientSide},
    failure::Failure,
    request_timeouts::WaitsFor,
    target_connection::{SendError, TargetEvent},
    target_side::TargetSide,
};

/// How far the request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestState {
    /// Content is on its way.
    Body,
    /// All of it was written.
    Ended,
}

/// A request and its response.
pub(crate) struct Exchange<'side, C> {
    pub(crate) client: &'side mut C,
    pub(crate) target: &'side mut TargetSide,
    request: RequestState,
    /// The target takes no more of the request, and may have a response nevertheless.
    is_broken: bool,
    has_response_ended: bool,
    /// Whether bytes have moved since the last call of [`Self::take_progress`].
    has_progress: bool,
}

impl<'side, C: ClientSide> Exchange<'side, C> {
    /// The head of the request was written already.
    pub(crate) fn new(client: &'side mut C, target: &'side mut TargetSide) -> Self {
        Self {
            client,
            target,
            request: RequestState::Body,
            is_broken: false,
            has_response_ended: false,
            has_progress: false,
        }
    }

    /// Whether bytes have moved since the last call.
    pub(crate) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progress)
    }

    /// Whether the whole request was written.
    pub(crate) fn has_request_ended(&self) -> bool {
        self.request == RequestState::Ended
    }

    /// The request goes to another connection.
    pub(crate) fn restart(&mut self) {
        self.is_broken = false;
    }

    /// Who has to do something.
    pub(crate) fn waits_for(&self, has_response: bool) -> WaitsFor {
        let is_sent = self.target.is_sent() && self.client.content().is_empty();
        match self.request {
            _ if has_response && self.has_response_ended => WaitsFor::ClientRead,
            _ if has_response && !self.target.content().is_empty() => WaitsFor::ClientRead,
            RequestState::Body if is_sent && !has_response => WaitsFor::Request,
            _ => WaitsFor::Target,
        }
    }

    /// Sends the request until the head of the response has arrived; interim responses are passed on.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let mut has_moved = self.poll_request(cx)?;
            match self.target.poll_event(cx) {
                Poll::Ready(TargetEvent::Head) => return Poll::Ready(Ok(())),
                Poll::Ready(TargetEvent::Interim) => {
                    let head = self.target.head();
                    self.client.write_interim(head).map_err(|_| Failure::Internal)?;
                    has_moved = true;
                }
                Poll::Ready(TargetEvent::Refused(refusal)) => {
                    return Poll::Ready(Err(Failure::Response(refusal)));
                }
                Poll::Ready(TargetEvent::Reset) => return Poll::Ready(Err(Failure::TargetReset)),
                Poll::Ready(TargetEvent::ProtocolError) => {
                    return Poll::Ready(Err(Failure::TargetProtocolError));
                }
                Poll::Ready(TargetEvent::Closed | TargetEvent::End | TargetEvent::Content) => {
                    return Poll::Ready(Err(Failure::TargetClosed));
                }
                Poll::Pending => {}
            }
            if let Poll::Ready(result) = self.client.poll_flush(cx) {
                result?;
            }
            self.has_progress |= has_moved;
            if !has_moved {
                return Poll::Pending;
            }
        }
    }

    /// Writes the head of the response.
    pub(crate) fn write_response(
        &mut self,
        response_edits: &lb_http::field_edits::FieldEdits,
    ) -> Result<(), Failure> {
        let response = ResponseToForward {
            head: self.target.head(),
            framing: self.target.framing(),
            edits: response_edits,
        };
        self.client.check_response(&response)?;
        let Err(_) = self.client.write_response(&response) else { return Ok(()) };
        // A client of HTTP/2 may have reset its stream.
        let is_gone = self.client.poll_gone(&mut Context::from_waker(Waker::noop())).is_ready();
        Err(if is_gone { Failure::ClientClosed } else { Failure::Internal })
    }

    /// Passes the body of the response on, and what is left of the request, until the response was sent.
    pub(crate) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let mut has_moved = false;
            if !self.has_response_ended {
                has_moved |= self.poll_request(cx)?;
                has_moved |= self.poll_response(cx)?;
            }
            if self.has_response_ended {
                ready!(self.client.poll_flush(cx))?;
                return Poll::Ready(Ok(()));
            }
            self.has_progress |= has_moved;
            if !has_moved {
                return Poll::Pending;
            }
        }
    }

    /// Moves a part of the request; whether there was any.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let mut has_moved = false;
        while self.request == RequestState::Body && !self.is_broken {
            match self.client.poll_body(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(failure)) => return Err(failure),
                Poll::Ready(Ok(BodyEvent::End)) => {
                    let trailers = self.client.trailers();
                    self.target.end_request(trailers).map_err(|_| Failure::Internal)?;
                    self.request = RequestState::Ended;
                    has_moved = true;
                }
                Poll::Ready(Ok(BodyEvent::Content)) => {
                    let is_chunked = self.client.framing().body == BodyLength::Chunked;
                    match self.target.poll_send(cx, self.client.content(), is_chunked) {
                        Poll::Pending => return Ok(has_moved),
                        Poll::Ready(Ok(count)) => self.client.consume(count),
                        Poll::Ready(Err(SendError::Connection)) => self.is_broken = true,
                        Poll::Ready(Err(SendError::Framing)) => return Err(Failure::Internal),
                    }
                    has_moved = true;
                }
            }
        }
        if !self.is_broken {
            match self.target.flush(cx) {
                Ok(has_sent) => has_moved |= has_sent,
                Err(_) => self.is_broken = true,
            }
        }
        if self.request == RequestState::Ended && self.client.poll_gone(cx).is_ready() {
            return Err(Failure::ClientClosed);
        }
        Ok(has_moved)
    }

    /// Moves a part of the response; whether there was any.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let mut has_moved = false;
        loop {
            match self.target.poll_event(cx) {
                Poll::Pending => break,
                Poll::Ready(TargetEvent::Content) => {
                    match self.client.poll_send(cx, self.target.content()) {
                        Poll::Pending => return Ok(has_moved),
                        Poll::Ready(Err(failure)) => return Err(failure),
                        Poll::Ready(Ok(count)) => self.target.consume(count),
                    }
                    has_moved = true;
                }
                Poll::Ready(TargetEvent::End) => {
                    let trailers = self.target.trailers();
                    self.client.write_end(trailers).map_err(|_| Failure::Internal)?;
                    self.has_response_ended = true;
                    return Ok(true);
                }
                Poll::Ready(TargetEvent::Refused(refusal)) => {
                    return Err(Failure::Response(refusal));
                }
                Poll::Ready(_) => {
                    if let Some(code) = self.target.reset_code() {
                        self.client.set_reset_code(code);
                    }
                    return Err(Failure::ResponseCut);
                }
            }
        }
        // Nothing more has arrived: what is here must not wait.
        match self.client.poll_flush(cx) {
            Poll::Ready(Err(failure)) => Err(failure),
            _ => Ok(has_moved),
        }
    }
}
