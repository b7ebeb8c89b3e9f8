//! An agent on virtual time: it stores, calls, checks health and drains as a real one would, and can
//! die before and after every store write, and before every action.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use lb_members::{
    Action, Call, CallId, CallResult, Demand, Event, EventKind, Group, HookKind, HookResult, Input,
    Ledger, MemberSettings, Outputs, Phase, Verb,
};
use lb_scale::{Lifecycle, Limits, Moment};

use super::driver::{Driver, PORT};

pub(crate) fn at(seconds: u64) -> Moment {
    let wall = jiff::Timestamp::UNIX_EPOCH;
    Moment { boot_id: 1, boot: Duration::from_secs(1_000_000), wall }
        .after(Duration::from_secs(seconds))
}

pub(crate) fn settings() -> MemberSettings {
    MemberSettings {
        group: "web".to_owned(),
        template: "a".to_owned(),
        drain_timeout: Duration::from_mins(1),
        ..MemberSettings::default()
    }
}

pub(crate) struct Agent {
    pub(crate) driver: Driver,
    pub(crate) settings: Arc<MemberSettings>,
    pub(crate) group: Group,
    /// What a new process would read.
    pub(crate) stored: String,
    pub(crate) now: u64,
    pub(crate) desired: u32,
    pub(crate) scale_in: bool,
    /// The crash points to come; the process dies at the one with number 0.
    pub(crate) crash_in: Option<u64>,
    pub(crate) points: u64,
    pub(crate) stores: u64,
    pub(crate) crashes: u64,
    /// A call that is made when the process dies has its effect so many seconds later.
    pub(crate) calls_outlive: Option<u64>,
    pub(crate) events: Vec<Event>,
    /// Targets of the data path, and whether they drain.
    pub(crate) targets: BTreeMap<String, (SocketAddr, bool)>,
    answers: Vec<(u64, CallId, CallResult)>,
    calling: BTreeSet<String>,
    call_names: BTreeMap<CallId, String>,
    drains: BTreeMap<String, u64>,
    hooks: Vec<(u64, String, HookKind)>,
    pub(crate) hook_result: HookResult,
}

impl Agent {
    pub(crate) fn new(settings: MemberSettings, seed: u64) -> Self {
        let settings = Arc::new(settings);
        let ledger = Ledger::new(1);
        let stored = serde_json::to_string(&ledger).unwrap();
        let (group, _) = Group::open(ledger, Arc::clone(&settings));
        Self {
            driver: Driver::new(seed),
            settings,
            group,
            stored,
            now: 0,
            desired: 0,
            scale_in: true,
            crash_in: None,
            points: 0,
            stores: 0,
            crashes: 0,
            calls_outlive: None,
            events: Vec::new(),
            targets: BTreeMap::new(),
            answers: Vec::new(),
            calling: BTreeSet::new(),
            call_names: BTreeMap::new(),
            drains: BTreeMap::new(),
            hooks: Vec::new(),
            hook_result: HookResult::Continue,
        }
    }

    pub(crate) fn set_settings(&mut self, settings: MemberSettings) {
        self.settings = Arc::new(settings);
        self.group.set_settings(Arc::clone(&self.settings));
    }

    /// The process ends here, and a new one begins.
    pub(crate) fn crash(&mut self) {
        self.crashes += 1;
        let ledger: Ledger = serde_json::from_str(&self.stored).unwrap();
        self.answers.clear();
        self.calling.clear();
        self.call_names.clear();
        self.hooks.clear();
        let (group, outputs) = Group::open(ledger, Arc::clone(&self.settings));
        self.group = group;
        self.targets.clear();
        self.drains.retain(|name, _| self.group.ledger().members.contains_key(name));
        assert!(!outputs.store);
        self.carry_out(outputs);
    }

    /// Whether the process dies here.
    fn dies(&mut self) -> bool {
        self.points += 1;
        let Some(left) = self.crash_in else { return false };
        self.crash_in = left.checked_sub(1);
        left == 0
    }

    pub(crate) fn input(&mut self, input: Input) {
        let outputs = self.group.step(input, at(self.now));
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Outputs) {
        self.events.extend(outputs.events);
        if outputs.store {
            if self.dies() {
                return self.crash();
            }
            self.stores += 1;
            self.stored = serde_json::to_string(self.group.ledger()).unwrap();
        }
        for action in outputs.actions {
            if self.dies() {
                if let (Action::Call(call), Some(seconds)) = (&action, self.calls_outlive) {
                    let when = self.now + seconds;
                    self.driver.late.push((when, call.clone()));
                }
                return self.crash();
            }
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Call(call) => self.call(&call),
            Action::Abandon(id) => {
                self.answers.retain(|(_, other, _)| *other != id);
                self.finish_call(id);
            }
            Action::Register { name, address } => {
                self.targets.insert(name, (address, false));
            }
            Action::Drain { name } => {
                self.drains.insert(name.clone(), self.now);
                self.targets.get_mut(&name).expect("only targets drain").1 = true;
            }
            Action::Undrain { name } => {
                self.drains.remove(&name);
                self.targets.get_mut(&name).expect("only targets are put back").1 = false;
            }
            Action::Deregister { name } => {
                self.drains.remove(&name);
                self.targets.remove(&name);
            }
            Action::RunHook { name, kind } => self.hooks.push((self.now + 5, name, kind)),
            Action::CancelHook { name } => self.hooks.retain(|(_, other, _)| *other != name),
            Action::RaiseDesired(desired) => self.desired = self.desired.max(desired),
        }
    }

    fn call(&mut self, call: &Call) {
        if call.verb != Verb::List {
            let stored: Ledger = serde_json::from_str(&self.stored).unwrap();
            assert!(stored.members.contains_key(&call.name), "{call:?} before its intent");
            assert!(self.calling.insert(call.name.clone()), "two calls at a time: {call:?}");
            self.call_names.insert(call.id, call.name.clone());
        }
        if call.verb == Verb::End {
            assert!(!self.targets.contains_key(&call.name), "it is still a target: {call:?}");
        }
        let reaction = self.driver.call(call, self.now);
        if let Some((seconds, result)) = reaction
            && Duration::from_secs(seconds) < call.deadline
        {
            self.answers.push((self.now + seconds, call.id, result));
        }
    }

    fn finish_call(&mut self, id: CallId) {
        if let Some(name) = self.call_names.remove(&id) {
            self.calling.remove(&name);
        }
    }

    /// So many seconds later: answers, health checks, drains, hooks, and a decision.
    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        self.driver.advance(self.now);
        let due = |(when, _, _): &(u64, CallId, CallResult)| *when <= self.now;
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.answers).into_iter().partition(due);
        self.answers = later;
        let crashes = self.crashes;
        for (_, call, result) in due {
            self.finish_call(call);
            self.input(Input::Called { call, result });
            if self.crashes > crashes {
                // The other answers are lost with the process.
                break;
            }
        }
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.hooks).into_iter().partition(|(when, ..)| *when <= self.now);
        self.hooks = later;
        for (_, name, kind) in due {
            self.input(Input::Hook { name, kind, result: self.hook_result });
        }
        self.check_targets();
        self.decide();
        self.input(Input::Tick);
    }

    fn check_targets(&mut self) {
        for (name, (address, drains)) in self.targets.clone() {
            let healthy = self.driver.instances.values().any(|instance| {
                SocketAddr::new(IpAddr::V4(instance.address), PORT) == address
                    && !instance.sick
                    && !instance.stopped
                    && instance.runs_from <= self.now
            });
            self.input(Input::Health { name: name.clone(), healthy });
            if drains {
                let since = self.drains.get(&name).copied().unwrap_or(self.now);
                let flows = 10_u64.saturating_sub(self.now.saturating_sub(since));
                self.input(Input::Flows { name, flows });
            }
        }
    }

    fn decide(&mut self) {
        let members = self.group.members();
        let replace = members
            .iter()
            .filter(|member| member.lifecycle == Lifecycle::InService && !member.healthy)
            .map(|member| member.name.clone())
            .collect();
        let limits = Limits { min: 0, max: 20 };
        let (desired, scale_in) = (self.desired, self.scale_in);
        self.input(Input::Demand(Demand { desired, limits, launch: true, scale_in, replace }));
    }

    /// Lets everything come to rest: no faults, no crashes.
    pub(crate) fn settle(&mut self, seconds: u64) {
        self.driver.faults = 0;
        self.driver.quota = usize::MAX;
        self.driver.bad_template = None;
        self.crash_in = None;
        for instance in self.driver.instances.values_mut() {
            instance.sick = false;
        }
        for _ in 0..seconds / 10 {
            self.advance(10);
        }
    }

    pub(crate) fn in_phase(&self, phase: Phase) -> usize {
        self.group.ledger().members.values().filter(|record| record.phase == phase).count()
    }

    pub(crate) fn saw(&self, is_meant: impl Fn(&EventKind) -> bool) -> usize {
        self.events.iter().filter(|event| is_meant(&event.kind)).count()
    }

    /// At rest, the driver has what the ledger has, all desired members take traffic, and nothing
    /// else exists.
    pub(crate) fn assert_converged(&self, case: &str) {
        let ledger = self.group.ledger();
        let names: Vec<&String> = ledger.members.keys().collect();
        let existing: Vec<&String> = self.driver.instances.keys().collect();
        assert_eq!(existing, names, "{case}: what exists is what is known\n{ledger:#?}");
        assert_eq!(self.in_phase(Phase::InService), self.desired as usize, "{case}\n{ledger:#?}");
        assert_eq!(names.len(), self.desired as usize, "{case}: nothing else\n{ledger:#?}");
        let registered: BTreeMap<String, (SocketAddr, bool)> = self
            .group
            .targets()
            .map(|(name, address, drains)| (name.to_owned(), (address, drains)))
            .collect();
        assert_eq!(self.targets, registered, "{case}");
        assert_eq!(serde_json::from_str::<Ledger>(&self.stored).unwrap(), *ledger, "{case}");
        for (name, (address, _)) in &self.targets {
            let instance = &self.driver.instances[name];
            assert_eq!(address.ip(), IpAddr::V4(instance.address), "{case}: {name}");
        }
    }
}
