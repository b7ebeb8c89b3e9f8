//! The thread that answers people and Prometheus: with a runtime of its own, so that nobody queues
//! behind ten thousand probes.

use std::{io, thread};

use tokio::runtime::{Builder, EnterGuard, Runtime};

/// The runtime of that thread, before it runs.
pub(super) struct Reception(Runtime);

impl Reception {
    /// Makes one.
    pub(super) fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(Self)
    }

    /// While it lives, listeners that are made belong to that thread.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.0.enter()
    }

    /// Starts the thread, which ends with the process.
    pub(super) fn open(self, answers: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name("xelb-api".to_owned());
        thread.spawn(move || self.0.block_on(answers)).map(drop)
    }
}
