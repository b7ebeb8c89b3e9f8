//! How much of what a client of HTTP/2 sends carries nothing: PING, SETTINGS, PRIORITY, WINDOW_UPDATE and unknown
//! frames cost work, and none of the limits on requests counts them (CVE-2019-9512, CVE-2019-9515). Each answer of
//! the proxy is sent before the next such frame is read, so that they hold no memory; here their number is bounded.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// Bytes of such frames that each connection has free.
const FREE: u64 = 1 << 20;
/// More of them for each byte of requests and responses: a client may send a PING or a WINDOW_UPDATE for each frame
/// that it gets.
const FOR_A_BYTE: u64 = 8;

/// RFC 9113, section 3.4.
const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
/// Types of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// Reads lengths and types of frames as their bytes pass.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; FRAME_HEAD],
    head_len: usize,
    /// Bytes before the next head.
    skip: usize,
}

impl Frames {
    /// Takes the next bytes. Gives the bytes of frames with content, and those of other frames.
    fn pass(&mut self, mut bytes: &[u8]) -> (u64, u64) {
        let (mut content, mut other) = (0, 0);
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEAD - self.head_len).min(bytes.len());
            self.head[self.head_len..self.head_len + taken].copy_from_slice(&bytes[..taken]);
            self.head_len += taken;
            bytes = &bytes[taken..];
            if self.head_len == FRAME_HEAD {
                let [high, middle, low, kind, ..] = self.head;
                self.skip = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.head_len = 0;
                match kind {
                    DATA | HEADERS | CONTINUATION => content += self.skip as u64,
                    _ => other += (FRAME_HEAD + self.skip) as u64,
                }
            }
        }
        (content, other)
    }
}

/// What has passed of a connection.
#[derive(Debug)]
pub(crate) struct FrameMeter {
    received: Frames,
    sent: Frames,
    content: u64,
    other: u64,
}

impl Default for FrameMeter {
    fn default() -> Self {
        let received = Frames { skip: PREFACE, ..Frames::default() };
        Self { received, sent: Frames::default(), content: 0, other: 0 }
    }
}

impl FrameMeter {
    fn receive(&mut self, bytes: &[u8]) {
        let (content, other) = self.received.pass(bytes);
        self.content += content;
        self.other += other;
    }

    fn send(&mut self, bytes: &[u8]) {
        self.content += self.sent.pass(bytes).0;
    }

    /// Whether the client has sent too much that carries nothing.
    pub(crate) fn is_flooded(&self) -> bool {
        self.other > FREE + FOR_A_BYTE * self.content
    }
}

/// A connection of a client whose frames are counted.
#[derive(Debug)]
pub(crate) struct MeteredStream {
    pub(crate) stream: Stream,
    pub(crate) meter: Rc<RefCell<FrameMeter>>,
}

impl AsyncRead for MeteredStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.meter.borrow_mut().receive(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for MeteredStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.meter.borrow_mut().send(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, len: usize) -> Vec<u8> {
        let length = u32::try_from(len).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 1];
        frame.resize(FRAME_HEAD + len, 7);
        frame
    }

    #[test]
    fn frames_are_counted_in_any_pieces() {
        let all = [frame(DATA, 300), frame(6, 8), frame(HEADERS, 5), frame(4, 0), frame(DATA, 0)];
        let bytes = all.concat();
        for piece in [1, 2, 8, 9, 10, 100, 1000] {
            let mut frames = Frames::default();
            let mut sums = (0, 0);
            for piece in bytes.chunks(piece) {
                let (content, other) = frames.pass(piece);
                sums = (sums.0 + content, sums.1 + other);
            }
            assert_eq!(sums, (305, 17 + 9), "{piece}");
        }
    }

    #[test]
    fn what_carries_nothing_is_bounded_by_what_carries_something() {
        let mut meter = FrameMeter::default();
        meter.receive(&[7; PREFACE]);
        let pings = frame(6, 8).repeat(60_000);
        meter.receive(&pings);
        assert!(!meter.is_flooded(), "{meter:?}");
        meter.receive(&pings);
        assert!(meter.is_flooded(), "{meter:?}");
        // The answers to a flood earn nothing, and a large response does.
        meter.send(&pings);
        assert!(meter.is_flooded(), "{meter:?}");
        meter.send(&frame(DATA, 16_000).repeat(20));
        assert!(!meter.is_flooded(), "{meter:?}");
    }
}
