//! What a tunnel needs of each of its two sides: a connection, or a stream of one of HTTP/2.

use std::{
    io,
    task::{Context, Poll},
};

/// How a peer has given a tunnel up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// It has sent all that it had, and wants no more (RFC 9113, section 8.1).
    InOrder,
    /// It has reset its connection or stream, or that has failed.
    Failed,
}

/// One side of a tunnel.
pub(crate) trait TunnelSide {
    /// Bytes that have arrived and were not consumed.
    fn arrived(&self) -> &[u8];
    /// Takes bytes away, so that the peer may send more.
    fn consume_arrived(&mut self, count: usize);
    /// Waits for more bytes; 0 mean the end in order. What has arrived must be consumed before.
    fn poll_arrive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
    /// Takes bytes for the peer, and gives their number.
    fn poll_pass(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
    /// Sends everything that waits.
    fn poll_pass_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Ends the direction to the peer.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Whether the peer has given the tunnel up, although it is not read from at the moment.
    fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<GivenUp>;
    /// The tunnel has failed: the peer gets a reset, and not its end.
    fn reset(&mut self);
}
