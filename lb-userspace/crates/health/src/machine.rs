//! PURE: from the outcomes of probes to a verdict on one target. It reads no clock and no socket.

use std::time::Duration;

use lb_common::target::TargetState;
use lb_config::HealthCheck;
use tokio::time::Instant;

use super::{Health, Outcome, Reason};

/// Prefix of the detail of a target that a previous agent has left unhealthy.
const UNHEALTHY_BEFORE: &str = "unhealthy before the agent started; ";

/// The health state of one target, and its transitions.
///
/// Thresholds count *consecutive* outcomes: a contrary outcome restarts the count.
#[derive(Clone, Debug)]
pub struct Machine {
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    health: Health,
    /// Number of the latest consecutive outcomes that contradict `health.state`.
    contrary: u32,
    inconclusive_timeout: Option<Duration>,
    /// Latest inconclusive outcomes in a row, and when the first of them came.
    blind: Option<(u32, Instant)>,
}

impl Machine {
    /// A machine that starts as `Initial`, or in the state of the previous agent if `resume` is
    /// `Healthy` or `Unhealthy`. No outcome counts yet.
    #[must_use]
    pub fn new(check: &HealthCheck, resume: Option<TargetState>) -> Self {
        let health = match resume {
            Some(TargetState::Healthy) => healthy(),
            Some(TargetState::Unhealthy) => Health {
                state: TargetState::Unhealthy,
                reason: Some(Reason::FailedHealthChecks),
                detail: format!("{UNHEALTHY_BEFORE}not probed yet"),
            },
            _ => Health {
                state: TargetState::Initial,
                reason: Some(Reason::InitialHealthChecking),
                detail: "not probed yet".to_owned(),
            },
        };
        let mut machine = Self {
            healthy_threshold: 0,
            unhealthy_threshold: 0,
            health,
            contrary: 0,
            inconclusive_timeout: None,
            blind: None,
        };
        machine.adopt(check);
        machine
    }

    /// Continues with another check: the verdict stays, the counts are reset.
    pub fn adopt(&mut self, check: &HealthCheck) {
        self.healthy_threshold = check.healthy_threshold;
        self.unhealthy_threshold = check.unhealthy_threshold;
        self.inconclusive_timeout = check.inconclusive_timeout;
        self.contrary = 0;
        self.blind = None;
    }

    /// Takes the outcome of a probe in. `Some` is a new verdict, or that the target can no longer be
    /// checked, or can again. Another reason or detail of a target that stays unhealthy shows in
    /// [`Self::health`] alone.
    ///
    /// An inconclusive outcome says nothing about the target and does not count as a failure. Many
    /// in a row are reported, and in the end the target is unhealthy.
    pub fn observe(&mut self, outcome: &Outcome, now: Instant) -> Option<Health> {
        if let Outcome::Inconclusive { detail } = outcome {
            return self.observe_inconclusive(detail, now).then(|| self.health.clone());
        }
        self.blind = None;
        let sees_again = self.end_inconclusive();
        let verdict = self.conclude(outcome);
        verdict.or_else(|| sees_again.then(|| self.health.clone()))
    }

    /// Records that the target could not be probed; returns whether that is a change.
    fn observe_inconclusive(&mut self, detail: &str, now: Instant) -> bool {
        let (before, since) = self.blind.unwrap_or((0, now));
        let count = before.saturating_add(1);
        self.blind = Some((count, since));
        let health = &mut self.health;
        // It has been tried, so that "not probed yet" would be wrong.
        if health.state == TargetState::Initial {
            health.detail = format!("could not be probed yet: {detail}");
        } else if health.detail.starts_with(UNHEALTHY_BEFORE) {
            health.detail = format!("{UNHEALTHY_BEFORE}could not be probed yet: {detail}");
        }
        if count < self.unhealthy_threshold {
            return false;
        }
        let over = self.inconclusive_timeout.is_some_and(|timeout| now - since >= timeout);
        let gives_up = over && health.state != TargetState::Unhealthy;
        let news = gives_up || health.reason != Some(Reason::InternalError);
        if gives_up {
            health.state = TargetState::Unhealthy;
            self.contrary = 0;
        }
        health.reason = Some(Reason::InternalError);
        health.detail = format!("this host cannot check it: {detail}");
        news
    }

    /// Ends the report of [`Self::observe_inconclusive`] about a target that has kept its state.
    fn end_inconclusive(&mut self) -> bool {
        if self.health.reason != Some(Reason::InternalError) {
            return false;
        }
        match self.health.state {
            TargetState::Healthy => self.health = healthy(),
            TargetState::Unhealthy => {
                self.health.reason = Some(Reason::FailedHealthChecks);
                "can be checked again, and was unhealthy before"
                    .clone_into(&mut self.health.detail);
            }
            _ => {
                self.health.reason = Some(Reason::InitialHealthChecking);
                "can be checked again".clone_into(&mut self.health.detail);
            }
        }
        true
    }

    fn conclude(&mut self, outcome: &Outcome) -> Option<Health> {
        let (state, reached) = match outcome {
            Outcome::Inconclusive { .. } | Outcome::NoDescriptor(_) => return None,
            Outcome::Success | Outcome::Reported(_) => (TargetState::Healthy, self.success()),
            Outcome::Failure { reason, detail } => {
                (TargetState::Unhealthy, self.failure(*reason, detail))
            }
        };
        if !reached {
            return None;
        }
        self.contrary = 0;
        self.health = match outcome {
            Outcome::Failure { reason, detail } => {
                Health { state, reason: Some(*reason), detail: detail.clone() }
            }
            _ => healthy(),
        };
        Some(self.health.clone())
    }

    /// The verdict, with the detail of the last failed probe if the target is not healthy.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Counts a success; whether the target becomes healthy.
    fn success(&mut self) -> bool {
        match self.health.state {
            TargetState::Healthy => {
                self.contrary = 0;
                false
            }
            TargetState::Unhealthy => {
                self.contrary += 1;
                self.contrary >= self.healthy_threshold
            }
            // As with ELB, a new target needs one success, whatever the threshold.
            _ => true,
        }
    }

    /// Counts a failure; whether the target becomes unhealthy.
    fn failure(&mut self, reason: Reason, detail: &str) -> bool {
        match self.health.state {
            TargetState::Unhealthy => {
                self.contrary = 0;
                self.health.reason = Some(reason);
                detail.clone_into(&mut self.health.detail);
                false
            }
            TargetState::Healthy => self.contrary_failure(),
            _ => {
                detail.clone_into(&mut self.health.detail);
                self.contrary_failure()
            }
        }
    }

    const fn contrary_failure(&mut self) -> bool {
        self.contrary += 1;
        self.contrary >= self.unhealthy_threshold
    }
}

const fn healthy() -> Health {
    Health { state: TargetState::Healthy, reason: None, detail: String::new() }
}

#[cfg(test)]
mod tests;
