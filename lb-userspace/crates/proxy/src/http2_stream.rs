//! The content of a stream of HTTP/2 in both directions, within its flow control: the same towards clients and
//! targets.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};

use crate::buffer::BUFFER_SIZE;

/// The stream has ended, or its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamClosed;

impl From<StreamClosed> for io::Error {
    fn from(_: StreamClosed) -> Self {
        io::ErrorKind::ConnectionReset.into()
    }
}

/// Whether the peer has said all, and wants no more of its stream (RFC 9113, section 8.1).
pub(crate) fn is_no_error(error: &h2::Error) -> bool {
    error.is_reset() && error.reason() == Some(Reason::NO_ERROR)
}

/// Waits until content may be sent, and gives how many bytes of `len`.
pub(crate) fn poll_capacity(
    send: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    len: usize,
) -> Poll<Result<usize, StreamClosed>> {
    let wanted = len.min(BUFFER_SIZE);
    send.reserve_capacity(wanted);
    let mut capacity = send.capacity();
    while capacity == 0 {
        match ready!(send.poll_capacity(cx)) {
            Some(Ok(count)) => capacity = count,
            _ => return Poll::Ready(Err(StreamClosed)),
        }
    }
    Poll::Ready(Ok(wanted.min(capacity)))
}

/// Sends bytes of a tunnel, and gives how many were taken.
pub(crate) fn poll_pass(
    send: Option<&mut SendStream<Bytes>>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    let Some(send) = send else { return Poll::Ready(Err(StreamClosed.into())) };
    let count = ready!(poll_capacity(send, cx, bytes.len()))?;
    let result = send.send_data(Bytes::copy_from_slice(&bytes[..count]), false);
    Poll::Ready(result.map(|()| count).map_err(|_| StreamClosed.into()))
}

/// Ends one direction of a tunnel.
pub(crate) fn end(send: Option<&mut SendStream<Bytes>>) -> io::Result<()> {
    let send = send.ok_or(StreamClosed)?;
    send.send_data(Bytes::new(), true).map_err(|_| StreamClosed.into())
}

/// The tunnel has failed (RFC 8441, section 5).
pub(crate) fn reset(send: Option<&mut SendStream<Bytes>>) {
    if let Some(send) = send {
        send.send_reset(Reason::CANCEL);
    }
}

/// Waits for bytes of a tunnel; 0 mean its end.
pub(crate) fn poll_arrive(
    body: &mut RecvStream,
    content: &mut Bytes,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    loop {
        match ready!(body.poll_data(cx)) {
            // An empty frame is not the end.
            Some(Ok(arrived)) if arrived.is_empty() => {}
            Some(Ok(arrived)) => {
                *content = arrived;
                return Poll::Ready(Ok(content.len()));
            }
            // It had sent all of it (RFC 9113, section 8.1).
            Some(Err(error)) if is_no_error(&error) => return Poll::Ready(Ok(0)),
            Some(Err(_)) => return Poll::Ready(Err(StreamClosed.into())),
            None => return Poll::Ready(Ok(0)),
        }
    }
}

/// Takes content away, so that the peer may send more.
pub(crate) fn consume(body: &mut RecvStream, content: &mut Bytes, count: usize) {
    content.advance(count);
    // It fails only for more than has arrived.
    drop(body.flow_control().release_capacity(count));
}
