//! PURE: rule 8: which sick members to replace: a few at a time, and none if all are sick at once,
//! since then the health checks are suspected.

use crate::{
    decision::Alert,
    member::{Lifecycle, Member},
    moment::Moment,
    state::State,
    suspension::Process,
};

/// The members to replace, by name, those that have been in service longest first.
pub(super) fn sick_members(
    state: &State,
    now: Moment,
    may_launch: bool,
    alerts: &mut Vec<Alert>,
) -> Vec<String> {
    let is_sick = |member: &&Member| {
        member.lifecycle == Lifecycle::InService
            && !member.healthy
            && now.since(&member.since) >= state.settings.health_grace
    };
    let mut sick: Vec<&Member> = state.members.iter().filter(is_sick).collect();
    if sick.is_empty() {
        return Vec::new();
    }
    // A single member is all of its group, too, and nothing can be told from that.
    if state.in_service() > 1 && !state.members.iter().any(Member::is_healthy) {
        alerts.push(Alert::AllSick);
        return Vec::new();
    }
    if !may_launch || state.is_suspended(Process::ReplaceUnhealthy) {
        return Vec::new();
    }
    let leaving = state.members.iter().filter(|m| m.lifecycle.is_terminating() && !m.healthy);
    let percent = u64::from(state.settings.replacement.max_at_once_percent);
    let at_once = (u64::from(state.desired) * percent / 100).max(1);
    let left = usize::try_from(at_once).unwrap_or(usize::MAX).saturating_sub(leaving.count());
    sick.retain(|member| !member.protected);
    let age = |member: &Member| now.since(&member.since);
    sick.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| a.name.cmp(&b.name)));
    sick.into_iter().take(left).map(|member| member.name.clone()).collect()
}
