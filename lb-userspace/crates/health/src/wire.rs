//! The connection of a probe as an HTTP engine has it: it keeps the start of what comes, for
//! messages, and it is never shut down.
//!
//! hyper shuts a connection down as soon as it has the answer to `connection: close`. That sends a
//! FIN, and when the target's FIN arrives before the probe drops its socket, the socket is in
//! TIME-WAIT, where the reset of [`super::tcp`] comes too late.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are kept: a response head that is as long as it may be.
const KEPT_MAX: usize = 16 * 1024;

/// The start of what came over a [`Wire`].
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT_MAX - kept.len();
        kept.extend(bytes.iter().take(room));
    }
}

/// A connection.
pub(super) struct Wire<S> {
    stream: S,
    seen: Seen,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, seen: Seen::default() }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.seen.keep(buffer.filled().get(before..).unwrap_or_default());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::tcp::{
        self, Purpose,
        tests::{TIMEOUT, probe_of, time_waits},
    };

    #[tokio::test]
    async fn a_connection_that_both_ends_close_is_not_in_time_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let before = time_waits(address.port());
        let deadline = Instant::now() + TIMEOUT;
        let stream = tcp::connect(&probe_of(address), Purpose::Talk, deadline).await.unwrap();
        let mut wire = Wire::new(stream);
        let (mut server, _) = listener.accept().await.unwrap();
        // As hyper does, before the target has closed.
        wire.shutdown().await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(wire.read(&mut [0]).await.unwrap(), 0);
        drop(wire);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(time_waits(address.port()), before);
    }

    #[tokio::test]
    async fn the_start_of_the_response_is_kept() {
        let long = vec![b'x'; 3 * KEPT_MAX];
        let mut wire = Wire::new(&long[..]);
        let mut read = Vec::new();
        wire.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), long.len());
        assert_eq!(wire.seen().bytes(), long[..KEPT_MAX]);
    }
}
