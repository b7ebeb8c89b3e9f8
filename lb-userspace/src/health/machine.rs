//! PURE: from the outcomes of probes to a verdict on one target. It knows no time and no socket.

use lb_common::target::TargetState;

use super::{Health, Outcome, Reason};
use crate::config::HealthCheck;

/// What is known of one target, and what it takes to change that.
///
/// Thresholds count *consecutive* outcomes: one outcome to the contrary starts the count again.
#[derive(Clone, Debug)]
pub struct Machine {
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    health: Health,
    /// Latest outcomes in a row that speak against `health.state`.
    contrary: u32,
}

impl Machine {
    /// A machine that starts as `Initial`, or as a former agent left the target when `resume` is
    /// `Healthy` or `Unhealthy`. No outcome counts yet.
    #[must_use]
    pub fn new(check: &HealthCheck, resume: Option<TargetState>) -> Self {
        let health = match resume {
            Some(TargetState::Healthy) => healthy(),
            Some(TargetState::Unhealthy) => Health {
                state: TargetState::Unhealthy,
                reason: Some(Reason::FailedHealthChecks),
                detail: "unhealthy before the agent started; not probed yet".to_owned(),
            },
            _ => Health {
                state: TargetState::Initial,
                reason: Some(Reason::InitialHealthChecking),
                detail: "not probed yet".to_owned(),
            },
        };
        let mut machine =
            Self { healthy_threshold: 0, unhealthy_threshold: 0, health, contrary: 0 };
        machine.adopt(check);
        machine
    }

    /// Goes on with another check: the verdict stays, what was counted under the old one does not.
    pub fn adopt(&mut self, check: &HealthCheck) {
        self.healthy_threshold = check.healthy_threshold;
        self.unhealthy_threshold = check.unhealthy_threshold;
        self.contrary = 0;
    }

    /// Takes the outcome of a probe in. `Some` is a new verdict, and only that: another reason or
    /// detail of a target that stays unhealthy shows in [`Self::health`] alone.
    ///
    /// An inconclusive outcome says nothing about the target and counts for nothing.
    pub fn observe(&mut self, outcome: &Outcome) -> Option<Health> {
        let (state, reached) = match outcome {
            Outcome::Inconclusive { .. } => return None,
            Outcome::Success => (TargetState::Healthy, self.success()),
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

    /// The verdict, with what the last failed probe saw if the target is not healthy.
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
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{HealthProtocol, Via};

    fn check(healthy_threshold: u32, unhealthy_threshold: u32) -> HealthCheck {
        HealthCheck {
            protocol: HealthProtocol::Tcp,
            port: None,
            via: Via::Address,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy_threshold,
            unhealthy_threshold,
        }
    }

    /// `s` success, `f` failure, `t` timeout, `?` inconclusive.
    fn outcome(letter: char) -> Outcome {
        match letter {
            's' => Outcome::Success,
            'f' => Outcome::failed("refused"),
            't' => Outcome::Failure { reason: Reason::Timeout, detail: "late".to_owned() },
            _ => Outcome::Inconclusive { detail: "no file descriptors".to_owned() },
        }
    }

    fn letter_of(state: TargetState) -> char {
        match state {
            TargetState::Initial => 'I',
            TargetState::Healthy => 'H',
            TargetState::Unhealthy => 'U',
            other => panic!("{other:?} is not a verdict"),
        }
    }

    /// The reference: looks at the whole history before each answer. The state changes when the
    /// last n conclusive outcomes since the last change (or the start) all speak against it.
    fn reference(check: &HealthCheck, start: char, history: &str) -> Vec<Option<char>> {
        let mut state = start;
        let mut since = String::new();
        let mut answers = Vec::new();
        for letter in history.chars() {
            if letter != '?' {
                since.push(if letter == 's' { 's' } else { 'f' });
            }
            let up = if state == 'I' { 1 } else { check.healthy_threshold };
            let good = "s".repeat(up as usize);
            let bad = "f".repeat(check.unhealthy_threshold as usize);
            let next = if letter == '?' {
                state
            } else if state != 'H' && since.ends_with(&good) {
                'H'
            } else if state != 'U' && since.ends_with(&bad) {
                'U'
            } else {
                state
            };
            answers.push((next != state).then_some(next));
            if next != state {
                since.clear();
                state = next;
            }
        }
        answers
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_machine_agrees_with_the_reference(
            healthy_threshold in 1_u32..6,
            unhealthy_threshold in 1_u32..6,
            start in 0_usize..3,
            history in "[sft?]{0,60}",
        ) {
            let check = check(healthy_threshold, unhealthy_threshold);
            let (resume, letter) = [
                (None, 'I'),
                (Some(TargetState::Healthy), 'H'),
                (Some(TargetState::Unhealthy), 'U'),
            ][start];
            let mut machine = Machine::new(&check, resume);
            let answers: Vec<_> = history
                .chars()
                .map(|each| machine.observe(&outcome(each)).map(|health| letter_of(health.state)))
                .collect();
            prop_assert_eq!(answers, reference(&check, letter, &history));
            let health = machine.health();
            prop_assert_eq!(health.reason.is_none(), health.state == TargetState::Healthy);
            prop_assert_eq!(health.detail.is_empty(), health.state == TargetState::Healthy);
        }
    }

    #[test]
    fn verdicts_by_example() {
        // (healthy threshold, unhealthy threshold, resume, outcomes, verdict at each outcome)
        let cases = [
            (3, 2, None, "s", "H"),
            (3, 2, None, "fs", ".H"),
            (3, 2, None, "ff", ".U"),
            (3, 2, Some(TargetState::Healthy), "fsfsff", ".....U"),
            (3, 2, Some(TargetState::Healthy), "f?f", "..U"),
            (3, 2, Some(TargetState::Unhealthy), "ssfssftsss", ".........H"),
            (3, 2, Some(TargetState::Unhealthy), "s?s?s", "....H"),
            (1, 1, Some(TargetState::Healthy), "fsf", "UHU"),
            (3, 2, Some(TargetState::Draining), "s", "H"),
            (3, 2, Some(TargetState::Unused), "ff", ".U"),
        ];
        for (up, down, resume, outcomes, expected) in cases {
            let mut machine = Machine::new(&check(up, down), resume);
            let verdicts: String = outcomes
                .chars()
                .map(|each| {
                    let verdict = machine.observe(&outcome(each));
                    verdict.map_or('.', |health| letter_of(health.state))
                })
                .collect();
            assert_eq!(verdicts, expected, "{up}/{down} from {resume:?}: {outcomes}");
        }
    }

    #[test]
    fn the_last_failure_shows_without_a_new_verdict() {
        let mut machine = Machine::new(&check(3, 2), None);
        machine.observe(&outcome('f'));
        assert_eq!(machine.health().reason, Some(Reason::InitialHealthChecking));
        assert_eq!(machine.health().detail, "refused");
        machine.observe(&outcome('f'));
        assert_eq!(machine.health().reason, Some(Reason::FailedHealthChecks));
        assert_eq!(machine.observe(&outcome('t')), None);
        assert_eq!(machine.health().reason, Some(Reason::Timeout));
        assert_eq!(machine.health().detail, "late");
    }

    #[test]
    fn another_check_keeps_the_verdict_and_forgets_the_count() {
        let mut machine = Machine::new(&check(3, 2), Some(TargetState::Healthy));
        machine.observe(&outcome('f'));
        machine.adopt(&check(3, 2));
        assert_eq!(machine.observe(&outcome('f')), None);
        assert_eq!(machine.health().state, TargetState::Healthy);
        assert!(machine.observe(&outcome('f')).is_some());
    }
}
