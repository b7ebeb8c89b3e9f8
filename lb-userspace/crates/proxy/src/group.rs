//! What one worker knows of a target group: whose turn it is, what is outstanding, and idle connections.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_rules::{
    choice::{Choice, Health, Outcome, TargetGroup},
    sticky::{Attributes, Keys, Scope, ScopeKind, Sessions, Stickiness},
};

use crate::{
    compiled::CompiledListener,
    counters::CounterSet,
    pool::IdlePool,
    snapshot::{Group, TargetTls},
    target_connection::TargetConnection,
};

/// A target group in one worker.
#[derive(Debug)]
pub(crate) struct WorkerGroup {
    pub(crate) name: Arc<str>,
    pub(crate) counters: Arc<CounterSet>,
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
    /// In the order of the targets.
    pools: Vec<IdlePool<TargetConnection>>,
}

impl WorkerGroup {
    pub(crate) fn new(config: Arc<Group>, counters: Arc<CounterSet>, start: Instant) -> Self {
        let name = config.name.as_str().into();
        let choice = TargetGroup::new(config.choice.clone());
        let state = State { config: Arc::clone(&config), choice, pools: Vec::new() };
        let group = Self {
            name,
            counters,
            start,
            state: RefCell::new(state),
            sessions: RefCell::default(),
        };
        group.update(config);
        group
    }

    /// Takes what a new snapshot says. Targets that stay keep their connections.
    pub(crate) fn update(&self, config: Arc<Group>) {
        let now = self.start.elapsed();
        let mut state = self.state.borrow_mut();
        let State { config: old, choice, pools } = &mut *state;
        if old.choice != config.choice {
            *choice = TargetGroup::new(config.choice.clone());
        }
        let mut old_pools: HashMap<SocketAddr, IdlePool<TargetConnection>> =
            old.targets.iter().map(|target| target.address).zip(pools.drain(..)).collect();
        if !is_same_transport(old, &config) {
            old_pools.clear();
        }
        let targets: Vec<_> = config.targets.iter().map(|one| (one.address, one.weight)).collect();
        choice.set_targets(&targets, now);
        for (place, target) in config.targets.iter().enumerate() {
            choice.set_health(place, target.health, now);
            let mut pool = old_pools.remove(&target.address).unwrap_or_default();
            if target.health == Health::Draining {
                pool.clear();
            }
            pools.push(pool);
        }
        *old = config;
        self.sessions.borrow_mut().clear();
    }

    /// What the snapshot says.
    pub(crate) fn config(&self) -> Arc<Group> {
        Arc::clone(&self.state.borrow().config)
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
        let choice = &mut self.state.borrow_mut().choice;
        let kept = kept.and_then(|address| choice.place(address).zip(Some(address)));
        if let Some((place, address)) = kept.filter(|(place, _)| choice.is_available(*place, now)) {
            choice.started(place);
            return Chosen::Target { address, fail_open: false };
        }
        match choice.choose(now, random) {
            Choice::Target { place, fail_open } => match choice.address(place) {
                Some(address) => {
                    choice.started(place);
                    Chosen::Target { address, fail_open }
                }
                None => Chosen::NoTarget,
            },
            Choice::Full => Chosen::Full,
            Choice::NoTarget => Chosen::NoTarget,
        }
    }

    /// An idle connection to a target that is open, as far as this host knows.
    pub(crate) fn take_idle(&self, address: SocketAddr, now: Instant) -> Option<TargetConnection> {
        let mut state = self.state.borrow_mut();
        let place = state.choice.place(address)?;
        let timeout = state.config.attributes.idle_connection_timeout;
        let pool = state.pools.get_mut(place)?;
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
        let State { config, choice, pools } = &mut *state;
        let Some(place) = choice.place(connection.address) else { return };
        let is_leaving =
            config.targets.get(place).is_none_or(|target| target.health == Health::Draining);
        if let Some(pool) = pools.get_mut(place).filter(|_| !is_leaving) {
            drop(pool.put(connection, config.attributes.idle_connections_max, now));
        }
    }

    /// Periodic work: closes idle connections, and compares success rates.
    pub(crate) fn tick(&self, now: Instant) {
        let mut state = self.state.borrow_mut();
        let timeout = state.config.attributes.idle_connection_timeout;
        for pool in &mut state.pools {
            pool.expire(timeout, now, |connection| {
                connection.release_memory();
                connection.wire.is_silent()
            });
        }
        let elapsed = self.start.elapsed();
        let ejected = state.choice.compare_success_rates(elapsed);
        for place in ejected {
            tracing::info!(group = %self.name, target = ?state.choice.address(place),
                "a target gets no requests for a while: its success rate is far below the others'");
        }
    }

    /// Closes all idle connections.
    pub(crate) fn close_idle(&self) {
        self.state.borrow_mut().pools.iter_mut().for_each(IdlePool::clear);
    }

    fn finished(&self, address: SocketAddr, outcome: Outcome) {
        let now: Duration = self.start.elapsed();
        let choice = &mut self.state.borrow_mut().choice;
        // A target that has left is not counted any more.
        if let Some(place) = choice.place(address)
            && choice.finished(place, outcome, now).is_some()
        {
            tracing::info!(group = %self.name, target = %address,
                "a target gets no requests for a while: it has failed several times in a row");
        }
    }
}

/// Whether connections of one configuration can serve the other one.
fn is_same_transport(old: &Group, new: &Group) -> bool {
    let is_same_tls = match (&old.tls, &new.tls) {
        (None, None) => true,
        (Some(old), Some(new)) => is_same_target_tls(old, new),
        _ => false,
    };
    is_same_tls && old.attributes.proxy_protocol == new.attributes.proxy_protocol
}

fn is_same_target_tls(old: &TargetTls, new: &TargetTls) -> bool {
    Arc::ptr_eq(&old.config, &new.config) && old.server_name == new.server_name
}

/// A target for a request. It counts as outstanding: see [`Outstanding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    Target { address: SocketAddr, fail_open: bool },
    Full,
    NoTarget,
}

/// A request that a target has not answered yet; it is accounted for when this is dropped.
#[derive(Debug)]
pub(crate) struct Outstanding {
    group: Rc<WorkerGroup>,
    address: SocketAddr,
    outcome: Cell<Outcome>,
}

impl Outstanding {
    /// After [`WorkerGroup::choose`].
    pub(crate) fn new(group: Rc<WorkerGroup>, address: SocketAddr) -> Self {
        Self { group, address, outcome: Cell::new(Outcome::Cancelled) }
    }

    /// How it has ended.
    pub(crate) fn set_outcome(&self, outcome: Outcome) {
        self.outcome.set(outcome);
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.group.finished(self.address, self.outcome.get());
    }
}
