//! One group and what is under way for it: it is stored, its actions are carried out, and results of
//! its driver are looked at.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lb_config::{Config, Metric, MetricSource, unusable_target};
use lb_drivers::Driver;
use lb_members::{Action, Answer, CallError, CallResult, ErrorClass, HookKind, Reported};
use lb_scale::{Moment, Samples};

use crate::{
    calls::{HookCall, Tasks},
    clock::{Clock, random},
    declared::Declared,
    drivers::DriverContext,
    group::ScaledGroup,
    observed::GroupSeen,
    reports::readings,
    settings::parameters,
    sources::{Sources, Surroundings},
    stored::Parts,
};

/// A group and what is under way for it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) group: ScaledGroup,
    /// `None` once it has left the configuration.
    pub(super) declared: Option<Declared>,
    /// The driver, once it was made.
    pub(super) driver: Option<Arc<dyn Driver>>,
    pub(super) tasks: Tasks,
    /// What is stored.
    pub(super) stored: Parts,
    /// Its members that are targets, and whether each one drains, when that was looked at last.
    pub(super) targets: Vec<(SocketAddr, bool)>,
    /// Its metrics from outside.
    pub(super) sources: Sources,
}

impl Running {
    /// Says which hook has failed, and how; or that one works again.
    pub(super) fn hook_has_ended(
        &mut self,
        member: &str,
        kind: HookKind,
        error: Option<&CallError>,
    ) {
        let Some(error) = error else {
            self.group.hook_error = None;
            return;
        };
        let (name, hook) = match kind {
            HookKind::Launch => ("launch", &self.group.means.launch_hook),
            HookKind::Terminate => ("terminate", &self.group.means.terminate_hook),
        };
        let program = hook.as_ref().map(|hook| hook.program.display().to_string());
        let program = program.unwrap_or_default();
        tracing::warn!(
            group = &*self.group.name, member, %error,
            "its {name} hook {program} failed"
        );
        let text = format!("its {name} hook {program} failed for member {member}: {error}");
        self.group.hook_error = Some(text);
    }

    /// Follows the metrics from outside that the configuration has.
    pub(super) fn follow_sources(&mut self, clock: Clock, context: &DriverContext) {
        let scaling = self.declared.as_ref().and_then(Declared::scaling);
        let metrics = scaling.map_or(&[][..], |scaling| &scaling.metrics);
        let interval = scaling.map_or(Duration::ZERO, |one| one.settings.sample_interval);
        let (group, context) = (Arc::clone(&self.group.name), context.clone());
        self.sources.configure(metrics, interval, &Surroundings { group, clock, context });
    }

    /// The samples of metrics that do not come from counters.
    pub(super) fn outside(&self, seen: Option<&GroupSeen>, now: Moment) -> Samples {
        let mut samples = self.sources.samples(now);
        if let Some(seen) = seen {
            let members = self.group.members.targets().map(|(name, address, _)| (name, address));
            let members: Vec<(&str, SocketAddr)> = members.collect();
            samples.extend(readings(self.metrics(), seen, &members));
        }
        samples
    }

    /// Whether its policies may follow what its targets report.
    pub(super) fn is_reported(&self) -> bool {
        self.metrics().iter().any(|metric| matches!(metric.source, MetricSource::Report(_)))
    }

    /// Its metrics that somebody sends.
    pub(super) fn posted_metrics(&self) -> impl Iterator<Item = &str> {
        let posted = self.metrics().iter().filter(|metric| metric.source == MetricSource::Post);
        posted.map(|metric| metric.name.as_str())
    }

    fn metrics(&self) -> &[Metric] {
        let scaling = self.declared.as_ref().and_then(Declared::scaling);
        scaling.map_or(&[], |scaling| &scaling.metrics)
    }

    /// Looks at the targets again. Whether they have changed.
    pub(super) fn note_targets(&mut self) -> bool {
        if self.group.targets().eq(self.targets.iter().copied()) {
            return false;
        }
        self.targets = self.group.targets().collect();
        true
    }

    /// This is stored of it now.
    pub(super) fn is_stored(&mut self, parts: Parts, now: Moment) {
        self.stored = parts;
        self.group.is_stored(now);
    }

    /// Goes back to what is stored. Calls that are under way are killed; the next ones find what they
    /// have done.
    pub(super) fn go_back(&mut self, error: String) {
        self.tasks.stop();
        let scaling = self.declared.as_ref().and_then(|group| Some((group, group.scaling()?)));
        // It was read before, or written by this agent.
        let stored = self.stored.read().unwrap_or_default();
        let group = match (scaling, stored) {
            (Some((declared, scaling)), stored) => {
                let epoch = u16::try_from(random() & 0xffff).unwrap_or_default();
                Some(ScaledGroup::open(declared, scaling, stored, epoch))
            }
            (None, Some(stored)) => ScaledGroup::retiring(&self.group.name, stored),
            (None, None) => None,
        };
        if let Some(group) = group {
            self.group = group;
        }
        self.group.store_error = Some(error);
    }

    pub(super) fn act(&mut self, action: Action, context: &DriverContext) {
        let name = Arc::clone(&self.group.name);
        match action {
            Action::Call(call) => {
                let driver = match &self.driver {
                    Some(driver) => Ok(Arc::clone(driver)),
                    // One that could not be made is tried with each call.
                    None => context.driver(&name, &self.group.means.driver),
                };
                self.driver = driver.as_ref().ok().cloned();
                self.tasks.call(driver, parameters(&self.group.means.driver), &call);
            }
            Action::Abandon(call) => self.tasks.abandon(call),
            Action::RunHook { name: member, kind } => {
                let means = &self.group.means;
                let hook = match kind {
                    HookKind::Launch => means.launch_hook.as_ref(),
                    HookKind::Terminate => means.terminate_hook.as_ref(),
                };
                let Some(hook) = hook else { return };
                let record = self.group.members.ledger().members.get(&member);
                let address = record.and_then(|record| record.address);
                let timeout = hook.timeout;
                let call = HookCall { member, kind, address, timeout };
                self.tasks.hook(context.program(&hook.program), call);
            }
            Action::CancelHook { name } => self.tasks.cancel_hook(&name),
            // The group has taken them in.
            Action::Register { .. }
            | Action::Drain { .. }
            | Action::Undrain { .. }
            | Action::Deregister { .. }
            | Action::RaiseDesired(_) => {}
        }
    }
}

/// A result in which no member has an address that its group cannot have.
pub(super) fn checked(result: CallResult, config: &Config, group: &Declared) -> CallResult {
    let wrong = |member: &Reported| {
        let address = member.address.zip(member.port).map(SocketAddr::from)?;
        if group.has_target(address) {
            return Some(format!("{address} is a declared target of the group already"));
        }
        unusable_target(config, group.any(), address).map(|unusable| unusable.text)
    };
    match result {
        Ok(Answer::Member(member)) => match wrong(&member) {
            Some(reason) => Err(CallError::new(ErrorClass::Fatal, reason)),
            None => Ok(Answer::Member(member)),
        },
        Ok(Answer::Members(mut members)) => {
            for member in &mut members {
                if wrong(member).is_some() {
                    (member.address, member.port) = (None, None);
                }
            }
            Ok(Answer::Members(members))
        }
        other => other,
    }
}
