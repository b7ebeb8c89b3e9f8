//! A connection to a target that speaks HTTP/2. The requests of a worker share it, each with a stream of its own.

use std::{
    cell::Cell,
    future::{Future as _, poll_fn},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{Ping, client::SendRequest};
use lb_http::limits::Limits;
use tokio::task::spawn_local;

use crate::{failure::Failure, stream::Stream};

/// Bytes of one response that may wait here.
const STREAM_WINDOW: u32 = 64 << 10;
/// Several clients that do not read must not stop the others.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
/// Bytes of one request that may wait for the target.
const SEND_BUFFER: usize = 64 << 10;
/// What short DATA frames may cost that wait for slow clients, 256 bytes each: h2 ends the connection beyond
/// it, with the streams of all others. Targets are trusted, and the window of a stream bounds each.
const SHORT_FRAMES_MAX: usize = 64 << 20;

/// A connection to a target.
#[derive(Debug)]
pub(crate) struct Http2Connection {
    send: SendRequest<Bytes>,
    pub(crate) address: SocketAddr,
    pub(crate) scheme: &'static str,
    streams: Cell<usize>,
    /// Streams that it has had.
    served: Cell<u64>,
    idle_since: Cell<Instant>,
    /// No more streams begin on it.
    is_retired: Rc<Cell<bool>>,
}

impl Http2Connection {
    /// Exchanges the prefaces. The PING is answered behind the SETTINGS of the target, so that its limit of
    /// streams is known before the first request; and what answers it does speak HTTP/2.
    pub(crate) async fn handshake(stream: Stream, address: SocketAddr) -> Result<Self, Failure> {
        let scheme = if matches!(stream, Stream::Tls(_)) { "https" } else { "http" };
        let failed = |error: h2::Error| {
            tracing::debug!(target = %address, %error, "a target does not speak HTTP/2");
            if error.is_io() { Failure::ConnectFailed } else { Failure::TargetProtocolError }
        };
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .data_frame_budget(SHORT_FRAMES_MAX)
            .max_header_list_size(u32::try_from(Limits::RESPONSE.head_max).unwrap_or(u32::MAX));
        let (send, mut connection) = builder.handshake(stream).await.map_err(failed)?;
        if let Some(mut ping) = connection.ping_pong() {
            ping.send_ping(Ping::opaque()).map_err(failed)?;
            poll_fn(|cx| {
                if let Poll::Ready(end) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(Err(end.map_or_else(failed, |()| Failure::ConnectFailed)));
                }
                ping.poll_pong(cx).map_ok(|_| ()).map_err(failed)
            })
            .await?;
        }
        let is_retired = Rc::new(Cell::new(false));
        let has_ended = Rc::clone(&is_retired);
        spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(target = %address, %error, "a connection to a target has failed");
            }
            has_ended.set(true);
        });
        Ok(Self {
            send,
            address,
            scheme,
            streams: Cell::new(0),
            served: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            is_retired,
        })
    }

    /// Whether another stream may begin.
    pub(crate) fn has_capacity(&self, streams_max: usize) -> bool {
        let most = self.send.current_max_send_streams().min(streams_max);
        !self.is_retired.get() && self.streams.get() < most
    }

    /// Lets no more streams begin: it may be dead. Those that are open go on.
    pub(crate) fn retire(&self) {
        self.is_retired.set(true);
    }

    /// Whether it is still of use to somebody.
    pub(crate) fn is_kept(&self, timeout: Duration, now: Instant) -> bool {
        let is_young = now.saturating_duration_since(self.idle_since.get()) < timeout;
        !self.is_retired.get() && (self.streams.get() > 0 || is_young)
    }
}

/// A stream that counts until this is dropped.
#[derive(Debug)]
pub(crate) struct StreamSlot {
    pub(crate) connection: Rc<Http2Connection>,
    /// Streams that the connection had before.
    pub(crate) served: u64,
}

impl StreamSlot {
    /// Takes one of the streams of a connection.
    pub(crate) fn take(connection: Rc<Http2Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        let served = connection.served.replace(connection.served.get() + 1);
        Self { connection, served }
    }

    /// A handle for one request.
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.connection.send.clone()
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let connection = &self.connection;
        connection.streams.set(connection.streams.get().saturating_sub(1));
        connection.idle_since.set(Instant::now());
    }
}
