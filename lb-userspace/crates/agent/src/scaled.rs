//! Scaled groups in the agent's loop: what the data path and the health checks see of them goes to
//! `lb_scaling`, and their members become targets.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use lb_common::target::TargetState;
use lb_config::{Config, TargetGroup, TargetKey};
use lb_dataplane::{Stats, StatsSource};
use lb_names::Expansion;
use lb_plan::{
    TargetReport,
    warning::{Warning, WarningKind},
};
use lb_scaling::{
    CommandError, Finished, GroupSeen, GroupStore, MemberEvent, PartChange, ProblemKind,
    ScaleCommand, TargetReports, TargetSeen, TargetTraffic, is_scaled,
};
use lb_store::{GroupChange, Store};

use super::{
    Answer, Done, Event, Outcome, Refusal, answers::translates, balancer::Balancer, run::Agent,
};

/// Where scaled groups are stored, if there is a state directory.
struct Groups<'store>(Option<&'store mut dyn Store>);

impl Groups<'_> {
    fn store(&mut self) -> Result<&mut dyn Store, String> {
        match &mut self.0 {
            Some(store) => Ok(&mut **store),
            None => Err(NO_STORE.to_owned()),
        }
    }
}

/// What scaled groups need.
const NO_STORE: &str = "`scaling` needs a state directory, where members are stored: start the agent with --state-dir DIR";

impl GroupStore for Groups<'_> {
    fn names(&mut self) -> Result<Vec<String>, String> {
        match &mut self.0 {
            Some(store) => store.scaled_groups().map_err(|error| error.to_string()),
            None => Ok(Vec::new()),
        }
    }

    fn load(&mut self, group: &str, parts: &[&str]) -> Result<Vec<Option<Vec<u8>>>, String> {
        self.store()?.scaled_group(group, parts).map_err(|error| error.to_string())
    }

    fn keep(&mut self, changes: &[PartChange<'_>]) -> Result<(), String> {
        let change = |&PartChange { group, part, state }| GroupChange { group, part, state };
        let changes: Vec<GroupChange<'_>> = changes.iter().map(change).collect();
        self.store()?.keep_scaled_groups(&changes).map_err(|error| error.to_string())
    }
}

impl Agent {
    /// Refuses scaled groups of an agent that cannot store their members.
    pub(super) fn refuse_unstored_groups(&mut self, config: &Config) -> Result<(), Refusal> {
        if is_scaled(config) && self.source.store().is_none() {
            return Err(Refusal::Invalid(NO_STORE.to_owned()));
        }
        Ok(())
    }

    /// A configuration with the members of its scaled groups as targets.
    pub(super) fn with_members(&self, config: Config) -> Config {
        if self.scaling.is_empty() { config } else { self.scaling.outline().with_members(config) }
    }

    /// Takes the scaled groups of a configuration over. Whether the members that are targets differ
    /// from those before.
    pub(super) fn configure_scaling(&mut self, config: &Config) -> Result<bool, Refusal> {
        if self.scaling.is_empty() && !is_scaled(config) && self.applied_count > 0 {
            return Ok(false);
        }
        let members =
            |agent: &Self| agent.scaling.keys().map(|(key, _)| key).collect::<BTreeSet<_>>();
        let before = members(self);
        let configured = self.scaling.configure(config, &mut Groups(self.source.store()));
        configured.map_err(Refusal::Failed)?;
        if let Some(balancer) = &mut self.balancer {
            balancer.set_member_drains(self.scaling.drained());
            // What drained before a restart was a member's drain, and not a command.
            balancer.drained.retain(|target| !self.scaling.is_member(target));
        }
        Ok(members(self) != before)
    }

    /// A second has passed.
    pub(super) fn scale(&mut self) {
        if self.scaling.is_empty() {
            return;
        }
        let seen = match &self.balancer {
            // Until the first verdicts nothing is known of members.
            Some(balancer) if !balancer.is_waiting() => {
                let watched = self.scaling.watched();
                let mut seen = balancer.seen(&watched, &self.stats);
                balancer.see_requests(&watched, &self.proxies, &self.publisher, &mut seen);
                self.hear_reports(&watched, &mut seen);
                seen
            }
            _ => BTreeMap::new(),
        };
        self.scaling.tick(&seen, &mut Groups(self.source.store()));
        self.follow_members();
    }

    /// Adds what targets report of themselves, where policies may follow that.
    fn hear_reports(
        &self,
        watched: &BTreeMap<Arc<str>, bool>,
        seen: &mut BTreeMap<Arc<str>, GroupSeen>,
    ) {
        for name in self.scaling.reported(watched) {
            let Some(group) = seen.get_mut(name) else { continue };
            for &address in group.targets.keys() {
                let (ip, port) = (address.ip(), address.port());
                let key = TargetKey { group: Arc::clone(name), address: ip, port };
                let Some((age, reports)) = self.scheduler.reported(&key) else { continue };
                let texts = reports.into_iter().map(|one| (one.metric, one.text)).collect();
                group.reports.insert(address, TargetReports { age, texts });
            }
        }
    }

    /// Calls of drivers have ended, or hooks.
    pub(super) fn on_scaled(&mut self, finished: Vec<Finished>) {
        self.scaling.finish(finished, &mut Groups(self.source.store()));
        self.follow_members();
    }

    /// Carries out what people ask of a scaled group.
    pub(super) fn scale_command(&mut self, group: &str, command: &ScaleCommand) -> Outcome {
        let said = self.scaling.command(group, command, &mut Groups(self.source.store()));
        self.follow_members();
        said.map(Done::from).map_err(|error| match error {
            CommandError::NotStored(_) => Refusal::Failed(error.to_string()),
            other => Refusal::Invalid(other.to_string()),
        })
    }

    /// All of a scaled group.
    pub(super) fn describe_group(&self, group: &str) -> Result<Answer, Refusal> {
        let missing = || {
            let known = self.scaling.known();
            Refusal::Absent(format!("there is no scaled group {group}; scaled are: {known}"))
        };
        let described = self.scaling.describe(group).ok_or_else(missing)?;
        Ok(Answer::Scaling(Box::new(described)))
    }

    /// Makes members targets, and lets them drain.
    fn follow_members(&mut self) {
        let events = self.scaling.take_events();
        self.event_hooks.record(&self.events, events.into_iter().map(event));
        if self.balancer.is_none() || !self.scaling.take_other_targets() {
            return;
        }
        let Some(Expansion { config, .. }) = self.effective() else { return };
        let Some(balancer) = &mut self.balancer else { return };
        let drains = balancer.set_member_drains(self.scaling.drained());
        let of_requests = balancer.set_targets_of_requests(&config);
        if balancer.set_members(config) || of_requests || drains {
            self.reconcile(None);
        }
        if of_requests {
            // The plan does not have them.
            self.follow();
        }
    }

    /// What people should look at in scaled groups.
    pub(super) fn scaling_warnings(&self) -> impl Iterator<Item = Warning> {
        self.scaling.problems().map(|(group, problem)| {
            let kind = match problem.kind {
                ProblemKind::NotStored => WarningKind::ScalingNotStored,
                ProblemKind::DriverFails => WarningKind::ScalingDriver,
                ProblemKind::LaunchesFail => WarningKind::ScalingLaunches,
                ProblemKind::AtMaximum => WarningKind::ScalingAtMaximum,
                ProblemKind::InputFails => WarningKind::ScalingInput,
                ProblemKind::Suspended => WarningKind::ScalingSuspended,
            };
            Warning::new(kind, &**group, problem.text)
        })
    }
}

impl Balancer {
    /// Targets that are drained by a command, and members that drain.
    pub(super) fn all_drained(&self) -> BTreeSet<TargetKey> {
        self.drained.union(&self.member_drains).cloned().collect()
    }

    /// Lets these members drain. Whether that is a change.
    pub(super) fn set_member_drains(&mut self, drains: BTreeSet<TargetKey>) -> bool {
        let differs = self.member_drains != drains;
        self.member_drains = drains;
        differs
    }

    /// Makes the members of a configuration the targets of their groups. A member that is gone is
    /// removed at once: it was drained before. Whether that is a change.
    fn set_members(&mut self, config: Config) -> bool {
        let mut differs = false;
        // This is done at the end of each call: a search for each group would cost its square.
        let present = self.config.target_groups.iter_mut();
        let mut present: BTreeMap<Arc<str>, &mut Arc<TargetGroup>> =
            present.map(|group| (Arc::clone(&group.name), group)).collect();
        for group in config.target_groups.into_iter().filter(|group| group.scaling.is_some()) {
            let Some(present) = present.get_mut(&group.name) else { continue };
            if present.targets == group.targets {
                continue;
            }
            differs = true;
            let gone = present.targets.iter().filter(|target| !group.targets.contains(target));
            let key = |target: &lb_config::Target| super::balancer::key(&group.name, target);
            // An address that a name has no more drains.
            self.cut.extend(gone.map(key).filter(|key| !self.origins.contains_key(key)));
            **present = group;
        }
        differs
    }

    /// What is known of these groups, and where it is wanted, their counters.
    fn seen(
        &self,
        watched: &BTreeMap<Arc<str>, bool>,
        stats: &StatsSource,
    ) -> BTreeMap<Arc<str>, GroupSeen> {
        let mut seen: BTreeMap<Arc<str>, GroupSeen> = BTreeMap::new();
        let idle_timeouts = self.idle_timeouts();
        for name in watched.keys() {
            let idle_timeout = idle_timeouts.get(&**name).copied().unwrap_or_default();
            seen.insert(Arc::clone(name), GroupSeen { idle_timeout, ..GroupSeen::default() });
        }
        let is_counted = |report: &&TargetReport| watched.get(&report.key.group) == Some(&true);
        let counted: Vec<&TargetReport> = self.plan.targets.iter().filter(is_counted).collect();
        let ids: Vec<u16> = counted.iter().map(|report| report.id).filter(|id| *id > 0).collect();
        let read = if ids.is_empty() { Ok(Stats::default()) } else { stats.read(&[], &ids) };
        let flows = self.translated_flows(watched, stats);
        for report in self.plan.targets.iter() {
            let Some(group) = seen.get_mut(&report.key.group) else { continue };
            group.fails_open |= report.in_ring && report.state == TargetState::Unhealthy;
            let wants = watched.get(&report.key.group) == Some(&true);
            let mut target = self.target_seen(report);
            match &read {
                Ok(stats) if wants => {
                    let traffic = stats.targets.get(&report.id);
                    target.traffic = traffic.map(|traffic| TargetTraffic {
                        packets: traffic.packets,
                        bytes: traffic.bytes,
                    });
                    target.flows = flows
                        .get(&report.key.group)
                        .map(|flows| flows.get(&report.id).copied().unwrap_or(0));
                }
                Ok(_) => {}
                Err(error) => group.unread = Some(error.to_string()),
            }
            let address = SocketAddr::new(report.key.address, report.key.port);
            group.targets.insert(address, target);
        }
        seen
    }

    fn target_seen(&self, report: &TargetReport) -> TargetSeen {
        let healthy = match self.health.get(&report.key).map(|health| health.state) {
            Some(TargetState::Healthy) => Some(true),
            Some(TargetState::Unhealthy) => Some(false),
            _ => None,
        };
        let drains = matches!(report.state, TargetState::Draining | TargetState::Unused);
        TargetSeen { healthy, drains, traffic: None, flows: None }
    }

    /// The number of flows by target id, of the wanted groups whose flows are all known.
    fn translated_flows(
        &self,
        watched: &BTreeMap<Arc<str>, bool>,
        stats: &StatsSource,
    ) -> BTreeMap<Arc<str>, BTreeMap<u16, u64>> {
        let is_wanted = |group: &&Arc<TargetGroup>| {
            translates(group) && watched.get(&group.name) == Some(&true)
        };
        let groups: Vec<_> = self.config.target_groups.iter().filter(is_wanted).collect();
        if groups.is_empty() {
            return BTreeMap::new();
        }
        match stats.translated_by_target() {
            Ok(flows) => {
                groups.into_iter().map(|group| (Arc::clone(&group.name), flows.clone())).collect()
            }
            Err(error) => {
                tracing::warn!("{:#}", anyhow::Error::new(error));
                BTreeMap::new()
            }
        }
    }

    /// After how long without a packet no flow of a group is remembered.
    fn idle_timeouts(&self) -> BTreeMap<&str, Duration> {
        let mut longest: BTreeMap<&str, Duration> = BTreeMap::new();
        for listener in &self.config.listeners {
            let timeout = longest.entry(&listener.target_group).or_default();
            *timeout = (*timeout).max(listener.idle_timeout);
        }
        longest
    }
}

fn event(event: MemberEvent) -> Event {
    let MemberEvent { group, member, address, text } = event;
    Event {
        group: group.to_string(),
        address: address.map(|address| address.ip()),
        port: address.map_or(0, |address| address.port()),
        detail: if member.is_empty() { text } else { format!("{member} {text}") },
        reason: "Scaling".to_owned(),
        ..Event::default()
    }
}
