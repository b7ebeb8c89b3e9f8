//! A request that a target has, until it ends: what it is counted for, and when it is cut.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use lb_rules::choice::{Outcome, release};

use crate::{
    counters::CounterSet,
    group::{StartedRequest, WorkerGroup},
};

/// A request that a target has; it is accounted for when this is dropped.
#[derive(Debug)]
pub(crate) struct Outstanding {
    group: Rc<WorkerGroup>,
    started: StartedRequest,
    outcome: Cell<Outcome>,
}

impl Outstanding {
    pub(crate) fn new(group: Rc<WorkerGroup>, started: StartedRequest) -> Self {
        Self { group, started, outcome: Cell::new(Outcome::Cancelled) }
    }

    /// The target.
    pub(crate) fn address(&self) -> SocketAddr {
        self.started.address
    }

    /// What is counted of the target.
    pub(crate) fn counters(&self) -> &Arc<CounterSet> {
        &self.started.counters
    }

    /// How it has ended.
    pub(crate) fn set_outcome(&self, outcome: Outcome) {
        self.outcome.set(outcome);
    }

    /// Whether the deregistration delay of the target is over.
    pub(crate) fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        self.started.cut.poll(cx)
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        let StartedRequest { address, counter, slot, .. } = &self.started;
        release(counter);
        self.group.finished(*address, *slot, self.outcome.get());
    }
}
