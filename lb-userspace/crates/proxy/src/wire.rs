//! A connection with its buffers: bytes in, bytes out, and how many there were. It knows no protocol.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::{
    buffer::{BUFFER_SIZE, InputBuffer, OutputBuffer},
    stream::Stream,
    tunnel_side::{GivenUp, TunnelSide},
};

/// Content that is shorter than this is copied behind what waits to be sent, and sent with it.
const COPIED_MAX: usize = 4 << 10;

/// A connection with its buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    pub(crate) input: InputBuffer,
    pub(crate) output: OutputBuffer,
    /// Bytes that have arrived, without those of TLS.
    pub(crate) received: u64,
    /// Bytes that were sent, without those of TLS.
    pub(crate) sent: u64,
    needs_flush: bool,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: InputBuffer::default(),
            output: OutputBuffer::default(),
            received: 0,
            sent: 0,
            needs_flush: false,
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Uses another connection, and sends again what was kept.
    pub(crate) fn replace_stream(&mut self, stream: Stream) {
        self.stream = stream;
        self.needs_flush = false;
        self.output.rewind();
    }

    /// Reads once. 0 bytes mean the end. The input must have space.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(self.input.space());
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => {
                self.input.release();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                let count = buffer.filled().len();
                self.input.filled(count);
                self.received += count as u64;
                Poll::Ready(Ok(count))
            }
        }
    }

    /// Sends everything that waits.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, self.output.bytes()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count as u64;
            self.output.sent(count);
            self.needs_flush = true;
        }
        if self.needs_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether more may be appended to the output.
    pub(crate) fn has_room(&self) -> bool {
        self.output.len() < BUFFER_SIZE
    }

    /// Sends content without a frame around it: copied behind what waits, or directly. Gives the number of
    /// bytes that were taken.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        content: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.limit_kept();
        if self.output.keeps_sent() || content.len() < COPIED_MAX {
            if !self.has_room() {
                ready!(self.poll_flush(cx))?;
            }
            self.output.tail().extend_from_slice(content);
            return Poll::Ready(Ok(content.len()));
        }
        if !self.output.is_empty() {
            ready!(self.poll_flush(cx))?;
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, content))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.sent += count as u64;
        self.needs_flush = true;
        Poll::Ready(Ok(count))
    }

    /// Stops keeping what was sent when it becomes too much.
    pub(crate) fn limit_kept(&mut self) {
        if self.output.keeps_sent() && self.output.tail().len() >= BUFFER_SIZE {
            self.output.forget_sent();
        }
    }

    /// Ends the sending direction.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Whether an idle connection is open and silent, as far as this host knows.
    pub(crate) fn is_silent(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Gives memory back while nothing is on its way.
    pub(crate) fn release_memory(&mut self) {
        self.input.release();
        if self.output.is_empty() {
            self.output.release();
        }
    }
}

impl TunnelSide for Wire {
    fn arrived(&self) -> &[u8] {
        self.input.bytes()
    }

    fn consume_arrived(&mut self, count: usize) {
        self.input.consume(count);
    }

    fn poll_arrive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_fill(cx)
    }

    fn poll_pass(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }

    fn poll_pass_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown(cx)
    }

    fn poll_given_up(&mut self, _: &mut Context<'_>) -> Poll<GivenUp> {
        // A reset is seen when the connection is read or written.
        Poll::Pending
    }

    fn reset(&mut self) {
        self.stream.reset_on_close();
    }
}
