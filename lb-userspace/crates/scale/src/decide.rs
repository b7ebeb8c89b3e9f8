//! PURE: how many targets a group should have now. One function, shared by the agent, the simulator
//! and `replay`; docs/decisions/scaling.md explains the rules and why they are so.
//!
//! It deliberately neither starts nor ends members: it says what is desired.

mod breakers;
mod rate;
mod replace;
mod scale_in;
mod scale_out;
mod schedule;
mod simple;
mod step;
mod tracking;
mod vote;
mod votes;

pub use breakers::GROWTH_DEADLINE_MIN;
pub use schedule::SCHEDULE_LATE_MAX;

use scale_in::Lower;
use scale_out::Raise;
pub(crate) use tracking::targets;
use vote::Vote;

use crate::{
    decision::{Alert, Because, Decision, Rejected, Rule},
    limits::Limits,
    memory::Memory,
    moment::Moment,
    sample::{Sample, Samples},
    state::State,
    suspension::Process,
};

/// What a decision is made from, and what it has come to so far.
struct Draft<'state> {
    state: &'state State,
    now: Moment,
    memory: Memory,
    limits: Limits,
    /// The capacity within the limits, before policies.
    start: u32,
    rejected: Vec<Rejected>,
    alerts: Vec<Alert>,
}

/// Decides how many targets a group should have.
///
/// The same state, samples and time give the same decision. The caller stores the decision, and
/// then calls [`State::apply`].
pub fn decide(state: &State, samples: &Samples, now: Moment) -> Decision {
    let mut memory = state.memory.clone();
    breakers::observe(state, &mut memory, now);
    let due = schedule::due(state, &mut memory, now);
    // Limits come before any metric.
    let start = due.limits.clamp(state.desired);
    if let Some((_, desired)) = &due.desired {
        memory.request(*desired, now, state.settings.scale_in_window);
    }
    let votes = if state.is_suspended(Process::AlarmNotification) {
        Vec::new()
    } else {
        votes::all(state, &memory, samples, now, start)
    };
    scale_in::record(state, &mut memory, &votes, now);
    let alerts = votes.iter().filter_map(failed_input).collect();
    let rejected = Vec::new();
    let mut draft = Draft { state, now, memory, limits: due.limits, start, rejected, alerts };
    let (desired, rule) = draft.choose(&votes, due.desired.as_ref());
    draft.finish(votes, desired, rule)
}

fn failed_input(vote: &Vote) -> Option<Alert> {
    let Sample::Error(error) = &vote.input.sample else { return None };
    Some(Alert::InputFailed { policy: vote.input.policy.clone(), error: error.clone() })
}

impl Draft<'_> {
    /// The capacity, and the rule that won.
    fn choose(&mut self, votes: &[Vote], scheduled: Option<&(String, u32)>) -> (u32, Rule) {
        let otherwise = if self.start == self.state.desired { Rule::Hold } else { Rule::Limits };
        if let Some(raise) = scale_out::largest(votes, scheduled, self.start, &mut self.rejected) {
            let (by, rule) = (raise.by.clone(), raise.rule.clone());
            let to = self.raise(raise);
            return if to > self.start {
                self.start_cooldown(votes, &by);
                (to, rule)
            } else {
                (self.start, otherwise)
            };
        }
        let lower = scale_in::agreed(
            self.state,
            &self.memory,
            votes,
            scheduled,
            self.now,
            self.start,
            &mut self.rejected,
        );
        let Some(lower) = lower else { return (self.start, otherwise) };
        let (by, rule) = (lower.by.clone(), lower.rule.clone());
        let to = self.lower(lower, votes);
        if to < self.start {
            self.start_cooldown(votes, &by);
            (to, rule)
        } else {
            (self.start, otherwise)
        }
    }

    /// How far a raise is carried out: breakers, suspensions, rates, limits.
    fn raise(&mut self, raise: Raise) -> u32 {
        let Raise { to, by, .. } = raise;
        let suspended = Because::Suspended(Process::Launch);
        let obstacle = if self.state.is_suspended(Process::Launch) {
            Some(suspended)
        } else {
            breakers::against_growth(self.state, &self.memory, self.now)
        };
        if let Some(because) = obstacle {
            self.rejected.push(Rejected { by, capacity: to, because });
            return self.start;
        }
        let rate = self.state.settings.scale_out_rate;
        self.bounded(by, to, rate::limit(rate, &self.memory, self.now, self.start, to))
    }

    /// How far a lowering is carried out: obstacles, rates, limits.
    fn lower(&mut self, lower: Lower, votes: &[Vote]) -> u32 {
        let Lower { to, by, .. } = lower;
        let obstacles = scale_in::obstacles(self.state, &self.memory, votes);
        if !obstacles.is_empty() {
            let reject = |because| Rejected { by: by.clone(), capacity: to, because };
            self.rejected.extend(obstacles.into_iter().map(reject));
            return self.start;
        }
        let rate = self.state.settings.scale_in_rate;
        self.bounded(by, to, rate::limit(rate, &self.memory, self.now, self.start, to))
    }

    /// The capacity within rate and limits; what exceeds them is rejected.
    fn bounded(&mut self, by: String, wanted: u32, by_rate: u32) -> u32 {
        let to = self.limits.clamp(by_rate);
        if to != wanted {
            let because = if to == by_rate { Because::Rate } else { Because::Limits(self.limits) };
            self.rejected.push(Rejected { by, capacity: wanted, because });
        }
        to
    }

    fn start_cooldown(&mut self, votes: &[Vote], by: &str) {
        let winner = votes.iter().find(|vote| vote.input.policy == by);
        if let Some(length) = winner.and_then(|vote| vote.cools_down) {
            self.memory.cooldown = Some((self.now, length));
        }
    }

    fn finish(mut self, votes: Vec<Vote>, desired: u32, rule: Rule) -> Decision {
        let Self { state, now, .. } = self;
        let obstacle = breakers::against_growth(state, &self.memory, now);
        if let Some(because) = &obstacle {
            self.alerts.extend(breakers::alert(because, &self.memory));
        }
        let launch = !matches!(obstacle, Some(Because::LaunchesFail { .. }))
            && !state.is_suspended(Process::Launch);
        if desired > state.desired {
            breakers::expect_growth(state, &mut self.memory, now);
        }
        rate::record(&mut self.memory, &state.settings, now, state.desired, desired);
        Decision {
            at: now,
            from: state.desired,
            desired,
            limits: self.limits,
            rule,
            inputs: votes.into_iter().map(|vote| vote.input).collect(),
            rejected: self.rejected,
            replace: replace::unhealthy_members(state, now, launch, &mut self.alerts),
            alerts: self.alerts,
            launch,
            memory: self.memory,
        }
    }
}

#[cfg(test)]
mod tests;
