//! What serving a request needs of the target's side, whatever version of HTTP that speaks.

use std::task::{Context, Poll};

use lb_http::{body::WriteError, encode::RequestToForward, framing::ResponseFraming, head::Head};

use crate::{
    failure::Failure,
    http2_target::Http2Target,
    target_connection::{SendError, TargetConnection, TargetEvent},
    tunnel_side::TunnelSide,
};

/// One request to a target, and its response.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each request")]
pub(crate) enum TargetSide {
    /// A connection that this request has for itself.
    Http1(TargetConnection),
    /// A stream of a connection.
    Http2(Box<Http2Target>),
}

impl TargetSide {
    /// Writes the head of the request.
    pub(crate) fn write_request(&mut self, request: &RequestToForward<'_>) -> Result<(), Failure> {
        match self {
            Self::Http1(target) => {
                target.begin();
                let written = target.engine.write_request(request, target.wire.output.tail());
                written.map_err(|_| Failure::Internal)
            }
            Self::Http2(target) => target.write_request(request),
        }
    }

    /// The head of the response.
    pub(crate) fn head(&self) -> &Head {
        match self {
            Self::Http1(target) => target.engine.head(),
            Self::Http2(target) => target.head(),
        }
    }

    /// How the response is read.
    pub(crate) fn framing(&self) -> &ResponseFraming {
        match self {
            Self::Http1(target) => target.engine.framing(),
            Self::Http2(target) => target.framing(),
        }
    }

    /// The trailer section of the response, behind its end.
    pub(crate) fn trailers(&self) -> Option<&Head> {
        match self {
            Self::Http1(target) => Some(target.engine.trailers()),
            Self::Http2(target) => target.trailers(),
        }
    }

    /// What the target sends next. Content must be consumed before.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TargetEvent> {
        match self {
            Self::Http1(target) => target.poll_event(cx),
            Self::Http2(target) => target.poll_event(cx),
        }
    }

    /// The content that has arrived.
    pub(crate) fn content(&self) -> &[u8] {
        match self {
            Self::Http1(target) => target.content(),
            Self::Http2(target) => target.content(),
        }
    }

    /// Takes content away.
    pub(crate) fn consume(&mut self, count: usize) {
        match self {
            Self::Http1(target) => target.consume(count),
            Self::Http2(target) => target.consume(count),
        }
    }

    /// Sends content of the request. Gives the number of bytes that were taken.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        content: &[u8],
        is_chunked: bool,
    ) -> Poll<Result<usize, SendError>> {
        match self {
            Self::Http1(target) => target.poll_send(cx, content, is_chunked),
            Self::Http2(target) => target.poll_send(cx, content),
        }
    }

    /// Ends the request.
    pub(crate) fn end_request(&mut self, trailers: Option<&Head>) -> Result<(), WriteError> {
        match self {
            Self::Http1(target) => target.end_request(trailers),
            Self::Http2(target) => target.end_request(trailers),
        }
    }

    /// Whether nothing of the request waits here to be sent. h2 has buffers of its own.
    pub(crate) fn is_sent(&self) -> bool {
        match self {
            Self::Http1(target) => target.wire.output.is_empty(),
            Self::Http2(_) => true,
        }
    }

    /// Sends what waits; whether bytes were sent.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) -> Result<bool, SendError> {
        let Self::Http1(target) = self else { return Ok(false) };
        if target.wire.output.is_empty() {
            return Ok(false);
        }
        let before = target.wire.sent;
        match target.wire.poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(SendError::Connection),
            _ => Ok(target.wire.sent != before),
        }
    }

    /// Whether all that was sent of the request is still here, so that it can be sent again.
    pub(crate) fn keeps_sent(&self) -> bool {
        match self {
            Self::Http1(target) => target.wire.output.keeps_sent(),
            Self::Http2(target) => target.keeps_sent(),
        }
    }

    /// Nothing is sent again from now on.
    pub(crate) fn forget_sent(&mut self) {
        match self {
            Self::Http1(target) => target.wire.output.forget_sent(),
            Self::Http2(target) => target.forget_sent(),
        }
    }

    /// Why the target has reset the stream (RFC 9113, section 7), if it has.
    pub(crate) fn reset_code(&self) -> Option<u32> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(target) => target.reset_code,
        }
    }

    /// The target did not answer in time: nothing else is sent over its connection.
    pub(crate) fn suspect(&self) {
        if let Self::Http2(target) = self {
            target.slot.connection.retire();
        }
    }

    /// The connection or stream, which becomes a tunnel.
    pub(crate) fn tunnel(&mut self) -> &mut dyn TunnelSide {
        match self {
            Self::Http1(target) => &mut target.wire,
            Self::Http2(target) => target.as_mut(),
        }
    }
}
