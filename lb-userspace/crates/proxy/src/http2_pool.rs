//! Connections of HTTP/2 to one target: which one takes the next stream, and who opens another one. While one is
//! opened, requests that find no stream wait for it instead of opening more.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    failure::Failure,
    http2_connection::{Http2Connection, StreamSlot},
};

/// Connections to one target.
#[derive(Debug, Default)]
pub(crate) struct Http2Pool {
    /// Those that are first in it get streams first, so that the others become idle.
    connections: Vec<Rc<Http2Connection>>,
    opening: Option<Rc<Opening>>,
}

/// What a request that needs a stream does next.
#[derive(Debug)]
pub(crate) enum NextStream {
    /// It has one.
    Ready(StreamSlot),
    /// Somebody opens a connection: wait for that, and ask again.
    Wait(Rc<Opening>),
    /// Open a connection, and [`Http2Pool::add`] it.
    Open(OpeningGuard),
}

/// A connection that is being opened.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    is_over: Cell<bool>,
    failure: Cell<Option<Failure>>,
    over: Notify,
}

impl Opening {
    /// Waits until it is open. Its failure is that of all who wait.
    pub(crate) async fn wait(&self) -> Result<(), Failure> {
        let over = self.over.notified();
        if !self.is_over.get() {
            over.await;
        }
        self.failure.get().map_or(Ok(()), Err)
    }
}

/// Ends the wait of others when it is dropped.
#[derive(Debug)]
pub(crate) struct OpeningGuard(Rc<Opening>);

impl OpeningGuard {
    /// The connection could not be opened.
    pub(crate) fn failed(self, failure: Failure) {
        self.0.failure.set(Some(failure));
    }
}

impl Drop for OpeningGuard {
    fn drop(&mut self) {
        self.0.is_over.set(true);
        self.0.over.notify_waiters();
    }
}

impl Http2Pool {
    /// A stream, or who opens a connection for one.
    pub(crate) fn next(&mut self, streams_max: usize) -> NextStream {
        let mut connections = self.connections.iter();
        if let Some(connection) = connections.find(|one| one.has_capacity(streams_max)) {
            return NextStream::Ready(StreamSlot::take(Rc::clone(connection)));
        }
        if let Some(opening) = self.opening.as_ref().filter(|opening| !opening.is_over.get()) {
            return NextStream::Wait(Rc::clone(opening));
        }
        let opening = Rc::new(Opening::default());
        self.opening = Some(Rc::clone(&opening));
        NextStream::Open(OpeningGuard(opening))
    }

    /// Keeps a connection.
    pub(crate) fn add(&mut self, connection: Rc<Http2Connection>) {
        self.connections.push(connection);
    }

    /// Closes connections that are of no use. Streams that are open go on.
    pub(crate) fn expire(&mut self, timeout: Duration, now: Instant) {
        self.connections.retain(|connection| connection.is_kept(timeout, now));
    }

    /// Lets no more streams begin on all of them.
    pub(crate) fn clear(&mut self) {
        self.connections.drain(..).for_each(|connection| connection.retire());
    }
}
