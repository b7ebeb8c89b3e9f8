//! Who supervises the process, such as systemd. How it is told is decided by the caller.

use std::future::{Future, pending};

/// Gets signs of life.
pub trait Supervisor {
    /// Called in every turn of the main loop, with a line about the state of the proxy.
    fn report(&mut self, status: &str);

    /// Wakes the main loop in time for the next sign of life.
    fn wake(&self) -> impl Future<Output = ()>;

    /// A configuration is about to be read again; the next report ends it.
    fn reloading(&mut self);

    /// The process is stopping.
    fn stopping(&self);
}

/// Nobody supervises the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsupervised;

impl Supervisor for Unsupervised {
    fn report(&mut self, _status: &str) {}

    fn wake(&self) -> impl Future<Output = ()> {
        pending()
    }

    fn reloading(&mut self) {}

    fn stopping(&self) {}
}
