//! PURE: rule 8: when not to launch more: after repeated failed launches, and while members that
//! were asked for do not come into service.

use std::time::Duration;

use crate::{
    decision::{Alert, Because},
    memory::{Growth, Memory},
    moment::Moment,
    state::State,
};

/// How long members that were asked for may take at least, before no more are asked for.
pub const GROWTH_DEADLINE_MIN: Duration = Duration::from_mins(5);

/// Why capacity may not grow now.
pub(super) fn against_growth(state: &State, memory: &Memory, now: Moment) -> Option<Because> {
    if let Some(retry_in) = memory.launch_pause(now) {
        return Some(Because::LaunchesFail { retry_in });
    }
    let growth = memory.growth?;
    let waited = now.since(&growth.since);
    let deadline = GROWTH_DEADLINE_MIN.max(state.settings.warmup.saturating_mul(3));
    (waited >= deadline).then_some(Because::NotGrowing { waited })
}

/// What of it people should look at.
pub(super) fn alert(because: &Because, memory: &Memory) -> Option<Alert> {
    match *because {
        Because::LaunchesFail { retry_in } => {
            let failures = memory.launch_failures.map_or(0, |failures| failures.count);
            Some(Alert::LaunchesFail { failures, retry_in })
        }
        Because::NotGrowing { waited } => Some(Alert::NotGrowing { waited }),
        _ => None,
    }
}

/// Forgets the growth that has happened: each member that comes into service starts the time anew.
pub(super) fn observe(state: &State, memory: &mut Memory, now: Moment) {
    let in_service = state.in_service();
    memory.growth = match memory.growth {
        _ if in_service >= state.desired => None,
        Some(growth) if in_service > growth.in_service => Some(Growth { since: now, in_service }),
        // Members that are lost meanwhile have to come back first.
        other => other,
    };
}

/// Waits for growth from now on, if it does not already.
pub(super) fn expect_growth(state: &State, memory: &mut Memory, now: Moment) {
    let in_service = state.in_service();
    memory.growth.get_or_insert(Growth { since: now, in_service });
}
