//! PURE: a group: its ledger, what is known since the start, and the basic changes of a member.
//! When they happen is decided in the files that use them.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
};

use lb_scale::{Member, Moment, Outcome};

use crate::{
    call::{Call, CallId, Verb},
    input::Demand,
    ledger::Ledger,
    output::{Action, ActivityKind, Event, EventKind, MemberActivity, Outputs},
    record::{Cause, Phase, Presence, Record},
    settings::MemberSettings,
};

/// A call that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) verb: Verb,
    pub(crate) name: String,
    pub(crate) since: Moment,
}

/// What is known of a member since the start, and is not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) healthy: Option<bool>,
    pub(crate) flows: Option<u64>,
    /// Since when `list` does not have it, or has it as failed.
    pub(crate) absent: Option<Moment>,
    /// The first call whose `list` sees the outcome of the member's own calls.
    pub(crate) listed_from: u64,
    pub(crate) calling: bool,
    pub(crate) hook_runs: bool,
}

/// The members of a scaled group.
///
/// It does no I/O: [`Group::step`] takes what happened and returns what to do.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) settings: Arc<MemberSettings>,
    pub(crate) ledger: Ledger,
    pub(crate) known: HashMap<String, Known>,
    pub(crate) in_flight: BTreeMap<CallId, InFlight>,
    /// The number of the last call. A new process has no results of old calls.
    pub(crate) last_call: u64,
    pub(crate) demand: Option<Demand>,
    pub(crate) last_list: Option<Moment>,
    /// Unknown members of the last reading.
    pub(crate) strangers: Vec<String>,
    pub(crate) all_unhealthy: bool,
    pub(crate) outputs: Outputs,
}

impl Group {
    /// Opens a group from what was stored. The outputs restore what the data path should have; they
    /// make no call. Until the first [`Demand`], members are neither launched nor scaled in.
    pub fn open(ledger: Ledger, settings: Arc<MemberSettings>) -> (Self, Outputs) {
        let mut group = Self {
            settings,
            ledger,
            known: HashMap::new(),
            in_flight: BTreeMap::new(),
            last_call: 0,
            demand: None,
            last_list: None,
            strangers: Vec::new(),
            all_unhealthy: false,
            outputs: Outputs::default(),
        };
        for (name, record) in &group.ledger.members {
            let Some(address) = record.address.filter(|_| record.phase.is_registered()) else {
                continue;
            };
            group.outputs.actions.push(Action::Register { name: name.clone(), address });
            if matches!(record.phase, Phase::Draining | Phase::Standby) {
                group.outputs.actions.push(Action::Drain { name: name.clone() });
            }
        }
        let outputs = std::mem::take(&mut group.outputs);
        (group, outputs)
    }

    /// What is to be stored.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How members come and go.
    #[must_use]
    pub fn settings(&self) -> &MemberSettings {
        &self.settings
    }

    /// Takes over changed settings. The next step follows them.
    pub fn set_settings(&mut self, settings: Arc<MemberSettings>) {
        self.settings = settings;
    }

    /// The members as `lb_scale::decide` sees them.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let member = |(name, record): (&String, &Record)| {
            Some(Member {
                name: name.clone(),
                lifecycle: record.phase.lifecycle()?,
                since: record.since,
                healthy: self.is_healthy(name),
                protected: record.protected,
            })
        };
        self.ledger.members.iter().filter_map(member).collect()
    }

    /// The targets that the data path should have, and whether each one drains.
    pub fn targets(&self) -> impl Iterator<Item = (&str, SocketAddr, bool)> {
        self.ledger.members.iter().filter_map(|(name, record)| {
            let address = record.address.filter(|_| record.phase.is_registered())?;
            let drains = matches!(record.phase, Phase::Draining | Phase::Standby);
            Some((name.as_str(), address, drains))
        })
    }

    /// The template of new members.
    #[must_use]
    pub fn launch_template(&self) -> &str {
        match &self.ledger.pinned {
            Some(pinned) if pinned.instead_of == self.settings.template => &pinned.template,
            _ => &self.settings.template,
        }
    }

    pub(crate) fn is_healthy(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.healthy == Some(true))
    }

    pub(crate) fn is_calling(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.calling)
    }

    pub(crate) fn known_mut(&mut self, name: &str) -> &mut Known {
        self.known.entry(name.to_owned()).or_default()
    }

    /// A record to change; the ledger will be stored.
    pub(crate) fn record_mut(&mut self, name: &str) -> Option<&mut Record> {
        let record = self.ledger.members.get_mut(name)?;
        self.outputs.store = true;
        Some(record)
    }

    pub(crate) fn phase(&self, name: &str) -> Option<Phase> {
        self.ledger.members.get(name).map(|record| record.phase)
    }

    /// The names of members in one of those phases.
    pub(crate) fn names(&self, is_meant: impl Fn(&Record) -> bool) -> Vec<String> {
        let meant = self.ledger.members.iter().filter(|(_, record)| is_meant(record));
        meant.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn count(&self, is_counted: impl Fn(&Record) -> bool) -> u32 {
        let count = self.ledger.members.values().filter(|record| is_counted(record)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How many members are in service and healthy.
    pub(crate) fn healthy_in_service(&self) -> u32 {
        let is_counted = |(name, record): &(&String, &Record)| {
            record.phase == Phase::InService && self.is_healthy(name)
        };
        let count = self.ledger.members.iter().filter(is_counted).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(crate) fn event(&mut self, name: &str, kind: EventKind, at: Moment) {
        self.outputs.events.push(Event { at, name: name.to_owned(), kind });
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.outputs.actions.push(action);
    }

    /// A member goes to its next phase; its calls count from zero.
    pub(crate) fn enter(&mut self, name: &str, phase: Phase, now: Moment) {
        if let Some(record) = self.record_mut(name) {
            record.phase = phase;
            record.since = now;
            record.failures = 0;
            record.retry = None;
        }
    }

    /// A new member: the intent, which is stored before the first call.
    pub(crate) fn intend(&mut self, phase: Phase, cause: &str, now: Moment) {
        let name = self.ledger.choose_name(&self.settings.group);
        let record = Record::new(phase, self.launch_template().to_owned(), now);
        self.begin_launch(&name, cause, now);
        self.ledger.members.insert(name, record);
        self.outputs.store = true;
    }

    /// Begins to end a member, from whatever phase it is in.
    pub(crate) fn terminate(&mut self, name: &str, cause: Cause, now: Moment) {
        let Some(record) = self.ledger.members.get(name) else { return };
        let (phase, presence) = (record.phase, record.presence);
        if phase.is_ending() || matches!(phase, Phase::Draining | Phase::TerminateHook) {
            return;
        }
        if let Some(record) = self.record_mut(name) {
            record.ends = Some((cause, now));
        }
        self.event(name, EventKind::Ends(cause), now);
        if phase == Phase::LaunchHook {
            self.cancel_hook(name);
        }
        if phase.is_capacity() && phase != Phase::InService {
            self.finish_launch(name, Outcome::Cancelled, now);
        }
        let text = cause.to_string();
        self.activity(name, ActivityKind::Terminate, &text, now, Outcome::InProgress, now);
        if presence == Presence::Never {
            // No call has reached the driver.
            self.forget(name, now);
        } else if phase.is_registered() {
            self.enter(name, Phase::Draining, now);
            self.known_mut(name).flows = None;
            if phase != Phase::Standby {
                self.act(Action::Drain { name: name.to_owned() });
            }
        } else {
            self.enter(name, Phase::Ending, now);
        }
    }

    /// Ends a member at once: it does not run, or never will.
    pub(crate) fn abort(&mut self, name: &str, phase: Phase, cause: Cause, now: Moment) {
        let Some(record) = self.ledger.members.get(name) else { return };
        let before = record.phase;
        if before.is_ending() {
            return;
        }
        if before.is_registered() {
            self.act(Action::Deregister { name: name.to_owned() });
        }
        if matches!(before, Phase::LaunchHook | Phase::TerminateHook) {
            self.cancel_hook(name);
        }
        if let Some(record) = self.record_mut(name) {
            record.ends.get_or_insert((cause, now));
        }
        if !matches!(before, Phase::Draining | Phase::TerminateHook) {
            let text = cause.to_string();
            self.activity(name, ActivityKind::Terminate, &text, now, Outcome::InProgress, now);
            self.event(name, EventKind::Ends(cause), now);
        }
        self.enter(name, phase, now);
    }

    fn cancel_hook(&mut self, name: &str) {
        if std::mem::take(&mut self.known_mut(name).hook_runs) {
            self.act(Action::CancelHook { name: name.to_owned() });
        }
    }

    /// A member has ended: nothing of it is left.
    pub(crate) fn forget(&mut self, name: &str, now: Moment) {
        let Some(record) = self.ledger.members.remove(name) else { return };
        self.outputs.store = true;
        self.known.remove(name);
        self.event(name, EventKind::Ended, now);
        let (cause, start) = record.ends.unwrap_or((Cause::Lost, now));
        let text = cause.to_string();
        self.activity(name, ActivityKind::Terminate, &text, start, Outcome::Successful, now);
    }

    /// The activity of a launch ends.
    pub(crate) fn finish_launch(&mut self, name: &str, outcome: Outcome, now: Moment) {
        let start = self.ledger.members.get(name).map_or(now, |record| record.launched);
        self.activity(name, ActivityKind::Launch, "", start, outcome, now);
    }

    /// The activity of a launch begins.
    pub(crate) fn begin_launch(&mut self, name: &str, cause: &str, now: Moment) {
        self.activity(name, ActivityKind::Launch, cause, now, Outcome::InProgress, now);
    }

    /// The activity of a termination ends.
    pub(crate) fn finish_termination(
        &mut self,
        name: &str,
        start: Moment,
        outcome: Outcome,
        now: Moment,
    ) {
        self.activity(name, ActivityKind::Terminate, "", start, outcome, now);
    }

    fn activity(
        &mut self,
        name: &str,
        kind: ActivityKind,
        cause: &str,
        start: Moment,
        outcome: Outcome,
        now: Moment,
    ) {
        let end = (outcome != Outcome::InProgress).then_some(now);
        let (name, cause) = (name.to_owned(), cause.to_owned());
        self.outputs.activities.push(MemberActivity { name, kind, cause, start, end, outcome });
    }

    /// Makes a call.
    pub(crate) fn call(&mut self, verb: Verb, name: &str, now: Moment) {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let mut template = String::new();
        if verb != Verb::List {
            self.known_mut(name).calling = true;
            template = self.ledger.members.get(name).map_or(template, |r| r.template.clone());
        }
        let name = name.to_owned();
        self.in_flight.insert(id, InFlight { verb, name: name.clone(), since: now });
        let deadline = self.settings.call_deadline;
        self.act(Action::Call(Call { id, verb, name, template, deadline }));
    }
}
