//! PURE: rule 5: schedules set limits and desired capacity at their time of day.
//!
//! A schedule is due if its time lies between the last decision and now. That interval is the
//! shorter of what both clocks measure, and one hour at most: a wall clock that is set forward
//! makes nothing due, and one that is set back makes nothing due twice. What is due while schedules
//! are suspended is not made up for.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    limits::Limits,
    memory::Memory,
    moment::Moment,
    policy::{PolicyKind, Schedule},
    state::State,
    suspension::Process,
};

/// How long after its time a schedule is still carried out.
pub const SCHEDULE_LATE_MAX: Duration = Duration::from_hours(1);

/// What the schedules set that are due.
pub(super) struct Due {
    pub(super) limits: Limits,
    /// The capacity that was asked for, and the policy that asked.
    pub(super) desired: Option<(String, u32)>,
}

/// Carries out the schedules that are due, in the order of their times, and notes it in `memory`.
pub(super) fn due(state: &State, memory: &mut Memory, now: Moment) -> Due {
    let mut result = Due { limits: state.limits, desired: None };
    let looked = memory.schedules_until.replace(now);
    let Some(looked) = looked else { return result };
    if state.is_suspended(Process::ScheduledActions) {
        return result;
    }
    for (time, name, schedule) in occurrences(state, memory, looked, now) {
        let Limits { min, max } = result.limits;
        result.limits =
            Limits { min: schedule.min.unwrap_or(min), max: schedule.max.unwrap_or(max) };
        if let Some(desired) = schedule.desired {
            result.desired = Some((name.to_owned(), result.limits.clamp(desired)));
        }
        memory.schedules_done.insert(name.to_owned(), time);
    }
    result
}

/// The latest occurrence of each schedule since `looked`, by time and then by place in the
/// settings.
fn occurrences<'state>(
    state: &'state State,
    memory: &Memory,
    looked: Moment,
    now: Moment,
) -> Vec<(Timestamp, &'state str, &'state Schedule)> {
    let elapsed = now.since(&looked).min(now.wall_since(&looked)).min(SCHEDULE_LATE_MAX);
    let Ok(after) = now.wall.checked_sub(elapsed) else { return Vec::new() };
    let occurrence = |(policy, time): (&'state crate::policy::Policy, Option<_>)| {
        let PolicyKind::Schedule(schedule) = &policy.kind else { return None };
        let time: &crate::validate::ScheduleTime = time?;
        let done = memory.schedules_done.get(&policy.name);
        let after = done.map_or(after, |done| after.max(*done));
        let instant = time.cron.latest(&time.zone, after, now.wall)?;
        Some((instant, policy.name.as_str(), schedule))
    };
    let mut found: Vec<_> = state.settings.timed_policies().filter_map(occurrence).collect();
    found.sort_by_key(|(instant, ..)| *instant);
    found
}
