//! PURE: the life of a target: its state, whether flows may go to it, and until when.
//!
//! State that must survive the agent is in the target's map entry: its state, since when it takes
//! new flows, until when it drains. So a restart does not reset it. Who is in the ring is decided
//! in `ring_membership`, from what is said here.

use lb_common::{Mode, Target, target::TargetState};
use lb_config::{self as config, TargetGroup, TargetKey, Via};

use super::{Inputs, is_transition, previous_targets::place_of};
use crate::{Health, NextHop, NextHopState, Reason};

/// Steps in which the weight of a target rises during slow start.
pub(super) const RAMP_STEPS: u32 = 20;

/// The report of one target.
pub(super) struct Verdict<'inputs> {
    pub(super) state: TargetState,
    pub(super) reason: Option<Reason>,
    pub(super) detail: String,
    /// Its next hop, if it has one that its mode can use.
    pub(super) next_hop: Option<&'inputs NextHop>,
    /// Whether it may take new flows.
    pub(super) candidate: Candidate,
    /// Whether its existing flows may go there, though it takes no new ones.
    pub(super) keeps: bool,
    /// Second of the monotonic clock at which that ends; 0 is no such second.
    pub(super) until: u32,
}

/// Whether a target may take new flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    /// It is in service.
    InService,
    /// It fails its health checks: only when too few are in service.
    FailOpen,
    /// It waits for its first health check.
    Initial,
    /// It is drained, or no listener uses its group.
    Out,
    /// It has weight 0.
    Weightless,
    /// Packets cannot reach it.
    Unreachable,
    /// The kernel is looking up its next hop.
    Resolving,
}

/// Why a target has no next hop.
enum NoNextHop {
    /// The kernel has not answered yet.
    Pending(String),
    /// Packets cannot reach it.
    Unusable(String),
}

/// One target, to be judged.
#[derive(Clone, Copy)]
pub(super) struct Case<'plan, 'inputs> {
    pub(super) inputs: &'plan Inputs<'inputs>,
    pub(super) group: &'plan TargetGroup,
    pub(super) target: &'plan config::Target,
    pub(super) key: &'plan TargetKey,
    /// What its health checks say.
    pub(super) health: Option<&'inputs Health>,
    /// Its entry so far.
    pub(super) previous: Option<&'plan Target>,
}

impl<'inputs> Case<'_, 'inputs> {
    /// Judges a target of the configuration, in a group that listeners use or do not use.
    pub(super) fn judge(&self, used: bool) -> Verdict<'inputs> {
        if self.inputs.drained.contains(self.key) {
            return self.drained();
        }
        if !used {
            return self.unused();
        }
        let (state, reason, detail) = self.checked();
        let mut verdict = Verdict {
            state,
            reason,
            detail,
            next_hop: None,
            candidate: match state {
                _ if self.target.weight == 0 => Candidate::Weightless,
                TargetState::Healthy => Candidate::InService,
                TargetState::Unhealthy => Candidate::FailOpen,
                TargetState::Initial => Candidate::Initial,
                TargetState::Draining | TargetState::Unused => Candidate::Out,
            },
            // A target that is added again while it finishes its flows keeps them until there is a
            // verdict.
            keeps: match state {
                TargetState::Initial => self.previous.is_some_and(Target::is_routable),
                state => state == TargetState::Healthy,
            },
            until: 0,
        };
        if state == TargetState::Unhealthy {
            verdict.until = self.unhealthy_until();
            verdict.keeps = is_ahead(verdict.until, self.inputs.now);
        }
        match self.next_hop() {
            Ok(next_hop) => verdict.next_hop = Some(next_hop),
            Err(NoNextHop::Pending(why)) => {
                if matches!(verdict.candidate, Candidate::InService | Candidate::FailOpen) {
                    verdict.candidate = Candidate::Resolving;
                }
                if verdict.detail.is_empty() {
                    verdict.detail = format!("takes no traffic yet: {why}");
                }
            }
            Err(NoNextHop::Unusable(why)) => {
                verdict.reason = Some(Reason::IpUnusable);
                verdict.detail = why;
                verdict.candidate = Candidate::Unreachable;
            }
        }
        verdict
    }

    /// What the health checks say.
    fn checked(&self) -> (TargetState, Option<Reason>, String) {
        match self.health {
            Some(health) => (health.state, health.reason, health.detail.clone()),
            None => (
                TargetState::Initial,
                Some(Reason::InitialHealthChecking),
                "its first health check has not finished".to_owned(),
            ),
        }
    }

    /// Judges a target of a group that no listener forwards to. It finishes its flows from the time
    /// when one did. It is still checked, so that a listener that switches to the group finds
    /// targets in service.
    fn unused(&self) -> Verdict<'inputs> {
        if let Some(draining) = self.judge_leaving() {
            return draining;
        }
        let nobody = format!("no listener forwards to target group {}", self.group.name);
        if self.health.is_none() && self.group.health_check.via == Via::Tunnel {
            return self.out(TargetState::Unused, Reason::NotInUse, nobody);
        }
        let (state, reason, detail) = self.checked();
        let detail = if detail.is_empty() { nobody } else { format!("{nobody}; {detail}") };
        Verdict { reason, ..self.out(state, Reason::NotInUse, detail) }
    }

    /// Judges a target that finishes its flows: it has left the configuration, or no listener
    /// forwards to its group any more. `None` when nothing keeps it.
    pub(super) fn judge_leaving(&self) -> Option<Verdict<'inputs>> {
        let before = self.previous?;
        let had_flows = before.is_routable() || is_draining(before);
        if !had_flows || self.inputs.cut.contains(self.key) {
            return None;
        }
        let verdict = self.drained();
        verdict.keeps.then_some(verdict)
    }

    /// It finishes its flows until its deregistration delay is over.
    fn drained(&self) -> Verdict<'inputs> {
        let now = self.inputs.now;
        let until = match self.previous {
            Some(before) if is_draining(before) && before.until != 0 => {
                extended(before, self.inputs)
            }
            _ => later(now, self.group.life.deregistration_delay.as_secs()),
        };
        let dead = self.health.is_some_and(|health| health.state == TargetState::Unhealthy);
        if !is_ahead(until, now) {
            let detail = "its deregistration delay is over; `xelb target undrain` puts it back \
                          into service";
            let over = self.out(TargetState::Unused, Reason::NotInUse, detail.to_owned());
            return Verdict { until, ..over };
        }
        let detail = match self.health {
            Some(health) if dead => format!("unhealthy: {}", health.detail),
            _ => String::new(),
        };
        let draining = self.out(TargetState::Draining, Reason::DeregistrationInProgress, detail);
        Verdict { keeps: !dead, until, ..draining }
    }

    fn out(&self, state: TargetState, reason: Reason, detail: String) -> Verdict<'inputs> {
        let (candidate, keeps, until) = (Candidate::Out, false, 0);
        Verdict {
            state,
            reason: Some(reason),
            detail,
            next_hop: self.next_hop().ok(),
            candidate,
            keeps,
            until,
        }
    }

    /// Until when an unhealthy target keeps its flows: counted from when it became unhealthy.
    fn unhealthy_until(&self) -> u32 {
        let interval = self.group.life.unhealthy_draining_interval.as_secs();
        match self.previous {
            _ if interval == 0 => 0,
            Some(before) if before.state == TargetState::Unhealthy as u8 => before.until,
            Some(before) if before.is_routable() => later(self.inputs.now, interval),
            _ => 0,
        }
    }

    /// Its next hop, or why it has none.
    fn next_hop(&self) -> Result<&'inputs NextHop, NoNextHop> {
        let address = self.target.address;
        match self.inputs.next_hops.get(&address) {
            None | Some(NextHopState::Asking(_)) => {
                let why = format!("the next hop of {address} is being looked up");
                Err(NoNextHop::Pending(why))
            }
            Some(NextHopState::Unresolved(why)) => Err(NoNextHop::Unusable(why.clone())),
            Some(NextHopState::Resolved(next_hop))
                if self.group.forwarding == Mode::L2dsr && !next_hop.on_link =>
            {
                Err(NoNextHop::Unusable(format!(
                    "{address} is behind a router, and l2dsr reaches only targets on the same \
                     layer 2 network: use forwarding ipip, or connect this host to the network of \
                     the target"
                )))
            }
            Some(NextHopState::Resolved(next_hop)) => Ok(next_hop),
        }
    }
}

/// Seconds by which draining is extended at a time while its server is in service elsewhere.
const EXTENSION: u64 = 60;

/// Until when a target drains. A draining target whose server is in service in another group is
/// extended as long as a listener is in transition between groups: remembered flows name it, and
/// their server works.
pub(super) fn extended(before: &Target, inputs: &Inputs<'_>) -> u32 {
    if is_ahead(before.until, inputs.now) || !before.is_routable() {
        return before.until;
    }
    let mut groups = inputs.previous.groups.values();
    let is_same = |other: &Target| {
        other.is_accepting()
            && other.group != before.group
            && other.mode == before.mode
            && place_of(other) == place_of(before)
    };
    if groups.any(|group| is_transition(&group.name))
        && inputs.previous.targets.values().any(is_same)
    {
        return later(inputs.now, EXTENSION);
    }
    before.until
}

/// The state of a target as its map entry has it: one whose delay is over is still drained.
pub(super) const fn kept_state(verdict: &Verdict<'_>) -> TargetState {
    match (verdict.state, verdict.until) {
        (TargetState::Unused, 0) => TargetState::Unused,
        (TargetState::Unused, _) => TargetState::Draining,
        (state, _) => state,
    }
}

pub(super) fn is_draining(entry: &Target) -> bool {
    entry.state == TargetState::Draining as u8
}

/// A second of the monotonic clock, so many seconds from now; never 0.
pub(super) fn later(now: u32, seconds: u64) -> u32 {
    now.wrapping_add(u32::try_from(seconds).unwrap_or(u32::MAX / 4)).max(1)
}

/// Whether a second is still to come; 0 never is. Seconds are compared modulo 2^32.
pub(super) const fn is_ahead(second: u32, now: u32) -> bool {
    second != 0 && second != now && second.wrapping_sub(now) <= u32::MAX / 2
}

/// The present step of slow start of a target that takes flows since a given second, and the time
/// of the next one; `None` after the last one.
pub(super) fn ramp(since: u32, now: u32, slow_start: u64) -> Option<(u32, u32)> {
    let duration = u32::try_from(slow_start).ok().filter(|duration| *duration > 0)?;
    let elapsed = now.wrapping_sub(since);
    if elapsed >= duration {
        return None;
    }
    let step = elapsed * RAMP_STEPS / duration;
    let next = ((step + 1) * duration).div_ceil(RAMP_STEPS);
    Some((step + 1, since.wrapping_add(next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_compared_modulo_their_range() {
        for (second, now, ahead) in [
            (0, 0, false),
            (0, 5, false),
            (5, 5, false),
            (6, 5, true),
            (5, 6, false),
            (3, u32::MAX - 3, true),
            (u32::MAX - 3, 3, false),
        ] {
            assert_eq!(is_ahead(second, now), ahead, "{second} at {now}");
        }
    }

    #[test]
    fn slow_start_rises_in_steps_to_the_whole_weight() {
        for (elapsed, expected) in [
            (0, Some((1, 102))),
            (1, Some((1, 102))),
            (2, Some((2, 103))),
            (15, Some((11, 117))),
            (29, Some((20, 130))),
            (30, None),
            (1000, None),
        ] {
            assert_eq!(ramp(100, 100 + elapsed, 30), expected, "after {elapsed} s");
        }
        assert_eq!(ramp(100, 100, 0), None);
        assert_eq!(ramp(u32::MAX, 4, 100), Some((2, 9)), "the clock wraps");
    }
}
