//! PURE: one scaled group: its decisions, its members and its history. What is to be stored, and what
//! is to be done afterwards, is collected here; `scaling` does it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use lb_config::Scaling;
use lb_members::{
    Action, Demand, Event, EventKind, Group, Input, Ledger, MemberSettings, Outputs, RefreshOptions,
};
use lb_scale::{
    CheckedSettings, Decision, Lifecycle, Limits, Moment, Outcome, Process, Samples, Settings,
    State, decide,
};

use crate::{
    declared::Declared,
    history::History,
    observed::GroupSeen,
    problem::{Facts, Problem, problems},
    samples::Sampler,
    settings::{member_settings, refresh_options},
    stored::{Main, Means, Parts, Stored},
};

/// How often what decisions remember is stored, if nothing else changes.
const STORE_INTERVAL: Duration = Duration::from_mins(1);

/// A scaled group.
#[derive(Debug)]
pub(crate) struct ScaledGroup {
    pub(crate) name: Arc<str>,
    pub(crate) means: Means,
    pub(crate) refresh: RefreshOptions,
    pub(crate) state: State,
    pub(crate) members: Group,
    configured: Limits,
    pub(crate) history: History,
    sampler: Sampler,
    /// The last ones.
    samples: Samples,
    pub(crate) decision: Option<Decision>,
    decided_at: Option<Moment>,
    stored_at: Option<Moment>,
    /// It has left the configuration: its members are ended.
    pub(crate) retires: bool,
    /// What was told of the health of members.
    health: BTreeMap<String, bool>,
    /// Whether something is to be stored.
    pub(crate) is_changed: bool,
    /// What is to be done after that.
    pub(crate) actions: Vec<Action>,
    pub(crate) events: Vec<Event>,
    pub(crate) driver_error: Option<String>,
    /// Which hook has failed, for which member, and how.
    pub(crate) hook_error: Option<String>,
    pub(crate) store_error: Option<String>,
    pub(crate) decisions: u64,
    pub(crate) failed_calls: u64,
}

impl ScaledGroup {
    /// A group of the configuration, as it was stored, or a new one whose names begin with `epoch`.
    pub(crate) fn open(
        declared: &Declared,
        scaling: &Scaling,
        stored: Option<Stored>,
        epoch: u16,
    ) -> Self {
        let members = Arc::new(member_settings(declared, scaling));
        let settings = Arc::clone(&scaling.settings);
        let mut group = if let Some(stored) = stored {
            Self::restored(declared.name(), stored, members, settings)
        } else {
            let (members, _) = Group::open(Ledger::new(epoch), members);
            Self::with(declared.name(), means(scaling), State::new(settings), members)
        };
        group.configure(declared, scaling);
        group
    }

    /// A group that has left the configuration and still has members.
    pub(crate) fn retiring(name: &Arc<str>, stored: Stored) -> Option<Self> {
        let settings = Arc::new(CheckedSettings::new(Settings::new(0, 0)).ok()?);
        let members = Arc::new(stored.settings.clone());
        let mut group = Self::restored(name, stored, members, settings);
        group.retires = true;
        Some(group)
    }

    fn restored(
        name: &Arc<str>,
        stored: Stored,
        settings: Arc<MemberSettings>,
        checked: Arc<CheckedSettings>,
    ) -> Self {
        let Stored {
            ledger, means, desired, limits, configured, suspended, memory, history, ..
        } = stored;
        let (memory, history) = (memory.unwrap_or_default(), history.unwrap_or_default());
        let (members, _) = Group::open(ledger, settings);
        let mut state = State { desired, limits, suspended, memory, ..State::new(checked) };
        state.memory.restarted();
        let group = Self::with(name, means, state, members);
        Self { configured, history, ..group }
    }

    fn with(name: &Arc<str>, means: Means, state: State, members: Group) -> Self {
        Self {
            name: Arc::clone(name),
            means,
            refresh: RefreshOptions::default(),
            configured: state.limits,
            state,
            members,
            history: History::default(),
            sampler: Sampler::default(),
            samples: Samples::new(),
            decision: None,
            decided_at: None,
            stored_at: None,
            retires: false,
            health: BTreeMap::new(),
            is_changed: false,
            actions: Vec::new(),
            events: Vec::new(),
            driver_error: None,
            hook_error: None,
            store_error: None,
            decisions: 0,
            failed_calls: 0,
        }
    }

    /// Takes over what the configuration says.
    pub(crate) fn configure(&mut self, declared: &Declared, scaling: &Scaling) {
        self.members.set_settings(Arc::new(member_settings(declared, scaling)));
        self.refresh = refresh_options(scaling);
        let means = means(scaling);
        if !means.has_hooks_of(&self.means) {
            self.hook_error = None;
        }
        self.means = means;
        self.retires = false;
        self.state.settings = Arc::clone(&scaling.settings);
        if self.configured != scaling.settings.limits {
            // Those of a schedule are over, too.
            self.configured = scaling.settings.limits;
            self.state.limits = scaling.settings.limits;
        }
        // The next decision follows at once.
        self.decided_at = None;
    }

    /// What is to be stored.
    pub(crate) fn parts(&self) -> Result<Parts, String> {
        let main = Main {
            ledger: self.members.ledger(),
            settings: self.members.settings(),
            means: &self.means,
            desired: self.state.desired,
            limits: self.state.limits,
            configured: self.configured,
            suspended: &self.state.suspended,
        };
        Parts::of(&main, &self.state.memory, &self.history)
    }

    /// Whether what decisions remember was not stored for a while.
    pub(crate) fn is_stale(&self, now: Moment) -> bool {
        self.decided_at.is_some()
            && self.stored_at.is_none_or(|stored| now.since(&stored) >= STORE_INTERVAL)
    }

    /// It is stored as it is now.
    pub(crate) fn is_stored(&mut self, now: Moment) {
        self.is_changed = false;
        self.stored_at = Some(now);
        self.store_error = None;
    }

    /// Whether nothing is left of a group that retires.
    pub(crate) fn is_over(&self) -> bool {
        self.retires && self.members.ledger().members.is_empty()
    }

    /// Whether the next tick needs counters of targets.
    pub(crate) fn wants_traffic(&self, now: Moment) -> bool {
        let mut targets = self.members.targets();
        self.is_due(now)
            || targets.any(|(_, address, drains)| drains || self.sampler.misses(&address))
    }

    /// The targets that the data path should have, and whether each one drains. Those of a group that
    /// retires leave with their group.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        let targets = self.members.targets().filter(|_| !self.retires);
        targets.map(|(_, address, drains)| (address, drains))
    }

    /// A second has passed; `seen` is what the data path sees of the group now, `outside` are samples of
    /// metrics from outside.
    pub(crate) fn tick(&mut self, seen: Option<&GroupSeen>, outside: Samples, now: Moment) {
        if let Some(seen) = seen {
            self.sampler.note(seen, now);
            self.tell_health(seen, now);
            self.tell_flows(seen, now);
            self.state.fails_open = seen.fails_open;
        }
        if self.retires {
            let limits = Limits { min: 0, max: 0 };
            let demand =
                Demand { desired: 0, limits, launch: false, scale_in: true, replace: Vec::new() };
            self.step(Input::Demand(demand), now);
        } else if let Some(seen) = seen.filter(|_| self.is_due(now)) {
            self.samples = self.sampler.sample(seen, now);
            self.samples.extend(outside);
            self.decide(now);
        } else {
            self.step(Input::Tick, now);
        }
        let in_service = self.count(|state| state == Lifecycle::InService);
        self.is_changed |= self.history.observe(in_service, now);
    }

    /// Whether it decides with the next tick.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        let interval = self.state.settings.sample_interval;
        self.decided_at.is_none_or(|decided| now.since(&decided) >= interval)
    }

    /// Decides from the last samples, and follows the decision.
    pub(crate) fn decide(&mut self, now: Moment) {
        self.state.members = self.members.members();
        let decision = decide(&self.state, &self.samples, now);
        let is_new = decision.from != decision.desired || decision.limits != self.state.limits;
        self.state.apply(&decision);
        self.history.note_load(&self.samples, self.state.desired, now);
        self.history.decide(&decision);
        self.is_changed |= is_new;
        self.decided_at = Some(now);
        self.decisions += 1;
        if decision.from != decision.desired {
            let (from, to) = (decision.from, decision.desired);
            tracing::info!(group = &*self.name, from, to, rule = %decision.rule, "capacity changes");
        }
        let scale_in =
            !self.state.fails_open && !self.state.suspended.contains(&Process::Terminate);
        let demand = Demand::of(&decision, scale_in);
        self.decision = Some(decision);
        self.step(Input::Demand(demand), now);
    }

    /// Tells what has changed in the health of members.
    fn tell_health(&mut self, seen: &GroupSeen, now: Moment) {
        let healthy = |address| seen.targets.get(&address).and_then(|target| target.healthy);
        let news: Vec<(String, bool)> = self
            .members
            .targets()
            .filter_map(|(name, address, _)| Some((name.to_owned(), healthy(address)?)))
            .filter(|(name, healthy)| self.health.get(name) != Some(healthy))
            .collect();
        for (name, healthy) in news {
            self.health.insert(name.clone(), healthy);
            self.step(Input::Health { name, healthy }, now);
        }
    }

    /// Tells how many flows members have that are known; for one that drains, whether it has any.
    fn tell_flows(&mut self, seen: &GroupSeen, now: Moment) {
        let flows = |address: &SocketAddr, drains: bool| {
            let target = seen.targets.get(address)?;
            if drains && !target.drains {
                // The data path does not know it yet.
                return None;
            }
            let is_idle = || {
                let timeout = seen.idle_timeout;
                drains && !timeout.is_zero() && self.sampler.idle(address, now) >= timeout
            };
            target.flows.or_else(|| is_idle().then_some(0))
        };
        let news: Vec<(String, u64)> = self
            .members
            .targets()
            .filter_map(|(name, address, drains)| Some((name.to_owned(), flows(&address, drains)?)))
            .collect();
        for (name, flows) in news {
            self.step(Input::Flows { name, flows }, now);
        }
    }

    /// Something has happened.
    pub(crate) fn step(&mut self, input: Input, now: Moment) {
        let outputs = self.members.step(input, now);
        self.absorb(outputs, now);
    }

    fn absorb(&mut self, outputs: Outputs, now: Moment) {
        let Outputs { store, actions, events, activities } = outputs;
        self.is_changed |= store || !activities.is_empty();
        for activity in activities {
            if activity.kind == lb_members::ActivityKind::Launch {
                match activity.outcome {
                    Outcome::Failed(_) => self.state.memory.launch_failed(now),
                    Outcome::Successful => self.state.memory.launch_succeeded(),
                    Outcome::InProgress | Outcome::Cancelled => {}
                }
            }
            self.history.member(activity);
        }
        for action in actions {
            match action {
                Action::RaiseDesired(capacity) => self.state.set_desired(capacity, now),
                // What was told of it belongs to another life.
                Action::Register { name, .. } | Action::Deregister { name } => {
                    self.health.remove(&name);
                }
                Action::Drain { name } => {
                    let address = self.members.ledger().members.get(&name);
                    if let Some(address) = address.and_then(|record| record.address) {
                        self.sampler.watch(&address);
                    }
                }
                // The data path follows `targets`.
                Action::Undrain { .. } => {}
                action => self.actions.push(action),
            }
        }
        for event in &events {
            match &event.kind {
                // What its hook has said is known already.
                EventKind::LaunchAbandoned(_) => self.failed_calls += 1,
                EventKind::LaunchFailed(error) | EventKind::CallFailed(error) => {
                    self.failed_calls += 1;
                    self.driver_error = Some(error.to_string());
                }
                EventKind::HookTimedOut => {
                    let text = format!("a hook of member {} did not end in time", event.name);
                    self.hook_error = Some(text);
                }
                _ => {}
            }
        }
        self.events.extend(events);
    }

    /// How many members are in a state.
    pub(crate) fn count(&self, is_meant: impl Fn(Lifecycle) -> bool) -> u32 {
        let records = self.members.ledger().members.values();
        let states = records.filter_map(|record| record.phase.lifecycle());
        u32::try_from(states.filter(|state| is_meant(*state)).count()).unwrap_or(u32::MAX)
    }

    /// Whether the health checks of a member pass, as far as that was told.
    pub(crate) fn is_healthy(&self, name: &str) -> bool {
        self.health.get(name) == Some(&true)
    }

    /// What people should look at.
    pub(crate) fn problems(&self, now: Moment) -> Vec<Problem> {
        problems(&Facts {
            group: &self.name,
            decision: self.decision.as_ref(),
            breaker: self.members.ledger().breaker.as_ref(),
            suspended: &self.state.suspended,
            driver_error: self.driver_error.as_deref(),
            hook_error: self.hook_error.as_deref(),
            store_error: self.store_error.as_deref(),
            now,
        })
    }
}

fn means(scaling: &Scaling) -> Means {
    Means {
        driver: scaling.driver.clone(),
        launch_hook: scaling.launch_hook.clone(),
        terminate_hook: scaling.terminate_hook.clone(),
    }
}
