//! PURE: rule 8: which unhealthy members to replace: a few at a time, and none if all are unhealthy
//! at once, since then the health checks are suspected.

use crate::{
    decision::Alert,
    member::{Lifecycle, Member},
    moment::Moment,
    state::State,
    suspension::Process,
};

/// The members to replace, by name, those that have been in service longest first.
pub(super) fn unhealthy_members(
    state: &State,
    now: Moment,
    may_launch: bool,
    alerts: &mut Vec<Alert>,
) -> Vec<String> {
    let is_unhealthy = |member: &&Member| {
        member.lifecycle == Lifecycle::InService
            && !member.healthy
            && now.since(&member.since) >= state.settings.health_grace
    };
    let mut unhealthy: Vec<&Member> = state.members.iter().filter(is_unhealthy).collect();
    if unhealthy.is_empty() {
        return Vec::new();
    }
    // A single member is all of its group, too, and nothing can be told from that.
    if state.in_service() > 1 && !state.members.iter().any(Member::is_healthy) {
        alerts.push(Alert::AllUnhealthy);
        return Vec::new();
    }
    if !may_launch || state.is_suspended(Process::ReplaceUnhealthy) {
        return Vec::new();
    }
    let leaving = state.members.iter().filter(|m| m.lifecycle.is_terminating() && !m.healthy);
    let percent = u64::from(state.settings.replacement.max_at_once_percent);
    let at_once = (u64::from(state.desired) * percent / 100).max(1);
    let left = usize::try_from(at_once).unwrap_or(usize::MAX).saturating_sub(leaving.count());
    unhealthy.retain(|member| !member.protected);
    let age = |member: &Member| now.since(&member.since);
    unhealthy.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| a.name.cmp(&b.name)));
    unhealthy.into_iter().take(left).map(|member| member.name.clone()).collect()
}
