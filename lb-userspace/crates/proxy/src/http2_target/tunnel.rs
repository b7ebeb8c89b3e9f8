//! A stream to a target as a tunnel: a WebSocket over HTTP/2 (RFC 8441).

use std::{
    io,
    task::{Context, Poll, ready},
};

use super::{Http2Target, Incoming};
use h2::Reason;

use crate::{
    http2_stream,
    tunnel_side::{GivenUp, TunnelSide},
};

impl TunnelSide for Http2Target {
    fn arrived(&self) -> &[u8] {
        &self.content
    }

    fn consume_arrived(&mut self, count: usize) {
        self.consume(count);
    }

    fn poll_arrive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Incoming::Body(body) = &mut self.incoming else { return Poll::Ready(Ok(0)) };
        let arrived = ready!(http2_stream::poll_arrive(body, &mut self.content, cx));
        if matches!(arrived, Ok(0)) {
            self.incoming = Incoming::Ended;
        }
        Poll::Ready(arrived)
    }

    fn poll_pass(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        http2_stream::poll_pass(self.send.as_mut(), cx, bytes)
    }

    fn poll_pass_all(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The task of the connection sends.
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_send_ended = true;
        Poll::Ready(http2_stream::end(self.send.as_mut()))
    }

    fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<GivenUp> {
        let Some(send) = self.send.as_mut() else { return Poll::Pending };
        let reason = ready!(send.poll_reset(cx));
        let is_in_order = reason.is_ok_and(|reason| reason == Reason::NO_ERROR);
        Poll::Ready(if is_in_order { GivenUp::InOrder } else { GivenUp::Failed })
    }

    fn reset(&mut self) {
        http2_stream::reset(self.send.as_mut());
    }
}
