//! All scaled groups: what the configuration says, what is stored before what is done, and the calls
//! that are under way. The agent's loop drives it: a tick a second, and the end of each call.

mod commands;
mod running;
mod storing;
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
    stored::Parts,
    view::MemberView,
};
use running::{Running, checked};
use storing::load;
pub use storing::{GroupStore, PartChange};

/// Calls that are taken in at once: a flood of them delays nothing else for long.
const FINISHED_MAX: usize = 256;

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
                running.follow_sources(self.clock, &self.context);
                continue;
            }
            match load(store, declared.name()) {
                Ok((parts, stored)) => {
                    let epoch = u16::try_from(random() & 0xffff).unwrap_or_default();
                    let group = ScaledGroup::open(&declared, scaling, stored, epoch);
                    self.insert(group, Some(declared), parts);
                }
                Err(error) => failure = Some(error),
            }
        }
        for (name, running) in &mut self.groups {
            if !wanted.contains(&**name) && !running.group.retires {
                tracing::info!(group = &**name, "is not scaled any more; its members are ended");
                running.group.retires = true;
                running.declared = None;
                running.follow_sources(self.clock, &self.context);
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
            let (parts, stored) = load(store, &name)?;
            let name: Arc<str> = name.into();
            let group = stored.and_then(|stored| ScaledGroup::retiring(&name, stored));
            if let Some(group) = group {
                self.insert(group, None, parts);
            }
        }
        Ok(())
    }

    fn insert(&mut self, group: ScaledGroup, declared: Option<Declared>, stored: Parts) {
        let name = Arc::clone(&group.name);
        let tasks = Tasks::new(&name, self.sender.clone());
        let targets = group.targets().collect();
        let (driver, sources) = (None, Sources::default());
        let mut running = Running { group, declared, driver, tasks, stored, targets, sources };
        running.follow_sources(self.clock, &self.context);
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

    /// The groups that are watched with their counters, and whose policies may follow what their targets
    /// report of themselves.
    pub fn reported<'a>(
        &'a self,
        watched: &'a BTreeMap<Arc<str>, bool>,
    ) -> impl Iterator<Item = &'a Arc<str>> {
        let counted = watched.iter().filter(|(_, counted)| **counted).map(|(name, _)| name);
        counted.filter(|name| self.groups.get(*name).is_some_and(Running::is_reported))
    }

    /// A second has passed.
    pub fn tick(&mut self, seen: &BTreeMap<Arc<str>, GroupSeen>, store: &mut dyn GroupStore) {
        let now = self.clock.now();
        for (name, running) in &mut self.groups {
            let (seen, is_due) = (seen.get(name), running.group.is_due(now));
            let outside = if is_due { running.outside(seen, now) } else { Samples::new() };
            running.group.tick(seen, outside, now);
        }
        let all = self.groups.keys().cloned().collect();
        self.follow(&all, store, now);
    }

    /// Waits for calls or hooks that end. It gives those that have ended by then.
    pub async fn finished(&mut self) -> Vec<Finished> {
        let mut ended = Vec::new();
        let _count = self.receiver.recv_many(&mut ended, FINISHED_MAX).await;
        ended.into_iter().map(|(group, run, ended)| Finished { group, run, ended }).collect()
    }

    /// Takes in that calls or hooks have ended.
    pub fn finish(&mut self, finished: Vec<Finished>, store: &mut dyn GroupStore) {
        let now = self.clock.now();
        let mut changed = BTreeSet::new();
        for Finished { group: name, run, ended } in finished {
            if self.take_in(&name, run, ended, now) {
                changed.insert(name);
            }
        }
        self.follow(&changed, store, now);
    }

    /// Whether it was one of this run.
    fn take_in(&mut self, name: &Arc<str>, run: u64, ended: Ended, now: Moment) -> bool {
        let Some(running) = self.groups.get_mut(name) else { return false };
        if !running.tasks.ended(run, &ended) {
            return false;
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
                running.hook_has_ended(&member, kind, error.as_ref());
                running.group.step(Input::Hook { name: member, kind, result }, now);
            }
        }
        true
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
}

/// A member, for people.
fn member_view(group: &ScaledGroup, name: &str) -> Option<MemberView> {
    let record = group.members.ledger().members.get(name)?;
    Some(MemberView::of(&group.name, name, record, group.is_healthy(name)))
}

#[cfg(test)]
mod tests;
