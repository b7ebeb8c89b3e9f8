//! A request of a client that speaks HTTP/2: one stream.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, ext::Protocol, server::SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use lb_http::{
    body::{BodyEncoder, WriteError},
    connection::ServerOptions,
    encode::{LocalResponse, ResponseToForward},
    framing::RequestFraming,
    head::Head,
    http2::{self, Http2Head, Http2Request, Http2Tunnel},
    refusal::Refusal,
    uri::Uri,
    websocket,
};

use crate::{
    client_side::{BodyEvent, ClientSide},
    failure::Failure,
    http2_stream::{self, poll_capacity},
    tunnel_side::{GivenUp, TunnelSide},
};

/// A stream.
#[derive(Debug)]
pub(crate) struct Http2Client {
    request: Http2Request,
    body: RecvStream,
    /// Content that was not consumed yet.
    content: Bytes,
    trailers: Option<Head>,
    respond: SendResponse<Bytes>,
    send: Option<SendStream<Bytes>>,
    /// Compares the content of the response with its length.
    encoder: BodyEncoder,
    /// Whether the end of the response was written.
    is_ended: bool,
    received: u64,
    sent: u64,
    /// Why the target has reset the request.
    reset_code: Option<Reason>,
}

impl Http2Client {
    /// Takes a stream over. A request that is refused has an empty head.
    pub(crate) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        options: &ServerOptions,
    ) -> (Self, Option<Refusal>) {
        let (parts, body) = request.into_parts();
        let fields: Vec<(&[u8], &[u8])> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
            .collect();
        let path = parts.uri.path_and_query().map_or("*", |path| path.as_str());
        let protocol = parts.extensions.get::<Protocol>();
        let key = protocol.map_or(String::new(), |_| websocket_key());
        let tunnel =
            protocol.map(|protocol| Http2Tunnel { protocol: protocol.as_str(), key: &key });
        let head = Http2Head {
            method: parts.method.as_str(),
            authority: parts.uri.authority().map(http::uri::Authority::as_str),
            path,
            fields: &fields,
            is_end: body.is_end_stream(),
            tunnel,
        };
        let received: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let (request, refusal) = match Http2Request::read(head, options) {
            Ok(request) => (request, None),
            Err(refusal) => (Http2Request::default(), Some(refusal)),
        };
        let client = Self {
            request,
            body,
            content: Bytes::new(),
            trailers: None,
            respond,
            send: None,
            encoder: BodyEncoder::default(),
            is_ended: false,
            received: (received + path.len()) as u64,
            sent: 0,
            reset_code: None,
        };
        (client, refusal)
    }

    /// A response was cut. The client gets the reason of the target, if that has one.
    pub(crate) fn cut(&mut self) {
        let reason = self.reset_code.filter(|reason| *reason != Reason::NO_ERROR);
        let is_tunnel = self.request.framing.is_upgrade && self.send.is_some();
        let default = if is_tunnel { Reason::CANCEL } else { Reason::INTERNAL_ERROR };
        let reason = reason.unwrap_or(default);
        match &mut self.send {
            Some(send) => send.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }

    fn start(&mut self, status: u16, fields: HeaderMap, is_end: bool) -> Result<(), WriteError> {
        if self.send.is_some() {
            return Err(WriteError::OutOfOrder);
        }
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(status).map_err(|_| WriteError::OutOfOrder)?;
        for (name, value) in &fields {
            self.sent += (name.as_str().len() + value.len()) as u64;
        }
        *response.headers_mut() = fields;
        let send = self.respond.send_response(response, is_end);
        // A client that has left is seen when its response is sent.
        self.send = Some(send.map_err(|_| WriteError::OutOfOrder)?);
        self.is_ended = is_end;
        Ok(())
    }
}

/// A key for the target.
fn websocket_key() -> String {
    let mut random = [0; 16];
    fastrand::fill(&mut random);
    websocket::key(random)
}

/// Adds a field; what cannot be one is left out.
pub(crate) fn add_field(fields: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        fields.append(name, value);
    }
}

impl ClientSide for Http2Client {
    fn head(&self) -> &Head {
        &self.request.head
    }

    fn framing(&self) -> &RequestFraming {
        &self.request.framing
    }

    fn uri(&self) -> &Uri {
        &self.request.uri
    }

    fn uri_mut(&mut self) -> &mut Uri {
        &mut self.request.uri
    }

    fn version(&self) -> &'static str {
        "HTTP/2.0"
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, Failure>> {
        // What follows belongs to the tunnel, and waits until the target has opened it.
        if self.request.framing.is_upgrade {
            return Poll::Ready(Ok(BodyEvent::End));
        }
        loop {
            if !self.content.is_empty() {
                return Poll::Ready(Ok(BodyEvent::Content));
            }
            match ready!(self.body.poll_data(cx)) {
                Some(Ok(content)) => {
                    self.received += content.len() as u64;
                    self.content = content;
                }
                Some(Err(_)) => return Poll::Ready(Err(Failure::ClientClosed)),
                None => break,
            }
        }
        match ready!(self.body.poll_trailers(cx)) {
            Ok(Some(fields)) => {
                let fields = fields.iter().map(|(name, value)| {
                    let name: &[u8] = name.as_str().as_bytes();
                    (name, value.as_bytes())
                });
                self.trailers = Some(http2::trailers(fields).map_err(Failure::Request)?);
            }
            Ok(None) => {}
            Err(_) => return Poll::Ready(Err(Failure::ClientClosed)),
        }
        Poll::Ready(Ok(BodyEvent::End))
    }

    fn content(&self) -> &[u8] {
        &self.content
    }

    fn consume(&mut self, count: usize) {
        http2_stream::consume(&mut self.body, &mut self.content, count);
    }

    fn trailers(&self) -> Option<&Head> {
        self.trailers.as_ref()
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.send {
            Some(send) => send.poll_reset(cx).map(|_| ()),
            None => self.respond.poll_reset(cx).map(|_| ()),
        }
    }

    fn check_own_response(&self, status: u16) -> Result<(), Failure> {
        let is_taken_for_tunnel = self.request.framing.is_upgrade && (200..300).contains(&status);
        if is_taken_for_tunnel { Err(Failure::BadUpgrade) } else { Ok(()) }
    }

    fn check_response(&self, response: &ResponseToForward<'_>) -> Result<(), Failure> {
        if !self.request.framing.is_upgrade {
            return Ok(());
        }
        if !response.framing.is_upgrade {
            return self.check_own_response(response.head.status());
        }
        let key = self.request.head.named("sec-websocket-key").next().unwrap_or_default();
        let mut answers = response.head.named("sec-websocket-accept");
        let first = answers.next() == Some(websocket::accept(key).as_bytes());
        if first && answers.next().is_none() { Ok(()) } else { Err(Failure::BadUpgrade) }
    }

    fn write_interim(&mut self, head: &Head) -> Result<(), WriteError> {
        let mut fields = HeaderMap::new();
        http2::interim_fields(head, |name, value| add_field(&mut fields, name, value));
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(head.status()).map_err(|_| WriteError::OutOfOrder)?;
        *response.headers_mut() = fields;
        self.respond.send_informational(response).map_err(|_| WriteError::OutOfOrder)
    }

    fn write_response(&mut self, response: &ResponseToForward<'_>) -> Result<(), WriteError> {
        let mut fields = HeaderMap::new();
        http2::response_fields(response, |name, value| add_field(&mut fields, name, value));
        let body = response.framing.body;
        self.encoder = BodyEncoder::new(body);
        if response.framing.is_upgrade {
            // RFC 8441, section 5.
            return self.start(200, fields, false);
        }
        self.start(response.head.status(), fields, body.is_empty())
    }

    fn write_local(&mut self, response: &LocalResponse<'_>) -> Result<(), WriteError> {
        let mut fields = HeaderMap::new();
        for (name, value) in response.fields {
            add_field(&mut fields, name.as_bytes(), value.as_bytes());
        }
        let has_body = !response.body.is_empty()
            && !matches!(response.status, 204 | 304)
            && self.request.head.method() != b"HEAD";
        if !matches!(response.status, 204 | 304) {
            let length = response.body.len().to_string();
            add_field(&mut fields, b"content-length", length.as_bytes());
        }
        self.start(response.status, fields, !has_body)?;
        if let Some(send) = self.send.as_mut().filter(|_| has_body) {
            // A fixed response is at most 8 KiB; h2 keeps it until the client takes it.
            let body = Bytes::copy_from_slice(response.body);
            self.sent += body.len() as u64;
            send.send_data(body, true).map_err(|_| WriteError::OutOfOrder)?;
            self.is_ended = true;
        }
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, Failure>> {
        let Some(send) = &mut self.send else { return Poll::Ready(Err(Failure::Internal)) };
        let capacity = ready!(poll_capacity(send, cx, content.len()));
        let count = capacity.map_err(|_| Failure::ClientClosed)?;
        self.encoder.frame(count).map_err(|_| Failure::Internal)?;
        let result = send.send_data(Bytes::copy_from_slice(&content[..count]), false);
        self.sent += count as u64;
        Poll::Ready(result.map(|()| count).map_err(|_| Failure::ClientClosed))
    }

    fn write_end(&mut self, trailers: Option<&Head>) -> Result<(), WriteError> {
        // For the comparison with the length alone.
        self.encoder.end(b"", &mut Vec::new())?;
        if self.is_ended {
            return Ok(());
        }
        let Some(send) = &mut self.send else { return Err(WriteError::OutOfOrder) };
        let mut fields = HeaderMap::new();
        if let Some(trailers) = trailers {
            http2::trailer_fields(trailers, |name, value| add_field(&mut fields, name, value));
        }
        // The client may have left; that is seen when the stream is polled.
        if fields.is_empty() {
            drop(send.send_data(Bytes::new(), true));
        } else {
            drop(send.send_trailers(fields));
        }
        self.is_ended = true;
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        // The task of the connection sends.
        Poll::Ready(Ok(()))
    }

    fn set_reset_code(&mut self, code: u32) {
        self.reset_code = Some(code.into());
    }

    fn received(&self) -> u64 {
        self.received
    }

    fn sent(&self) -> u64 {
        self.sent
    }

    fn tunnel(&mut self) -> &mut dyn TunnelSide {
        self
    }
}

impl TunnelSide for Http2Client {
    fn arrived(&self) -> &[u8] {
        &self.content
    }

    fn consume_arrived(&mut self, count: usize) {
        http2_stream::consume(&mut self.body, &mut self.content, count);
    }

    fn poll_arrive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = ready!(http2_stream::poll_arrive(&mut self.body, &mut self.content, cx))?;
        self.received += count as u64;
        Poll::Ready(Ok(count))
    }

    fn poll_pass(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(http2_stream::poll_pass(self.send.as_mut(), cx, bytes))?;
        self.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    fn poll_pass_all(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The task of the connection sends.
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_ended = true;
        Poll::Ready(http2_stream::end(self.send.as_mut()))
    }

    fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<GivenUp> {
        self.poll_gone(cx).map(|()| GivenUp::Failed)
    }

    fn reset(&mut self) {
        http2_stream::reset(self.send.as_mut());
    }
}
