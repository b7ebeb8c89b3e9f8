//! What one worker knows of a target group: whose turn it is, what is outstanding, and idle connections.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, atomic::AtomicU32},
    time::{Duration, Instant},
};

use lb_rules::{
    choice::{Choice, Health, Outcome, TargetGroup},
    sticky::{Attributes, Keys, Scope, ScopeKind, Sessions, Stickiness},
};

use crate::{
    compiled::CompiledListener,
    counters::{Counter, CounterSet, WorkerCounters},
    group_loads::{GroupLoads, TargetQueue},
    http2_connection::Http2Connection,
    http2_pool::{Http2Pool, NextStream},
    live_requests::{CutSignal, LiveRequests},
    pool::IdlePool,
    retry_budget::RetryBudget,
    snapshot::{Group, TargetTls},
    target_connection::TargetConnection,
};

/// A target group in one worker.
#[derive(Debug)]
pub(crate) struct WorkerGroup {
    pub(crate) name: Arc<str>,
    pub(crate) counters: Arc<CounterSet>,
    all_counters: Arc<WorkerCounters>,
    /// Times that choices take are since then.
    start: Instant,
    state: RefCell<State>,
    /// Cookies are valid for one listener each.
    sessions: RefCell<HashMap<Arc<str>, Rc<Sessions<SocketAddr>>>>,
}

#[derive(Debug)]
struct State {
    config: Arc<Group>,
    choice: TargetGroup,
    queue: Arc<TargetQueue>,
    /// In the order of the targets.
    pools: Vec<TargetPools>,
    live: LiveRequests,
    /// Targets that take no more requests, and when those that they have are cut.
    leaving: HashMap<SocketAddr, Instant>,
    budget: RetryBudget,
}

/// Connections to one target that may be used again.
#[derive(Debug, Default)]
struct TargetPools {
    counters: Arc<CounterSet>,
    http1: IdlePool<TargetConnection>,
    http2: Http2Pool,
}

impl TargetPools {
    fn clear(&mut self) {
        self.http1.clear();
        self.http2.clear();
    }
}

impl WorkerGroup {
    pub(crate) fn new(
        config: Arc<Group>,
        loads: &GroupLoads,
        all_counters: Arc<WorkerCounters>,
        start: Instant,
    ) -> Self {
        let name: Arc<str> = config.name.as_str().into();
        let counters = all_counters.group(&name);
        let state = State {
            config: Arc::clone(&config),
            choice: TargetGroup::new(config.choice.clone()),
            queue: Arc::clone(&loads.queue),
            pools: Vec::new(),
            live: LiveRequests::default(),
            leaving: HashMap::new(),
            budget: RetryBudget::new(start),
        };
        let group = Self {
            name,
            counters,
            all_counters,
            start,
            state: RefCell::new(state),
            sessions: RefCell::default(),
        };
        group.update(config, loads);
        group
    }

    /// Takes what a new snapshot says. Targets that stay keep their connections; those of a target that leaves are
    /// closed when they are idle, and cut after its deregistration delay.
    pub(crate) fn update(&self, config: Arc<Group>, loads: &GroupLoads) {
        let now = self.start.elapsed();
        let mut state = self.state.borrow_mut();
        let State { config: old, choice, pools, .. } = &mut *state;
        if old.choice != config.choice {
            *choice = TargetGroup::new(config.choice.clone());
        }
        let old_targets = old.targets.iter().map(|target| target.address);
        let mut old_pools: HashMap<SocketAddr, TargetPools> =
            old_targets.zip(pools.drain(..)).collect();
        if !is_same_transport(old, &config) {
            old_pools.values_mut().for_each(TargetPools::clear);
        }
        let targets: Vec<_> = config.targets.iter().map(|one| (one.address, one.weight)).collect();
        choice.set_targets(&targets, now);
        for (place, target) in config.targets.iter().enumerate() {
            choice.set_health(place, target.health, now);
            if let Some(counter) = loads.counter(target.address) {
                choice.set_counter(place, counter);
            }
            let mut pool = old_pools.remove(&target.address).unwrap_or_default();
            pool.counters = self.all_counters.target(&self.name, target.address);
            if target.health == Health::Draining {
                pool.clear();
            }
            pools.push(pool);
        }
        for (address, pool) in &mut old_pools {
            pool.clear();
            self.all_counters.remove_target(&self.name, *address);
        }
        state.note_leaving(&config);
        state.config = config;
        drop(state);
        self.cut_expired(Instant::now());
        self.sessions.borrow_mut().clear();
        // A limit may be higher, or a target healthy again.
        self.queue().changed();
    }

    /// The group has left: all of its targets leave. Whether it still has requests.
    pub(crate) fn leave(&self) -> bool {
        let config = Group { targets: Vec::new(), ..self.config().as_ref().clone() };
        self.update(Arc::new(config), &GroupLoads::default());
        self.has_requests()
    }

    /// Whether a target has a request or a tunnel of this worker.
    pub(crate) fn has_requests(&self) -> bool {
        !self.state.borrow().live.is_empty()
    }

    /// What the snapshot says.
    pub(crate) fn config(&self) -> Arc<Group> {
        Arc::clone(&self.state.borrow().config)
    }

    /// Where requests wait for a target below its limit.
    pub(crate) fn queue(&self) -> Arc<TargetQueue> {
        Arc::clone(&self.state.borrow().queue)
    }

    /// A request goes to the group: some of them may be sent once more.
    pub(crate) fn begin_request(&self) {
        let mut state = self.state.borrow_mut();
        let percent = state.config.attributes.retry_budget_percent;
        state.budget.request(percent);
    }

    /// Whether a request may be sent once more, by the budget of retries.
    pub(crate) fn may_retry(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let percent = state.config.attributes.retry_budget_percent;
        let is_allowed = state.budget.take(percent, Instant::now());
        if !is_allowed {
            self.counters.add(Counter::RetriesOverBudget, 1);
        }
        is_allowed
    }

    /// The sessions of clients of a listener, if the group is sticky.
    pub(crate) fn sessions(
        &self,
        listener: &CompiledListener,
        keys: &Keys,
    ) -> Option<Rc<Sessions<SocketAddr>>> {
        let config = self.config();
        let stickiness = config.stickiness.as_ref()?;
        if let Some(sessions) = self.sessions.borrow().get(&listener.name) {
            return Some(Rc::clone(sessions));
        }
        let has_app_cookie = stickiness.app_cookie.is_some();
        let kind = if has_app_cookie { ScopeKind::AppCookie } else { ScopeKind::LbCookie };
        let scope = Scope { kind, listener: &listener.name, owner: &self.name };
        let tls = listener.config.tls.is_some();
        let stickiness = Stickiness {
            duration: stickiness.duration,
            app_cookie: stickiness.app_cookie.clone(),
            attributes: Attributes { tls, same_site: listener.config.same_site },
        };
        let identities: Vec<_> =
            config.targets.iter().map(|one| (one.address, one.address.to_string())).collect();
        let members: Vec<_> =
            identities.iter().map(|(address, text)| (*address, text.as_bytes())).collect();
        let sessions = Rc::new(Sessions::new(keys, &scope, stickiness, &members));
        self.sessions.borrow_mut().insert(Arc::clone(&listener.name), Rc::clone(&sessions));
        Some(sessions)
    }

    /// Chooses a target, or takes the one of the client's session.
    pub(crate) fn choose(&self, kept: Option<SocketAddr>, random: u64, now: Instant) -> Chosen {
        let now = now.saturating_duration_since(self.start);
        let mut state = self.state.borrow_mut();
        let choice = &mut state.choice;
        let kept = kept.and_then(|address| choice.place(address));
        if let Some(place) = kept.filter(|place| choice.is_available(*place, now))
            && let Some(started) = state.start_request(place)
        {
            return Chosen::Target { started, fail_open: false };
        }
        loop {
            let (place, fail_open) = match state.choice.choose(now, random) {
                Choice::Target { place, fail_open } => (place, fail_open),
                Choice::Full => return Chosen::Full,
                Choice::NoTarget => return Chosen::NoTarget,
            };
            // Another worker may have been faster; the target is at its limit then.
            if let Some(started) = state.start_request(place) {
                return Chosen::Target { started, fail_open };
            }
        }
    }

    /// An idle connection to a target that is open, as far as this host knows.
    pub(crate) fn take_idle(&self, address: SocketAddr, now: Instant) -> Option<TargetConnection> {
        let mut state = self.state.borrow_mut();
        let place = state.choice.place(address)?;
        let timeout = state.config.attributes.idle_connection_timeout;
        let pool = &mut state.pools.get_mut(place)?.http1;
        while let Some(mut connection) = pool.take(timeout, now) {
            if connection.wire.is_silent() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps an idle connection, unless its target is leaving.
    pub(crate) fn put_idle(&self, connection: TargetConnection, now: Instant) {
        let mut state = self.state.borrow_mut();
        let max = state.config.attributes.idle_connections_max;
        if let Some(pools) = state.pools_of(connection.address) {
            drop(pools.http1.put(connection, max, now));
        }
    }

    /// A stream to a target of HTTP/2, or who opens a connection for one; `None` if the target is leaving.
    pub(crate) fn next_stream(&self, address: SocketAddr) -> Option<NextStream> {
        let mut state = self.state.borrow_mut();
        let streams_max = state.config.attributes.streams_max;
        Some(state.pools_of(address)?.http2.next(streams_max))
    }

    /// Keeps a connection of HTTP/2, unless its target is leaving.
    pub(crate) fn add_http2(&self, connection: Rc<Http2Connection>) {
        if let Some(pools) = self.state.borrow_mut().pools_of(connection.address) {
            pools.http2.add(connection);
        }
    }

    /// Periodic work: closes idle connections, cuts what targets that left still have, and compares success rates.
    pub(crate) fn tick(&self, now: Instant) {
        let mut state = self.state.borrow_mut();
        let timeout = state.config.attributes.idle_connection_timeout;
        for pools in &mut state.pools {
            pools.http1.expire(timeout, now, |connection| {
                connection.release_memory();
                connection.wire.is_silent()
            });
            pools.http2.expire(timeout, now);
        }
        let elapsed = self.start.elapsed();
        let ejected = state.choice.compare_success_rates(elapsed);
        for place in ejected {
            tracing::info!(group = %self.name, target = ?state.choice.address(place),
                "a target gets no requests for a while: its success rate is far below the others'");
        }
        drop(state);
        self.cut_expired(now);
    }

    /// Cuts what is over its deregistration delay.
    fn cut_expired(&self, now: Instant) {
        let state = self.state.borrow();
        let expired = state.leaving.iter().filter(|(_, deadline)| **deadline <= now);
        expired.for_each(|(address, _)| state.live.cut(*address));
    }

    /// Closes all idle connections.
    pub(crate) fn close_idle(&self) {
        self.state.borrow_mut().pools.iter_mut().for_each(TargetPools::clear);
    }

    /// A request has ended: see [`crate::outstanding::Outstanding`].
    pub(crate) fn finished(&self, address: SocketAddr, slot: usize, outcome: Outcome) {
        let now: Duration = self.start.elapsed();
        let mut state = self.state.borrow_mut();
        state.live.remove(slot);
        state.queue.freed();
        let choice = &mut state.choice;
        // A target that has left is not counted any more.
        if let Some(place) = choice.place(address)
            && choice.record(place, outcome, now).is_some()
        {
            tracing::info!(group = %self.name, target = %address,
                "a target gets no requests for a while: it has failed several times in a row");
        }
    }
}

impl State {
    /// Counts a request, unless the target is at its limit.
    fn start_request(&mut self, place: usize) -> Option<StartedRequest> {
        let address = self.choice.address(place)?;
        let counter = self.choice.counter(place)?;
        if !self.choice.started(place) {
            return None;
        }
        let (slot, cut) = self.live.add(address);
        let counters = Arc::clone(&self.pools.get(place)?.counters);
        Some(StartedRequest { address, counter, counters, slot, cut })
    }

    /// The connections of a target that does not leave.
    fn pools_of(&mut self, address: SocketAddr) -> Option<&mut TargetPools> {
        let place = self.choice.place(address)?;
        let target = self.config.targets.get(place)?;
        let pools = self.pools.get_mut(place)?;
        (target.health != Health::Draining).then_some(pools)
    }

    /// Which targets leave with a new configuration, and until when they may finish their requests.
    fn note_leaving(&mut self, new: &Group) {
        let now = Instant::now();
        let stays = |address| {
            let mut targets = new.targets.iter();
            targets.any(|one| one.address == address && one.health != Health::Draining)
        };
        let deadline = now + new.attributes.deregistration_delay;
        let old = self.config.targets.iter().chain(&new.targets).map(|target| target.address);
        for address in old.filter(|address| !stays(*address)) {
            self.leaving.entry(address).or_insert(deadline);
        }
        // The others have come back. Those without requests need no deadline, unless they drain.
        let live = &self.live;
        let is_listed = |address| new.targets.iter().any(|target| target.address == address);
        self.leaving
            .retain(|address, _| !stays(*address) && (is_listed(*address) || live.has(*address)));
    }
}

/// Whether connections of one configuration can serve the other one.
fn is_same_transport(old: &Group, new: &Group) -> bool {
    let is_same_tls = match (&old.tls, &new.tls) {
        (None, None) => true,
        (Some(old), Some(new)) => is_same_target_tls(old, new),
        _ => false,
    };
    let (old, new) = (&old.attributes, &new.attributes);
    is_same_tls && old.proxy_protocol == new.proxy_protocol && old.protocol == new.protocol
}

fn is_same_target_tls(old: &TargetTls, new: &TargetTls) -> bool {
    Arc::ptr_eq(&old.config, &new.config) && old.server_name == new.server_name
}

/// A request that is counted: it must become a [`crate::outstanding::Outstanding`].
#[derive(Debug)]
#[must_use]
pub(crate) struct StartedRequest {
    pub(crate) address: SocketAddr,
    /// Outstanding requests of the target.
    pub(crate) counter: Arc<AtomicU32>,
    /// What is counted of the target.
    pub(crate) counters: Arc<CounterSet>,
    /// Its place among the live requests of the group.
    pub(crate) slot: usize,
    pub(crate) cut: Rc<CutSignal>,
}

/// A target for a request.
#[derive(Debug)]
pub(crate) enum Chosen {
    Target { started: StartedRequest, fail_open: bool },
    Full,
    NoTarget,
}
