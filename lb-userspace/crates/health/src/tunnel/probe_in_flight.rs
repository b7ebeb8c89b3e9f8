//! A probe between its socket and the interface that it leaves by.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use lb_common::Target;

use super::lock::lock;

/// What the carrier needs to know of a probe, and what it has seen of it.
#[derive(Debug)]
pub(super) struct ProbeInFlight {
    pub(super) vip: SocketAddr,
    pub(super) target: Target,
    pub(super) hash_seed: [u64; 2],
    pub(super) sent: AtomicU32,
    /// What was last wrong with a packet that could not be sent.
    pub(super) send_error: Mutex<Option<String>>,
}

impl ProbeInFlight {
    pub(super) const fn new(vip: SocketAddr, target: Target, hash_seed: [u64; 2]) -> Self {
        Self { vip, target, hash_seed, sent: AtomicU32::new(0), send_error: Mutex::new(None) }
    }

    /// A packet has left.
    pub(super) fn count_sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// A packet could not be sent.
    pub(super) fn fail(&self, send_error: String) {
        *lock(&self.send_error) = Some(send_error);
    }
}
