//! PURE: launches that fail or succeed, and when new ones may begin.

use lb_scale::{Moment, Outcome};

use crate::{
    breaker::Breaker,
    call::{CallError, ErrorClass},
    group::Group,
    output::EventKind,
    record::{Cause, Phase, Record},
};

/// How many launches may begin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Launching {
    /// As many as needed.
    Free,
    /// One at a time, to see whether launching works again.
    OneAtATime,
    /// None.
    Paused,
}

impl Group {
    /// Whether launches may begin.
    pub(crate) fn launching(&self, now: Moment) -> Launching {
        if !self.demand.as_ref().is_some_and(|demand| demand.launch) {
            return Launching::Paused;
        }
        match &self.ledger.breaker {
            Some(breaker) if breaker.is_open(now) => Launching::Paused,
            Some(breaker) if breaker.limits() => Launching::OneAtATime,
            _ => Launching::Free,
        }
    }

    /// How many launches are under way, whose outcome would show whether launching works.
    pub(crate) fn trials(&self) -> usize {
        let after_create = self.ledger.breaker.as_ref().is_some_and(|b| b.after_create);
        let is_trial = |(name, record): &(&String, &Record)| match record.phase {
            Phase::Launching | Phase::WarmLaunching if !record.presence.is_certain() => {
                self.is_calling(name)
            }
            Phase::Launching | Phase::LaunchHook | Phase::FirstHealthy => after_create,
            _ => false,
        };
        self.ledger.members.iter().filter(is_trial).count()
    }

    /// A launch failed for good: the member is ended, and another one takes its place.
    pub(crate) fn launch_failed(&mut self, name: &str, error: CallError, now: Moment) {
        self.give_launch_up(name, error, EventKind::LaunchFailed, now);
    }

    /// The same, since the launch hook gives the member up.
    pub(crate) fn launch_abandoned(&mut self, name: &str, now: Moment) {
        let error = CallError::new(ErrorClass::Fatal, "its launch hook abandons it");
        self.give_launch_up(name, error, EventKind::LaunchAbandoned, now);
    }

    fn give_launch_up(
        &mut self,
        name: &str,
        error: CallError,
        kind: fn(CallError) -> EventKind,
        now: Moment,
    ) {
        let Some(record) = self.ledger.members.get(name) else { return };
        let (launched, template, exists) =
            (record.launched, record.template.clone(), record.presence.is_certain());
        self.finish_launch(name, Outcome::Failed(error.to_string()), now);
        self.event(name, kind(error.clone()), now);
        self.count_failure(error, &template, launched, exists, now);
        let is_new = template == self.launch_template();
        if let Some(refresh) = self.ledger.refresh.as_mut().filter(|_| is_new) {
            refresh.failures = refresh.failures.saturating_add(1);
        }
        self.abort(name, Phase::Failed, Cause::LaunchFailed, now);
    }

    /// Counts a failure towards the breaker. `since` is when the failed attempt began.
    pub(crate) fn count_failure(
        &mut self,
        error: CallError,
        template: &str,
        since: Moment,
        after_create: bool,
        now: Moment,
    ) {
        let before = self.ledger.breaker.as_ref();
        let next = Breaker::after(before, error, template, since, now, after_create);
        let was_open = before.is_some_and(|breaker| breaker.is_open(now));
        if next.is_open(now) && !was_open {
            self.event("", EventKind::LaunchingPauses(next.error.clone()), now);
        }
        self.ledger.breaker = Some(next);
        self.outputs.store = true;
    }

    /// A launch got as far as `is_in_service` says.
    pub(crate) fn launch_succeeded(&mut self, is_in_service: bool, now: Moment) {
        let Some(breaker) = &self.ledger.breaker else { return };
        if breaker.after_create && !is_in_service {
            return;
        }
        if breaker.limits() {
            self.event("", EventKind::LaunchingResumes, now);
        }
        self.ledger.breaker = None;
        self.outputs.store = true;
    }
}
