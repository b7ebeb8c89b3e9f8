//! A request that a target has, until it ends: what it is counted for, and when it is cut.

use std::{
    cell::{Cell, RefCell},
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
    started: RefCell<StartedRequest>,
    outcome: Cell<Outcome>,
}

impl Outstanding {
    pub(crate) fn new(group: Rc<WorkerGroup>, started: StartedRequest) -> Self {
        started.counters.begin_request();
        let (started, outcome) = (RefCell::new(started), Cell::new(Outcome::Cancelled));
        Self { group, started, outcome }
    }

    /// The target.
    pub(crate) fn address(&self) -> SocketAddr {
        self.started.borrow().address
    }

    /// What is counted of the target.
    pub(crate) fn counters(&self) -> Arc<CounterSet> {
        Arc::clone(&self.started.borrow().counters)
    }

    /// How it has ended.
    pub(crate) fn set_outcome(&self, outcome: Outcome) {
        self.outcome.set(outcome);
    }

    /// The target of another request has this one now, and the other way round: when the other one is dropped, the
    /// target before is accounted for with its outcome.
    pub(crate) fn swap(&self, other: &Self) {
        self.started.swap(&other.started);
        self.outcome.swap(&other.outcome);
    }

    /// Whether the deregistration delay of the target is over.
    pub(crate) fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        self.started.borrow().cut.poll(cx)
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        let StartedRequest { address, counter, counters, slot, .. } = self.started.get_mut();
        release(counter);
        counters.end_request();
        self.group.finished(*address, *slot, self.outcome.get());
    }
}
