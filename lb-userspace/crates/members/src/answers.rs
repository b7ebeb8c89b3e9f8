//! PURE: what follows from the result of a call. Readings of `list` are in `reconcile`.

use std::net::SocketAddr;

use lb_scale::{Moment, Outcome};

use crate::{
    breaker::retry_wait,
    call::{Answer, CallError, CallId, CallResult, ErrorClass, MemberState, Reported, Verb},
    group::{Group, InFlight},
    output::{Action, EventKind},
    record::{Phase, Presence, Retry},
    settings::WarmState,
};

impl Group {
    /// A call has ended. The result of a call that was given up says nothing.
    pub(crate) fn called(&mut self, id: CallId, result: CallResult, now: Moment) {
        let Some(call) = self.in_flight.remove(&id) else { return };
        if call.verb == Verb::List {
            match result {
                Ok(Answer::Members(members)) => self.listed(id, members, now),
                Ok(_) => self.event("", EventKind::CallFailed(wrong_answer(&call)), now),
                Err(error) => self.event("", EventKind::CallFailed(error), now),
            }
            return;
        }
        if self.phase(&call.name).is_none() {
            return;
        }
        let listed_from = self.last_call;
        let known = self.known_mut(&call.name);
        known.calling = false;
        known.listed_from = listed_from;
        known.absent = None;
        match result {
            Ok(answer) => self.succeeded(&call, answer, now),
            Err(error) => self.failed(&call, error, now),
        }
    }

    fn succeeded(&mut self, call: &InFlight, answer: Answer, now: Moment) {
        let name = call.name.as_str();
        match (call.verb, answer) {
            (Verb::Ensure, Answer::Member(member)) if member.name == name => {
                self.ensured(call, &member, now);
            }
            (Verb::Start, Answer::Member(_) | Answer::Done) => {
                if let Some(record) = self.record_mut(name) {
                    record.presence = Presence::Exists;
                    record.retry = None;
                }
            }
            (Verb::Stop, Answer::Done | Answer::Member(_)) => {
                if self.phase(name) == Some(Phase::WarmStopping) {
                    self.enter(name, Phase::Warm, now);
                }
                if let Some(record) = self.record_mut(name) {
                    record.presence = Presence::Stopped;
                    // It may have another address when it runs again.
                    record.address = None;
                }
            }
            (Verb::End, Answer::Done | Answer::Member(_)) => {
                let is_ending = self.phase(name).is_some_and(Phase::is_ending);
                if let Some(record) = self.record_mut(name).filter(|_| is_ending) {
                    record.end_confirmed = true;
                    record.failures = 0;
                    record.retry = None;
                }
            }
            _ => self.failed(call, wrong_answer(call), now),
        }
    }

    /// The driver has created the member, or found it.
    fn ensured(&mut self, call: &InFlight, member: &Reported, now: Moment) {
        let name = call.name.as_str();
        let phase = self.phase(name);
        let Some(Phase::Launching | Phase::WarmLaunching) = phase else { return };
        match member.state {
            MemberState::Ended => {
                let error = CallError::new(ErrorClass::Transient, "it ended while it was launched");
                return self.failed(call, error, now);
            }
            MemberState::Failed => {
                let unknown = || CallError::new(ErrorClass::Fatal, "the driver gives no reason");
                let error = member.error.clone().unwrap_or_else(unknown);
                return self.launch_failed(name, error, now);
            }
            MemberState::Launching | MemberState::Running | MemberState::Stopped => {}
        }
        let wait = self.settings.poll_interval;
        let address = member.address.zip(member.port).map(SocketAddr::from);
        if let Some(record) = self.record_mut(name) {
            if !record.presence.is_certain() {
                record.launched = now;
            }
            record.presence = match member.state {
                MemberState::Stopped => Presence::Stopped,
                _ => Presence::Exists,
            };
            record.failures = 0;
            record.retry = Some(Retry { since: now, wait });
        }
        self.launch_succeeded(false, now);
        if let Some(address) = address.filter(|_| member.state == MemberState::Running) {
            self.runs(name, address, now);
        }
    }

    /// A member runs, at this address.
    fn runs(&mut self, name: &str, address: SocketAddr, now: Moment) {
        let owner = self.ledger.members.iter().find(|(other, record)| {
            *other != name && record.address == Some(address) && !record.phase.is_ending()
        });
        if let Some((owner, _)) = owner {
            let message = format!("{address} is the address of {owner} already");
            return self.launch_failed(name, CallError::new(ErrorClass::Fatal, message), now);
        }
        if let Some(record) = self.record_mut(name) {
            record.address = Some(address);
        }
        if self.phase(name) == Some(Phase::WarmLaunching) {
            let pool = self.settings.warm_pool.map(|pool| pool.state).unwrap_or_default();
            let is_stopped = pool == WarmState::Stopped;
            self.finish_launch(name, Outcome::Successful, now);
            self.enter(name, if is_stopped { Phase::WarmStopping } else { Phase::Warm }, now);
        } else if self.settings.launch_hook.is_some() {
            self.enter(name, Phase::LaunchHook, now);
        } else {
            self.register(name, now);
        }
    }

    /// Makes a member a target.
    pub(crate) fn register(&mut self, name: &str, now: Moment) {
        let Some(address) = self.ledger.members.get(name).and_then(|record| record.address) else {
            return;
        };
        self.enter(name, Phase::FirstHealthy, now);
        // What was known of it belongs to another life.
        self.known_mut(name).healthy = None;
        self.act(Action::Register { name: name.to_owned(), address });
    }

    fn failed(&mut self, call: &InFlight, error: CallError, now: Moment) {
        let name = call.name.as_str();
        let Some(phase) = self.phase(name) else { return };
        let is_launch = matches!(phase, Phase::Launching | Phase::WarmLaunching);
        if error.class == ErrorClass::Fatal && is_launch && call.verb != Verb::End {
            return self.launch_failed(name, error, now);
        }
        if error.class == ErrorClass::Fatal && call.verb == Verb::Stop {
            // A driver without `stop`: the member waits as it is.
            self.event(name, EventKind::CallFailed(error), now);
            return self.enter(name, Phase::Warm, now);
        }
        self.event(name, EventKind::CallFailed(error.clone()), now);
        let Some(record) = self.record_mut(name) else { return };
        record.failures = record.failures.saturating_add(1);
        record.retry = Some(Retry { since: now, wait: retry_wait(record.failures) });
        let (exists, template) = (record.presence.is_certain(), record.template.clone());
        if call.verb == Verb::Ensure && is_launch && !exists {
            self.count_failure(error, &template, call.since, false, now);
        }
    }
}

fn wrong_answer(call: &InFlight) -> CallError {
    let InFlight { verb, name, .. } = call;
    CallError::new(ErrorClass::Transient, format!("the driver did not answer `{verb} {name}`"))
}
