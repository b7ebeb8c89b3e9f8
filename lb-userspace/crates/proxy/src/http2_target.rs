//! A request to a target that speaks HTTP/2: one stream of a connection.

mod tunnel;

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
    ext::Protocol,
};
use http::{HeaderMap, Method, Request, Uri};
use lb_http::{
    body::{BodyEncoder, WriteError},
    encode::RequestToForward,
    framing::ResponseFraming,
    head::Head,
    http2::{
        self,
        target::{Http2ResponseHead, asks_for_websocket, request_fields},
    },
    limits::Limits,
    refusal::Refusal,
    websocket,
};

use crate::{
    buffer::BUFFER_SIZE,
    failure::Failure,
    http2_client::add_field,
    http2_connection::StreamSlot,
    http2_stream::{self, is_no_error, poll_capacity},
    target_connection::{SendError, TargetEvent},
};

/// Where the response is.
#[derive(Debug)]
enum Incoming {
    /// No request was written.
    None,
    Head(ResponseFuture),
    Body(RecvStream),
    Ended,
}

/// A stream.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the exchange")]
pub(crate) struct Http2Target {
    pub(crate) slot: StreamSlot,
    sender: SendRequest<Bytes>,
    incoming: Incoming,
    send: Option<SendStream<Bytes>>,
    content: Bytes,
    head: Head,
    framing: ResponseFraming,
    trailers: Option<Head>,
    /// Compares the content of the request with its length.
    encoder: BodyEncoder,
    request_is_head: bool,
    /// The answer to the key of a WebSocket, which was asked for by an extended CONNECT.
    websocket_accept: Option<String>,
    interim_responses: u32,
    /// What was sent of the body, and whether it was ended, so that it can be sent again.
    kept: Option<Vec<u8>>,
    is_request_ended: bool,
    /// Nothing more can be sent over the stream.
    is_send_ended: bool,
    has_answered: bool,
    /// The target has not begun with this request: RFC 9113, section 8.7.
    is_unprocessed: bool,
    pub(crate) reset_code: Option<u32>,
}

impl Http2Target {
    pub(crate) fn new(slot: StreamSlot) -> Self {
        let sender = slot.sender();
        Self {
            slot,
            sender,
            incoming: Incoming::None,
            send: None,
            content: Bytes::new(),
            head: Head::default(),
            framing: ResponseFraming::default(),
            trailers: None,
            encoder: BodyEncoder::default(),
            request_is_head: false,
            websocket_accept: None,
            interim_responses: 0,
            kept: Some(Vec::new()),
            is_request_ended: false,
            is_send_ended: false,
            has_answered: false,
            is_unprocessed: false,
            reset_code: None,
        }
    }

    /// Takes another stream for the same request: everything that was sent has to be sent again, from
    /// [`Self::write_request`] to [`Self::replay`].
    pub(crate) fn restart(&mut self, slot: StreamSlot) {
        let mut next = Self::new(slot);
        (next.kept, next.is_request_ended) = (self.kept.take(), self.is_request_ended);
        *self = next;
    }

    /// Whether the request may go to another stream, as far as is known here.
    pub(crate) fn may_restart(&self, is_idempotent: bool) -> bool {
        let is_safe = self.is_unprocessed || is_idempotent && self.slot.served > 0;
        is_safe && !self.has_answered && self.kept.is_some()
    }

    /// Whether the target has not begun with the request, so that sending it again costs it nothing.
    pub(crate) fn is_unprocessed(&self) -> bool {
        self.is_unprocessed
    }

    /// Writes the head of the request.
    pub(crate) fn write_request(&mut self, request: &RequestToForward<'_>) -> Result<(), Failure> {
        let mut fields = HeaderMap::new();
        // A target that has not announced it gets the request without `Upgrade`.
        let is_connect =
            asks_for_websocket(request) && self.sender.is_extended_connect_protocol_enabled();
        let add = |name: &[u8], value: &[u8]| add_field(&mut fields, name, value);
        let body = request_fields(request, is_connect, add);
        let is_empty = body.is_empty() && !is_connect;
        let mut message = Request::new(());
        let method = Method::from_bytes(request.head.method());
        *message.method_mut() = method.map_err(|_| Failure::Internal)?;
        if is_connect {
            *message.method_mut() = Method::CONNECT;
            message.extensions_mut().insert(Protocol::from_static(websocket::PROTOCOL));
            let key = request.head.named("sec-websocket-key").next().unwrap_or_default();
            self.websocket_accept = Some(websocket::accept(key));
        }
        let uri = Uri::builder()
            .scheme(self.slot.connection.scheme)
            .authority(request.host())
            .path_and_query(request.uri.path_and_query());
        *message.uri_mut() = uri.build().map_err(|_| Failure::RewriteFailed)?;
        *message.headers_mut() = fields;
        self.encoder = BodyEncoder::new(body);
        self.request_is_head = request.head.method() == b"HEAD";
        match self.sender.send_request(message, is_empty) {
            Ok((response, send)) => {
                self.incoming = Incoming::Head(response);
                self.send = Some(send);
                self.is_send_ended = is_empty;
            }
            Err(error) => {
                // It is seen when the response is waited for. The target has seen nothing.
                tracing::debug!(target = %self.slot.connection.address, %error, "no stream");
                self.slot.connection.retire();
                self.is_unprocessed = true;
            }
        }
        Ok(())
    }

    /// Sends what was sent before the last [`Self::restart`]. `trailers` are those of the client, if it has ended.
    pub(crate) fn replay(&mut self, trailers: Option<&Head>) -> Result<(), Failure> {
        let content = self.kept.clone().unwrap_or_default();
        if let (false, Some(send)) = (content.is_empty(), &mut self.send) {
            self.encoder.frame(content.len()).map_err(|_| Failure::Internal)?;
            // At most 16 KiB, which h2 keeps until the target takes it.
            drop(send.send_data(content.into(), false));
        }
        if self.is_request_ended {
            self.is_request_ended = false;
            self.end_request(trailers).map_err(|_| Failure::Internal)?;
        }
        Ok(())
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn framing(&self) -> &ResponseFraming {
        &self.framing
    }

    pub(crate) fn trailers(&self) -> Option<&Head> {
        self.trailers.as_ref()
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Takes content away, so that the target may send more.
    pub(crate) fn consume(&mut self, count: usize) {
        if let Incoming::Body(body) = &mut self.incoming {
            http2_stream::consume(body, &mut self.content, count);
        }
    }

    pub(crate) fn keeps_sent(&self) -> bool {
        self.kept.is_some()
    }

    /// Nothing is sent again from now on.
    pub(crate) fn forget_sent(&mut self) {
        self.kept = None;
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TargetEvent> {
        match &mut self.incoming {
            Incoming::None => Poll::Ready(TargetEvent::Closed),
            Incoming::Head(response) => {
                let next = match response.poll_informational(cx) {
                    Poll::Ready(Some(next)) => next.map(|interim| (interim, None)),
                    _ => ready!(Pin::new(response).poll(cx)).map(|response| {
                        let (parts, body) = response.into_parts();
                        (http::Response::from_parts(parts, ()), Some(body))
                    }),
                };
                Poll::Ready(match next {
                    Ok((head, body)) => self.read_head(&head, body),
                    Err(error) => self.failed(&error),
                })
            }
            Incoming::Body(_) => self.poll_body(cx),
            Incoming::Ended => Poll::Ready(TargetEvent::End),
        }
    }

    fn read_head(
        &mut self,
        response: &http::Response<()>,
        body: Option<RecvStream>,
    ) -> TargetEvent {
        self.has_answered = true;
        let fields: Vec<(&[u8], &[u8])> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
            .collect();
        let head = Http2ResponseHead {
            status: response.status().as_u16(),
            fields: &fields,
            is_end: body.as_ref().is_none_or(RecvStream::is_end_stream),
            request_is_head: self.request_is_head,
            websocket_accept: self.websocket_accept.as_deref(),
        };
        let limits = &Limits::RESPONSE;
        match (head.read(limits, &mut self.head), body) {
            (Err(refusal), _) => TargetEvent::Refused(refusal),
            (Ok(framing), None) if framing.is_interim => {
                self.interim_responses += 1;
                if self.interim_responses > limits.interim_responses_max {
                    return TargetEvent::Refused(Refusal::TooManyInterimResponses);
                }
                TargetEvent::Interim
            }
            (Ok(framing), Some(body)) if !framing.is_interim => {
                if self.websocket_accept.is_some() && !framing.is_upgrade {
                    self.end_stream();
                }
                self.framing = framing;
                self.incoming = Incoming::Body(body);
                TargetEvent::Head
            }
            _ => TargetEvent::Refused(Refusal::BadStatus),
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<TargetEvent> {
        let Incoming::Body(body) = &mut self.incoming else {
            return Poll::Ready(TargetEvent::End);
        };
        loop {
            if !self.content.is_empty() {
                return Poll::Ready(TargetEvent::Content);
            }
            match ready!(body.poll_data(cx)) {
                Some(Ok(content)) => self.content = content,
                // The response is whole, and the target wants no more of the request (RFC 9113, section 8.1).
                Some(Err(error)) if is_no_error(&error) => break,
                Some(Err(error)) => return Poll::Ready(self.failed(&error)),
                None => match ready!(body.poll_trailers(cx)) {
                    Ok(None) => break,
                    Ok(Some(fields)) => match read_trailers(&fields) {
                        Ok(trailers) => {
                            self.trailers = Some(trailers);
                            break;
                        }
                        Err(refusal) => return Poll::Ready(TargetEvent::Refused(refusal)),
                    },
                    Err(error) if is_no_error(&error) => break,
                    Err(error) => return Poll::Ready(self.failed(&error)),
                },
            }
        }
        self.incoming = Incoming::Ended;
        Poll::Ready(TargetEvent::End)
    }

    fn failed(&mut self, error: &h2::Error) -> TargetEvent {
        tracing::debug!(target = %self.slot.connection.address, %error, "a stream has failed");
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // GOAWAY is the error of those streams alone that the target has not seen.
        self.is_unprocessed |= error.is_remote() && (is_refused || error.is_go_away());
        if error.is_reset() && error.is_remote() {
            self.reset_code = error.reason().map(u32::from);
            return TargetEvent::Reset;
        }
        self.slot.connection.retire();
        if error.is_library() { TargetEvent::ProtocolError } else { TargetEvent::Closed }
    }

    /// Sends content of the request. Gives the number of bytes that were taken.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        content: &[u8],
    ) -> Poll<Result<usize, SendError>> {
        let Some(send) = &mut self.send else {
            return Poll::Ready(Err(SendError::Connection));
        };
        let capacity = ready!(poll_capacity(send, cx, content.len()));
        let count = capacity.map_err(|_| SendError::Connection)?;
        let content = &content[..count];
        self.encoder.frame(count).map_err(|_| SendError::Framing)?;
        let result = send.send_data(Bytes::copy_from_slice(content), false);
        match &mut self.kept {
            Some(kept) if kept.len() + count <= BUFFER_SIZE => kept.extend_from_slice(content),
            kept => *kept = None,
        }
        Poll::Ready(result.map(|()| count).map_err(|_| SendError::Connection))
    }

    /// Ends the request.
    pub(crate) fn end_request(&mut self, trailers: Option<&Head>) -> Result<(), WriteError> {
        self.encoder.end(b"", &mut Vec::new())?;
        self.is_request_ended = true;
        // What follows belongs to the tunnel.
        if self.websocket_accept.is_some() {
            return Ok(());
        }
        // Without it no stream could begin.
        let Some(send) = self.send.as_mut().filter(|_| !self.is_send_ended) else {
            return Ok(());
        };
        self.is_send_ended = true;
        let mut fields = HeaderMap::new();
        if let Some(trailers) = trailers {
            http2::trailer_fields(trailers, |name, value| add_field(&mut fields, name, value));
        }
        // The target may have left; that is seen when its response is waited for.
        if fields.is_empty() {
            drop(send.send_data(Bytes::new(), true));
        } else {
            drop(send.send_trailers(fields));
        }
        Ok(())
    }
}

impl Http2Target {
    /// Ends the direction to the target; it may have left.
    fn end_stream(&mut self) {
        self.is_send_ended = true;
        drop(http2_stream::end(self.send.as_mut()));
    }
}

impl Drop for Http2Target {
    /// A request that is given up is cancelled: the target need not go on with it.
    fn drop(&mut self) {
        let is_over = matches!(self.incoming, Incoming::None | Incoming::Ended);
        if let Some(send) = self.send.as_mut().filter(|_| !(is_over && self.is_send_ended)) {
            send.send_reset(Reason::CANCEL);
        }
    }
}

fn read_trailers(fields: &HeaderMap) -> Result<Head, Refusal> {
    http2::trailers(fields.iter().map(|(name, value)| {
        let name: &[u8] = name.as_str().as_bytes();
        (name, value.as_bytes())
    }))
}
