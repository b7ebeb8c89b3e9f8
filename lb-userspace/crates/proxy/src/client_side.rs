//! What serving a request needs of the client's side, whatever version of HTTP that speaks.

use std::task::{Context, Poll};

use lb_http::{
    body::WriteError,
    encode::{LocalResponse, ResponseToForward},
    framing::RequestFraming,
    head::Head,
    uri::Uri,
};

use crate::{failure::Failure, tunnel_side::TunnelSide};

/// What comes next of the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyEvent {
    /// Content: see [`ClientSide::content`].
    Content,
    /// The request is complete.
    End,
}

/// One request of a client, and the way back for its response.
pub(crate) trait ClientSide {
    /// The head of the request.
    fn head(&self) -> &Head;
    /// How the request is read.
    fn framing(&self) -> &RequestFraming;
    /// The URI, which rules may rewrite.
    fn uri(&self) -> &Uri;
    /// The same, for a rewrite.
    fn uri_mut(&mut self) -> &mut Uri;
    /// `HTTP/1.1` or the like.
    fn version(&self) -> &'static str;

    /// What comes next of the body. Content must be consumed before.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, Failure>>;
    /// The content that has arrived.
    fn content(&self) -> &[u8];
    /// Takes content away.
    fn consume(&mut self, count: usize);
    /// The trailer section, behind the end of the body.
    fn trailers(&self) -> Option<&Head>;
    /// Whether the client leaves while it waits, with its whole request sent.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether a response of the proxy with this status fits the version of HTTP that the client speaks.
    fn check_own_response(&self, _status: u16) -> Result<(), Failure> {
        Ok(())
    }
    /// Whether a response fits the version of HTTP that the client speaks.
    fn check_response(&self, _: &ResponseToForward<'_>) -> Result<(), Failure> {
        Ok(())
    }
    /// Passes an interim response on.
    fn write_interim(&mut self, head: &Head) -> Result<(), WriteError>;
    /// Writes the head of the response.
    fn write_response(&mut self, response: &ResponseToForward<'_>) -> Result<(), WriteError>;
    /// Writes a whole response of the proxy itself.
    fn write_local(&mut self, response: &LocalResponse<'_>) -> Result<(), WriteError>;
    /// Sends content of the response, and gives the number of bytes that were taken.
    fn poll_send(&mut self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, Failure>>;
    /// Ends the response.
    fn write_end(&mut self, trailers: Option<&Head>) -> Result<(), WriteError>;
    /// Sends everything that waits.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// The target has reset the request with this code of HTTP/2; a client of HTTP/2 gets the same.
    fn set_reset_code(&mut self, _: u32) {}

    /// Bytes that have arrived of this request.
    fn received(&self) -> u64;
    /// Bytes that were sent of its response.
    fn sent(&self) -> u64;
    /// The connection or stream, which becomes a tunnel.
    fn tunnel(&mut self) -> &mut dyn TunnelSide;
}
