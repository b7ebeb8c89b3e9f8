//! The agent of a sequence: what it knows, and how it brings the maps to a plan.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use lb_config::{Config, TargetKey};
use lb_plan::{self as plan, Cache, HealthTable, Inputs, Plan, Tables, reconcile::Reconciler};

use crate::{
    group::{address, next_hop},
    host::{Host, HostStore},
};

/// An agent, and the host that it works on.
pub(crate) struct Agent {
    pub(crate) host: Rc<RefCell<Host>>,
    reconciler: Reconciler<HostStore>,
    cache: Cache,
    /// What the maps hold, as it believes.
    pub(crate) tables: Arc<Tables>,
    /// Slots that disarm with the next plan.
    pub(crate) idle_slots: BTreeSet<u32>,
    /// Second at which the plan changes by itself.
    next_change: Option<u32>,
}

impl Agent {
    pub(crate) fn new(host: Host) -> Self {
        let host = Rc::new(RefCell::new(host));
        Self {
            reconciler: Reconciler::new(HostStore(Rc::clone(&host))),
            host,
            cache: Cache::default(),
            tables: Arc::default(),
            idle_slots: BTreeSet::new(),
            next_change: None,
        }
    }

    /// Another one, which knows nothing but the maps.
    pub(crate) fn restart(&mut self) {
        self.reconciler = Reconciler::new(HostStore(Rc::clone(&self.host)));
        self.cache = Cache::default();
        self.idle_slots.clear();
        self.host.borrow_mut().kill_after = None;
    }

    /// When a packet of this slot last went elsewhere than to its current owner.
    pub(crate) fn seen(&self, slot: u32) -> u32 {
        self.reconciler.seen(slot)
    }

    /// Whether the plan changes without any event.
    pub(crate) fn is_due(&self) -> bool {
        let now = self.host.borrow().now;
        !self.idle_slots.is_empty() || self.next_change.is_some_and(|second| second <= now)
    }

    /// What the maps should hold; all servers have a next hop.
    pub(crate) fn plan<Server>(
        &mut self,
        config: &Config,
        health: &HealthTable,
        drained: &BTreeSet<TargetKey>,
        servers: &BTreeMap<u16, Server>,
    ) -> Plan {
        let next_hops = servers.keys().map(|number| (address(*number), next_hop())).collect();
        let now = self.host.borrow().now;
        let Self { reconciler, cache, idle_slots, .. } = self;
        let plan = reconciler.plan(|previous| {
            plan::compile(&Inputs {
                config,
                health,
                drained,
                cut: &BTreeSet::new(),
                removed: &[],
                next_hops: &Arc::new(next_hops),
                attached: &BTreeSet::new(),
                now,
                idle_slots,
                previous,
                cache,
            })
        });
        plan.expect("it fits")
    }

    /// Brings the maps to a plan; `false` when the agent was killed on the way.
    pub(crate) fn apply(&mut self, plan: Plan) -> bool {
        let applied = self.reconciler.apply(&plan);
        self.idle_slots.clear();
        if applied.is_err() {
            return false;
        }
        self.next_change = plan.next_change;
        self.cache = plan.cache;
        self.tables = plan.tables;
        true
    }

    /// Reads the maps back, which a deliberate break has changed.
    pub(crate) fn read_back(&mut self) {
        let _differs = self.reconciler.verify().expect("reading does not fail");
        let read = self.reconciler.current().expect("reading does not fail");
        self.tables = Arc::new(read.clone());
    }
}
