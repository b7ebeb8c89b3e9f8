//! PURE: rules 3, 4, 5 and 7 for scale-in: to the largest need of the window, if all policies
//! agree, all inputs are known, and samples cover the whole window.

use super::{
    tracking::targets,
    vote::{Floor, Vote},
};
use crate::{
    decision::{Because, Rejected, Rule},
    memory::{Interval, Memory},
    moment::Moment,
    sample::Sample,
    state::State,
    suspension::Process,
};

/// How many samples may be missing in a row before the window counts as not observed.
const SAMPLES_MISSING_MAX: u32 = 4;

/// Records what each policy needs now.
pub(super) fn record(state: &State, memory: &mut Memory, votes: &[Vote], now: Moment) {
    let window = state.settings.scale_in_window;
    memory.needs.retain(|name, _| votes.iter().any(|vote| vote.input.policy == *name));
    for vote in votes {
        let need = match vote.floor {
            Floor::Work(work) => work,
            Floor::Capacity(capacity) => f64::from(capacity),
            Floor::Abstain | Floor::Unknown => continue,
        };
        memory.needs.entry(vote.input.policy.clone()).or_default().record(need, now, window);
    }
    if votes.iter().all(|vote| vote.floor != Floor::Unknown) {
        let gap_max = state.settings.sample_interval.saturating_mul(SAMPLES_MISSING_MAX);
        let since = match memory.observed {
            Some(known) if now.since(&known.last) <= gap_max => known.since,
            _ => now,
        };
        memory.observed = Some(Interval { since, last: now });
    }
}

/// The capacity to lower to, and the rule that asks for it.
pub(super) struct Lower {
    pub(super) to: u32,
    pub(super) rule: Rule,
    pub(super) by: String,
}

/// The capacity that all agree on; `None` if nobody asks for less than `start`.
pub(super) fn agreed(
    state: &State,
    memory: &Memory,
    votes: &[Vote],
    scheduled: Option<&(String, u32)>,
    now: Moment,
    start: u32,
    rejected: &mut Vec<Rejected>,
) -> Option<Lower> {
    let scheduled = scheduled.filter(|(_, to)| *to < start);
    if scheduled.is_none() && !votes.iter().any(|vote| vote.proposes) {
        return None;
    }
    let window = state.settings.scale_in_window;
    let mut lower = match scheduled {
        Some((by, to)) => Lower { to: *to, rule: Rule::Schedule(by.clone()), by: by.clone() },
        None => Lower { to: 0, rule: Rule::Hold, by: String::new() },
    };
    for vote in votes {
        let floor = floor(state, memory, vote, now, start, rejected);
        if floor > lower.to || lower.by.is_empty() {
            let by = vote.input.policy.clone();
            lower = Lower { to: floor, rule: Rule::ScaleIn(by.clone()), by };
        }
    }
    let requested = memory.requested.largest(now, window).filter(|_| scheduled.is_none());
    if let Some(need) = requested.filter(|need| targets(*need) > lower.to) {
        let by = "request".to_owned();
        let because = Because::NeededBefore { by: by.clone(), need };
        rejected.push(Rejected { by: lower.by, capacity: lower.to, because });
        lower = Lower { to: targets(need), rule: Rule::Hold, by };
    }
    (lower.to < start).then_some(lower)
}

/// The least capacity that one policy agrees to.
fn floor(
    state: &State,
    memory: &Memory,
    vote: &Vote,
    now: Moment,
    start: u32,
    rejected: &mut Vec<Rejected>,
) -> u32 {
    let policy = &vote.input.policy;
    let needs = memory.needs.get(policy);
    let Some(need) = needs.and_then(|needs| needs.largest(now, state.settings.scale_in_window))
    else {
        return 0;
    };
    let floor = targets(need);
    let mut reject = |capacity, because| {
        rejected.push(Rejected { by: policy.clone(), capacity, because });
    };
    let asks = match vote.floor {
        Floor::Work(work) => targets(work),
        Floor::Capacity(capacity) => capacity,
        Floor::Abstain | Floor::Unknown => return floor,
    };
    if asks < floor.min(start) {
        reject(asks, Because::NeededBefore { by: policy.clone(), need });
    }
    let is_near = need >= f64::from(start) * (1.0 - state.settings.tolerance);
    if matches!(vote.floor, Floor::Work(_)) && is_near && floor < start {
        reject(floor, Because::Tolerance);
        return start;
    }
    floor
}

/// Everything that forbids scale-in now.
pub(super) fn obstacles(state: &State, memory: &Memory, votes: &[Vote]) -> Vec<Because> {
    let unknown = votes.iter().filter(|vote| vote.floor == Floor::Unknown);
    let mut obstacles: Vec<Because> = unknown
        .map(|vote| match vote.input.sample {
            Sample::Empty => Because::Empty(vote.input.policy.clone()),
            _ => Because::Failed(vote.input.policy.clone()),
        })
        .collect();
    let observed =
        memory.observed.map_or(std::time::Duration::ZERO, |known| known.last.since(&known.since));
    let left = state.settings.scale_in_window.saturating_sub(observed);
    if !votes.is_empty() && !left.is_zero() {
        obstacles.push(Because::WindowNotFull { left });
    }
    if state.fails_open {
        obstacles.push(Because::FailsOpen);
    }
    if state.is_suspended(Process::Terminate) {
        obstacles.push(Because::Suspended(Process::Terminate));
    }
    obstacles
}
