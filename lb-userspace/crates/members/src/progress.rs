//! PURE: what time, health, flows and hooks change in a member, and which calls are due.

use lb_scale::{Moment, Outcome};

use crate::{
    call::{CallError, ErrorClass, Verb},
    group::Group,
    input::HookKind,
    launches::Launching,
    output::{Action, EventKind},
    record::{Cause, Phase, Presence, Record},
    settings::{Hook, HookResult},
};

impl Group {
    /// Moves each member on that is ready for its next phase.
    pub(crate) fn progress(&mut self, now: Moment) {
        for name in self.names(|record| !matches!(record.phase, Phase::Warm | Phase::Standby)) {
            let Some(record) = self.ledger.members.get(&name) else { continue };
            let waited = now.since(&record.since);
            match record.phase {
                Phase::Launching | Phase::WarmLaunching if record.presence.is_certain() => {
                    let timeout = self.settings.launch_timeout;
                    if now.since(&record.launched) >= timeout {
                        let message = format!("it does not run after {timeout:?}");
                        self.launch_failed(&name, transient(message), now);
                    }
                }
                Phase::LaunchHook => {
                    self.wait_for_hook(&name, HookKind::Launch, self.settings.launch_hook, now);
                }
                Phase::TerminateHook => {
                    let hook = self.settings.terminate_hook;
                    self.wait_for_hook(&name, HookKind::Terminate, hook, now);
                }
                Phase::FirstHealthy if self.is_healthy(&name) => {
                    self.enter(&name, Phase::InService, now);
                    self.event(&name, EventKind::InService, now);
                    self.finish_launch(&name, Outcome::Successful, now);
                    self.launch_succeeded(true, now);
                }
                Phase::FirstHealthy if waited >= self.settings.first_healthy_timeout => {
                    let timeout = self.settings.first_healthy_timeout;
                    let message = format!("its health check does not pass within {timeout:?}");
                    self.launch_failed(&name, transient(message), now);
                }
                Phase::Draining => {
                    let is_over = waited >= self.settings.drain_timeout;
                    self.wait_for_drain(&name, is_over, now);
                }
                _ => {}
            }
        }
    }

    /// A member is drained when it has no flows, and at the deadline at the latest.
    fn wait_for_drain(&mut self, name: &str, is_over: bool, now: Moment) {
        let flows = self.known.get(name).and_then(|known| known.flows);
        if flows != Some(0) && !is_over {
            return;
        }
        if flows != Some(0) {
            self.event(name, EventKind::DrainCut(flows), now);
        }
        if self.settings.terminate_hook.is_some() {
            self.act(Action::Deregister { name: name.to_owned() });
            self.enter(name, Phase::TerminateHook, now);
        } else {
            self.abort(name, Phase::Ending, Cause::ScaleIn, now);
        }
    }

    fn wait_for_hook(&mut self, name: &str, kind: HookKind, hook: Option<Hook>, now: Moment) {
        let Some(hook) = hook else {
            // Its settings are gone.
            return self.hook_ended(name, kind, HookResult::Continue, now);
        };
        let since = self.ledger.members.get(name).map_or(now, |record| record.since);
        if now.since(&since) >= hook.timeout {
            self.event(name, EventKind::HookTimedOut, now);
            self.act(Action::CancelHook { name: name.to_owned() });
            self.hook_ended(name, kind, hook.default, now);
        } else if !self.known_mut(name).hook_runs {
            self.known_mut(name).hook_runs = true;
            self.act(Action::RunHook { name: name.to_owned(), kind });
        }
    }

    /// A hook has ended, or its time is over.
    pub(crate) fn hook_ended(
        &mut self,
        name: &str,
        kind: HookKind,
        result: HookResult,
        now: Moment,
    ) {
        let Some(phase) = self.phase(name) else { return };
        match (kind, phase, result) {
            (HookKind::Launch, Phase::LaunchHook, HookResult::Continue) => {
                self.known_mut(name).hook_runs = false;
                self.register(name, now);
            }
            (HookKind::Launch, Phase::LaunchHook, HookResult::Abandon) => {
                self.known_mut(name).hook_runs = false;
                self.launch_abandoned(name, now);
            }
            (HookKind::Terminate, Phase::TerminateHook, _) => {
                self.known_mut(name).hook_runs = false;
                self.abort(name, Phase::Ending, Cause::ScaleIn, now);
            }
            _ => {}
        }
    }

    /// A hook needs more time.
    pub(crate) fn heartbeat(&mut self, name: &str, now: Moment) {
        if matches!(self.phase(name), Some(Phase::LaunchHook | Phase::TerminateHook))
            && let Some(record) = self.record_mut(name)
        {
            record.since = now;
        }
    }

    /// Makes the calls that are due: those that end members first, launches last.
    pub(crate) fn make_calls(&mut self, now: Moment) {
        let mut left = self.settings.calls_max.saturating_sub(self.in_flight.len());
        let mut due: Vec<(u8, String, Verb)> = Vec::new();
        for (name, record) in &self.ledger.members {
            let Some(verb) = next_verb(record).filter(|_| record.is_due(now)) else { continue };
            if !self.is_calling(name) {
                due.push((urgency(verb, record), name.clone(), verb));
            }
        }
        due.sort();
        let launching = self.launching(now);
        let mut trials = self.trials();
        for (urgency, name, verb) in due {
            if left == 0 {
                break;
            }
            if urgency == LAUNCH {
                match launching {
                    Launching::Paused => continue,
                    Launching::OneAtATime if trials > 0 => continue,
                    _ => trials += 1,
                }
                self.begin_try(&name, now);
            }
            left -= 1;
            self.call(verb, &name, now);
        }
        self.list_if_due(now);
    }

    /// From now on, the driver may have the member.
    fn begin_try(&mut self, name: &str, now: Moment) {
        if let Some(record) =
            self.record_mut(name).filter(|record| record.presence == Presence::Never)
        {
            record.presence = Presence::Possible;
            record.launched = now;
        }
    }

    fn list_if_due(&mut self, now: Moment) {
        if self.in_flight.values().any(|call| call.verb == Verb::List) {
            return;
        }
        let is_doubtful = !self.strangers.is_empty()
            || self.known.values().any(|known| known.absent.is_some())
            || self.ledger.members.values().any(|record| record.end_confirmed);
        let settings = &self.settings;
        let interval = if is_doubtful { settings.confirm_interval } else { settings.list_interval };
        if self.last_list.is_none_or(|last| now.since(&last) >= interval) {
            self.last_list = Some(now);
            self.call(Verb::List, "", now);
        }
    }
}

/// The urgency of launches: they come last.
const LAUNCH: u8 = 2;

fn urgency(verb: Verb, record: &Record) -> u8 {
    match verb {
        Verb::End => 0,
        Verb::Ensure if !record.presence.is_certain() => LAUNCH,
        _ => 1,
    }
}

/// The call that a member needs next.
fn next_verb(record: &Record) -> Option<Verb> {
    match record.phase {
        Phase::Launching if record.presence == Presence::Stopped => Some(Verb::Start),
        Phase::Launching | Phase::WarmLaunching => Some(Verb::Ensure),
        Phase::WarmStopping => Some(Verb::Stop),
        Phase::Ending | Phase::Failed if !record.end_confirmed => Some(Verb::End),
        _ => None,
    }
}

fn transient(message: String) -> CallError {
    CallError::new(ErrorClass::Transient, message)
}
