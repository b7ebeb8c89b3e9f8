//! All scaled groups: what the configuration says, what is stored before what is done, and the calls
//! that are under way. The agent's loop drives it: a tick a second, and the end of each call.

mod commands;
mod running;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use lb_config::{Config, TargetKey};
use lb_members::{Event, Input};
use lb_scale::{Moment, Samples};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::{
    calls::{Ended, Tasks},
    clock::{Clock, random},
    declared::{Declared, scaled_groups},
    drivers::DriverContext,
    group::ScaledGroup,
    observed::GroupSeen,
    outline::{GroupOutline, Outline},
    problem::Problem,
    sources::Sources,
    stored::Stored,
    view::MemberView,
};
use running::{Running, checked};

/// Where groups are stored. What a call has returned survives a power cut.
pub trait GroupStore {
    /// The names of all stored groups.
    fn names(&mut self) -> Result<Vec<String>, String>;
    /// What is stored of a group.
    fn load(&mut self, group: &str) -> Result<Option<Vec<u8>>, String>;
    /// Stores a group.
    fn keep(&mut self, group: &str, state: &[u8]) -> Result<(), String>;
    /// Forgets a group.
    fn forget(&mut self, group: &str) -> Result<(), String>;
}

/// A call or hook that has ended.
#[derive(Debug)]
pub struct Finished {
    group: Arc<str>,
    run: u64,
    ended: Ended,
}

/// Something that happened to a member, or to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEvent {
    /// The group.
    pub group: Arc<str>,
    /// The member; empty if it is about the group.
    pub member: String,
    /// Its address, if it is known.
    pub address: Option<SocketAddr>,
    /// What happened, for people.
    pub text: String,
}

/// All scaled groups.
#[derive(Debug)]
pub struct Scaling {
    clock: Clock,
    context: DriverContext,
    /// As it is declared, without members.
    config: Option<Config>,
    groups: BTreeMap<Arc<str>, Running>,
    /// Whether members became targets, drain, or left, since somebody asked.
    has_other_targets: bool,
    events: Vec<MemberEvent>,
    sender: UnboundedSender<(Arc<str>, u64, Ended)>,
    receiver: UnboundedReceiver<(Arc<str>, u64, Ended)>,
}

impl Scaling {
    /// No group yet.
    #[must_use]
    pub fn new(context: DriverContext) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            clock: Clock::new(),
            context,
            config: None,
            groups: BTreeMap::new(),
            has_other_targets: false,
            events: Vec::new(),
            sender,
            receiver,
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Takes a configuration over: its scaled groups as they are stored, and new ones. Members of
    /// groups that it does not have any more are ended.
    ///
    /// # Errors
    /// The store cannot be read; groups that could be read are there.
    pub fn configure(&mut self, config: &Config, store: &mut dyn GroupStore) -> Result<(), String> {
        let is_first = self.config.is_none();
        self.config = Some(config.clone());
        self.has_other_targets = true;
        let mut wanted: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut failure = None;
        for declared in scaled_groups(config) {
            let Some(scaling) = declared.scaling() else { continue };
            wanted.insert(Arc::clone(declared.name()));
            if let Some(running) = self.groups.get_mut(declared.name()) {
                if running.group.means.driver != scaling.driver {
                    running.driver = None;
                }
                running.group.configure(&declared, scaling);
                running.declared = Some(declared);
                running.follow_sources(self.clock);
                continue;
            }
            match load(store, declared.name()) {
                Ok(stored) => {
                    let epoch = u16::try_from(random() & 0xffff).unwrap_or_default();
                    let group = ScaledGroup::open(&declared, scaling, stored.clone(), epoch);
                    self.insert(group, Some(declared), stored);
                }
                Err(error) => failure = Some(error),
            }
        }
        for (name, running) in &mut self.groups {
            if !wanted.contains(&**name) && !running.group.retires {
                tracing::info!(group = &**name, "is not scaled any more; its members are ended");
                running.group.retires = true;
                running.declared = None;
                running.follow_sources(self.clock);
            }
        }
        if is_first && let Err(error) = self.resume_retiring(&wanted, store) {
            failure = Some(error);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Groups that had left the configuration before this agent, with members that are left.
    fn resume_retiring(
        &mut self,
        wanted: &BTreeSet<Arc<str>>,
        store: &mut dyn GroupStore,
    ) -> Result<(), String> {
        for name in store.names()? {
            if wanted.contains(&*name) {
                continue;
            }
            let stored = load(store, &name)?;
            let name: Arc<str> = name.into();
            let group = stored.clone().and_then(|stored| ScaledGroup::retiring(&name, stored));
            if let Some(group) = group {
                self.insert(group, None, stored);
            }
        }
        Ok(())
    }

    fn insert(&mut self, group: ScaledGroup, declared: Option<Declared>, stored: Option<Stored>) {
        let name = Arc::clone(&group.name);
        let tasks = Tasks::new(&name, self.sender.clone());
        let targets = group.targets().collect();
        let (driver, sources) = (None, Sources::default());
        let mut running = Running { group, declared, driver, tasks, stored, targets, sources };
        running.follow_sources(self.clock);
        self.groups.insert(name, running);
    }

    /// All groups at this moment.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let of = |running: &Running| GroupOutline {
            desired: running.group.state.desired,
            members: running.group.members.ledger().members.len(),
            targets: running.group.targets().map(|(address, _)| address).collect(),
        };
        let groups = self.groups.iter();
        Outline { groups: groups.map(|(name, running)| (Arc::clone(name), of(running))).collect() }
    }

    /// The configuration as it was declared, with members as targets.
    #[must_use]
    pub fn effective(&self) -> Option<Config> {
        Some(self.outline().with_members(self.config.clone()?))
    }

    /// Whether [`Scaling::effective`] or [`Scaling::drained`] may give something else than when this was
    /// asked last. To make and compare them takes time that grows with all groups.
    pub fn take_other_targets(&mut self) -> bool {
        std::mem::take(&mut self.has_other_targets)
    }

    /// Members that get no new flows.
    #[must_use]
    pub fn drained(&self) -> BTreeSet<TargetKey> {
        self.keys().filter(|(_, drains)| *drains).map(|(key, _)| key).collect()
    }

    /// Whether a target is a member.
    #[must_use]
    pub fn is_member(&self, target: &TargetKey) -> bool {
        self.keys().any(|(key, _)| key == *target)
    }

    /// All members that are targets, and whether each one drains.
    pub fn keys(&self) -> impl Iterator<Item = (TargetKey, bool)> {
        self.groups.iter().flat_map(|(name, running)| {
            running.group.targets().map(|(address, drains)| {
                let (group, port) = (Arc::clone(name), address.port());
                (TargetKey { group, address: address.ip(), port }, drains)
            })
        })
    }

    /// The groups whose data path is to be looked at for the next tick, and whether their counters
    /// are needed.
    #[must_use]
    pub fn watched(&self) -> BTreeMap<Arc<str>, bool> {
        let now = self.clock.now();
        let configured = self.groups.iter().filter(|(_, running)| running.declared.is_some());
        configured
            .map(|(name, running)| (Arc::clone(name), running.group.wants_traffic(now)))
            .collect()
    }

    /// A second has passed.
    pub fn tick(&mut self, seen: &BTreeMap<Arc<str>, GroupSeen>, store: &mut dyn GroupStore) {
        let now = self.clock.now();
        for name in self.names() {
            if let Some(running) = self.groups.get_mut(&name) {
                let is_due = running.group.is_due(now);
                let outside = if is_due { running.sources.samples(now) } else { Samples::new() };
                running.group.tick(seen.get(&name), outside, now);
            }
            self.follow(&name, store, now);
        }
    }

    /// Waits for the next call or hook that ends.
    pub async fn finished(&mut self) -> Option<Finished> {
        let (group, run, ended) = self.receiver.recv().await?;
        Some(Finished { group, run, ended })
    }

    /// Takes in that a call or hook has ended.
    pub fn finish(&mut self, finished: Finished, store: &mut dyn GroupStore) {
        let Finished { group: name, run, ended } = finished;
        let now = self.clock.now();
        let Some(running) = self.groups.get_mut(&name) else { return };
        if !running.tasks.ended(run, &ended) {
            return;
        }
        match ended {
            Ended::Call { call, result } => {
                let result = match (&self.config, &running.declared) {
                    (Some(config), Some(declared)) => checked(result, config, declared),
                    _ => result,
                };
                if result.is_ok() {
                    running.group.driver_error = None;
                }
                running.group.step(Input::Called { call, result }, now);
            }
            Ended::Hook { member, kind, result, error } => {
                if let Some(error) = error {
                    tracing::warn!(group = &*name, member, %error, "a hook failed");
                    running.group.driver_error = Some(error.to_string());
                }
                running.group.step(Input::Hook { name: member, kind, result }, now);
            }
        }
        self.follow(&name, store, now);
    }

    /// Carries out what follows from a change of a group, and notes whether it has other targets then.
    fn follow(&mut self, name: &Arc<str>, store: &mut dyn GroupStore, now: Moment) {
        self.carry_out(name, store, now);
        self.has_other_targets |= self.groups.get_mut(name).is_some_and(Running::note_targets);
    }

    /// Stores what has changed, and then does what follows from it. If it cannot be stored, nothing
    /// is done, and the group goes on from what was stored.
    fn carry_out(&mut self, name: &Arc<str>, store: &mut dyn GroupStore, now: Moment) {
        let Some(running) = self.groups.get_mut(name) else { return };
        if running.group.is_over() {
            match store.forget(name) {
                Ok(()) => {
                    self.note_events(name);
                    self.groups.remove(name);
                    self.has_other_targets = true;
                }
                Err(error) => running.group.store_error = Some(error),
            }
            return;
        }
        if running.group.is_changed
            && let Err(error) = running.keep(store, now)
        {
            tracing::error!(group = &**name, error, "a scaled group cannot be stored");
            running.go_back(error);
            return;
        }
        for action in std::mem::take(&mut running.group.actions) {
            running.act(action, &self.context);
        }
        self.note_events(name);
    }

    fn note_events(&mut self, name: &Arc<str>) {
        let Some(running) = self.groups.get_mut(name) else { return };
        for event in std::mem::take(&mut running.group.events) {
            let Event { name: member, kind, .. } = event;
            let record = running.group.members.ledger().members.get(&member);
            let address = record.and_then(|record| record.address);
            let text = views::text(&kind);
            tracing::info!(group = &**name, member, "{text}");
            self.events.push(MemberEvent { group: Arc::clone(name), member, address, text });
        }
    }

    /// What has happened since the last time.
    pub fn take_events(&mut self) -> Vec<MemberEvent> {
        std::mem::take(&mut self.events)
    }

    /// What people should look at, by group.
    pub fn problems(&self) -> impl Iterator<Item = (&Arc<str>, Problem)> {
        let now = self.clock.now();
        self.groups.iter().flat_map(move |(name, running)| {
            running.group.problems(now).into_iter().map(move |problem| (name, problem))
        })
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.groups.keys().cloned().collect()
    }
}

fn load(store: &mut dyn GroupStore, name: &str) -> Result<Option<Stored>, String> {
    let Some(bytes) = store.load(name)? else { return Ok(None) };
    let stored = serde_json::from_slice(&bytes);
    stored.map(Some).map_err(|error| format!("the stored state of group {name}: {error}"))
}

/// A member, for people.
fn member_view(group: &ScaledGroup, name: &str) -> Option<MemberView> {
    let record = group.members.ledger().members.get(name)?;
    Some(MemberView::of(&group.name, name, record, group.is_healthy(name)))
}

#[cfg(test)]
mod tests;
