//! What people ask of a scaled group.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lb_members::{Command, Input, Phase};
use lb_scale::{Activity, Moment, Outcome};

use super::{GroupStore, Scaling, running::Running};
use crate::command::{CommandError, ScaleCommand, process_name, processes_named};

/// Groups that a message names.
const KNOWN_MAX: usize = 5;

impl Scaling {
    /// Carries out a command. Returns what was done, for people.
    ///
    /// # Errors
    /// Why it was not carried out; nothing has changed then.
    pub fn command(
        &mut self,
        group: &str,
        command: &ScaleCommand,
        store: &mut dyn GroupStore,
    ) -> Result<String, CommandError> {
        let now = self.clock.now();
        let name: Arc<str> = group.into();
        let running = self.running(&name)?;
        let said = running.command(command, now)?;
        self.follow(&BTreeSet::from([Arc::clone(&name)]), store, now);
        let running = self.groups.get(&name);
        if let Some(error) = running.and_then(|running| running.group.store_error.clone()) {
            return Err(CommandError::NotStored(error));
        }
        Ok(said)
    }

    /// A few of the scaled groups, and the number of the others, for a message about another one.
    #[must_use]
    pub fn known(&self) -> String {
        let first: Vec<&str> = self.groups.keys().map(|name| &**name).take(KNOWN_MAX).collect();
        match self.groups.len() - first.len() {
            0 if first.is_empty() => "none".to_owned(),
            0 => first.join(", "),
            others => format!("{} and {others} more", first.join(", ")),
        }
    }

    /// The group with a name, which is scaled.
    fn running(&mut self, name: &Arc<str>) -> Result<&mut Running, CommandError> {
        let is_configured = self.config.as_ref().is_some_and(|config| {
            config.target_groups.iter().any(|group| group.name == *name)
                || config.http_target_groups.iter().any(|group| group.name == *name)
        });
        let known = self.known();
        let missing = if is_configured {
            format!("target group {name} is not scaled; add `scaling` to it (scaled are: {known})")
        } else {
            format!("there is no target group {name}; scaled are: {known}")
        };
        self.groups.get_mut(name).ok_or(CommandError::NoGroup(missing))
    }
}

impl Running {
    pub(super) fn command(
        &mut self,
        command: &ScaleCommand,
        now: Moment,
    ) -> Result<String, CommandError> {
        let name = Arc::clone(&self.group.name);
        if self.group.retires {
            let message = format!("group {name} is not scaled any more; its members are ended");
            return Err(CommandError::NotNow(message));
        }
        match command {
            ScaleCommand::SetDesired { capacity } => self.set_desired(*capacity, now),
            ScaleCommand::Suspend { processes } => {
                let processes = processes_named(processes)?;
                let names: Vec<&str> = processes.iter().map(|one| process_name(*one)).collect();
                self.group.state.suspended.extend(processes);
                self.group.is_changed = true;
                self.group.decide(now);
                Ok(format!("group {name}: suspended {}", names.join(", ")))
            }
            ScaleCommand::Resume { processes } => {
                let processes = processes_named(processes)?;
                let names: Vec<&str> = processes.iter().map(|one| process_name(*one)).collect();
                self.group.state.suspended.retain(|process| !processes.contains(process));
                self.group.is_changed = true;
                self.group.decide(now);
                Ok(format!("group {name}: resumed {}", names.join(", ")))
            }
            ScaleCommand::Protect { member, protected } => {
                let member = self.member(member)?;
                let what = if *protected { "protected" } else { "no longer protected" };
                let said = format!("{member} is {what} from scale-in and replacement");
                self.tell(Command::Protect { name: member, protected: *protected }, now);
                Ok(said)
            }
            ScaleCommand::Standby { member, standby } => self.standby(member, *standby, now),
            ScaleCommand::End { member } => {
                let member = self.member(member)?;
                let said = format!("{member} drains and is ended");
                self.tell(Command::End { name: member }, now);
                Ok(said)
            }
            ScaleCommand::Refresh => {
                let options = self.group.refresh.clone();
                self.tell(Command::Refresh(options), now);
                Ok(match self.group.members.ledger().refresh {
                    Some(_) => format!("group {name}: the refresh has begun"),
                    None => format!(
                        "group {name}: nothing to replace: all members that are not protected have the \
                         present template"
                    ),
                })
            }
            ScaleCommand::CancelRefresh => self.refreshing(Command::CancelRefresh, "stopped", now),
            ScaleCommand::RollBackRefresh => self.refreshing(Command::RollBack, "rolled back", now),
            ScaleCommand::PostMetric { metric, value, ttl_seconds } => {
                let ttl = ttl_seconds.map(|seconds| Duration::from_secs(seconds.into()));
                let number = value.as_f64().unwrap_or(f64::NAN);
                let posted = self.sources.post(metric, number, ttl, now);
                posted.map_err(|why| CommandError::NotNow(format!("group {name} {why}")))?;
                Ok(format!("group {name}: {metric} is {value}"))
            }
            ScaleCommand::RetryLaunches => {
                self.group.state.memory.launch_succeeded();
                self.tell(Command::ResetBreaker, now);
                self.group.decide(now);
                Ok(format!("group {name}: launches are tried again now"))
            }
        }
    }

    fn set_desired(&mut self, capacity: u32, now: Moment) -> Result<String, CommandError> {
        let (name, limits) = (self.group.name.to_string(), self.group.state.limits);
        if limits.clamp(capacity) != capacity {
            let limits = limits.to_string();
            return Err(CommandError::OutsideLimits { group: name, capacity, limits });
        }
        let from = self.group.state.desired;
        self.group.state.set_desired(capacity, now);
        self.group.is_changed = true;
        if from != capacity {
            let cause = "a command asked for it".to_owned();
            let (end, progress, outcome) = (None, 0, Outcome::InProgress);
            let start = now;
            let activity = Activity { cause, from, to: capacity, start, end, progress, outcome };
            self.group.history.begin(activity);
        }
        self.group.decide(now);
        let window = self.group.state.settings.scale_in_window.as_secs();
        Ok(format!(
            "group {name}: desired capacity {from} -> {capacity}; policies may lower it after {window} s"
        ))
    }

    fn standby(
        &mut self,
        member: &str,
        standby: bool,
        now: Moment,
    ) -> Result<String, CommandError> {
        let member = self.member(member)?;
        let phase = self.group.members.ledger().members.get(&member).map(|record| record.phase);
        let (wanted, said) = if standby {
            let said = "is on standby: it takes no new flows, and another member takes its place";
            (Phase::InService, said)
        } else {
            (Phase::Standby, "is put back into service")
        };
        if phase != Some(wanted) {
            let state = if standby { "in service" } else { "on standby" };
            return Err(CommandError::NotNow(format!("{member} is not {state}")));
        }
        let said = format!("{member} {said}");
        self.tell(Command::Standby { name: member, standby }, now);
        Ok(said)
    }

    fn refreshing(
        &mut self,
        command: Command,
        done: &str,
        now: Moment,
    ) -> Result<String, CommandError> {
        let name = Arc::clone(&self.group.name);
        if self.group.members.ledger().refresh.is_none() {
            return Err(CommandError::NotNow(format!("group {name}: no refresh is in progress")));
        }
        self.tell(command, now);
        Ok(format!("group {name}: the refresh is {done}"))
    }

    fn tell(&mut self, command: Command, now: Moment) {
        self.group.step(Input::Command(command), now);
    }

    /// The name of a member that is named by that, or by its address and port.
    fn member(&self, named: &str) -> Result<String, CommandError> {
        let members = &self.group.members.ledger().members;
        let at = |name: &String| {
            let address = members.get(name).and_then(|record| record.address);
            address.is_some_and(|address| address.to_string() == named)
        };
        let found = members.keys().find(|name| *name == named || at(name));
        found.cloned().ok_or_else(|| CommandError::NoMember {
            group: self.group.name.to_string(),
            member: named.to_owned(),
        })
    }
}
