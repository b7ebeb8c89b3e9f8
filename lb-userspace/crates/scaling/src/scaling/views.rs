//! Scaled groups for people and programs.

use lb_members::EventKind;
use lb_scale::{Lifecycle, explain};

use super::{Scaling, member_view, running::Running};
use crate::{
    command::process_name,
    declared::Declared,
    view::{ActivityView, MemberView, ScaledGroupView, ScalingView},
};

impl Scaling {
    /// All scaled groups.
    #[must_use]
    pub fn groups(&self) -> Vec<ScaledGroupView> {
        self.groups.values().map(Running::view).collect()
    }

    /// All members, group by group.
    #[must_use]
    pub fn members(&self) -> Vec<MemberView> {
        self.groups.values().flat_map(Running::members).collect()
    }

    /// All of one group.
    #[must_use]
    pub fn describe(&self, group: &str) -> Option<ScalingView> {
        let running = self.groups.get(group)?;
        let group = &running.group;
        let activities = group.history.activities().rev();
        let of = |recorded| ActivityView::of(&group.name, recorded);
        Some(ScalingView {
            group: running.view(),
            members: running.members().collect(),
            explanation: group.decision.as_ref().map(explain).unwrap_or_default(),
            decisions: group.history.decisions().rev().map(explain).collect(),
            activities: activities.map(of).collect(),
            loads: group.history.loads().minutes().collect(),
        })
    }
}

impl Running {
    fn view(&self) -> ScaledGroupView {
        let group = &self.group;
        let ledger = group.members.ledger();
        let warm = ledger.members.values().filter(|record| record.phase.is_warm()).count();
        let suspended = &group.state.suspended;
        ScaledGroupView {
            name: group.name.to_string(),
            driver: group.means.driver.name().to_owned(),
            min: group.state.limits.min,
            max: group.state.limits.max,
            desired: group.state.desired,
            in_service: group.count(|state| state == Lifecycle::InService),
            pending: group.count(Lifecycle::is_pending),
            terminating: group.count(Lifecycle::is_terminating),
            standby: group.count(|state| state == Lifecycle::Standby),
            warm: u32::try_from(warm).unwrap_or(u32::MAX),
            suspended: suspended.iter().map(|one| process_name(*one).to_owned()).collect(),
            posted_metrics: self.posted_metrics().map(str::to_owned).collect(),
            refreshing: ledger.refresh.is_some(),
            retiring: group.retires,
            decisions: group.decisions,
            failed_calls: group.failed_calls,
        }
    }

    fn members(&self) -> impl Iterator<Item = MemberView> {
        let names = self.group.members.ledger().members.keys();
        let scaling = self.declared.as_ref().and_then(Declared::scaling);
        let tags = scaling.map(|scaling| scaling.tags.clone()).unwrap_or_default();
        let members = names.filter_map(|name| member_view(&self.group, name));
        members.map(move |member| MemberView { tags: tags.clone(), ..member })
    }
}

/// What happened, for people.
pub(super) fn text(kind: &EventKind) -> String {
    match kind {
        EventKind::InService => "takes traffic".to_owned(),
        EventKind::LaunchFailed(error) | EventKind::LaunchAbandoned(error) => {
            format!("its launch failed: {error}")
        }
        EventKind::CallFailed(error) => format!("a call failed and is repeated: {error}"),
        EventKind::LaunchingPauses(error) => format!("launching pauses: {error}"),
        EventKind::LaunchingResumes => "launching goes on".to_owned(),
        EventKind::Ends(cause) => format!("is ended: {cause}"),
        EventKind::DrainUndone => "is put back while it drains".to_owned(),
        EventKind::DrainCut(Some(flows)) => format!("its drain timed out with {flows} flows left"),
        EventKind::DrainCut(None) => {
            "its drain timed out; how many flows were left is not known".to_owned()
        }
        EventKind::HookTimedOut => "its hook did not end in time".to_owned(),
        EventKind::Adopted => {
            "is adopted: the driver lists it, and nothing is stored of it".to_owned()
        }
        EventKind::ListDoubted => {
            "the driver does not list it, and its health checks pass: it is kept".to_owned()
        }
        EventKind::AddressChanged(address) => format!("its address is {address} now"),
        EventKind::AllUnhealthy => {
            "all members are unhealthy at once: the health checks are suspected, and none is \
             replaced"
                .to_owned()
        }
        EventKind::Ended => "has ended".to_owned(),
        EventKind::RefreshStarted => "a refresh began".to_owned(),
        EventKind::RefreshPaused(percent) => format!("the refresh pauses at {percent} %"),
        EventKind::RefreshRollsBack => "the refresh goes back to the template before".to_owned(),
        EventKind::RefreshEnded(true) => "the refresh has ended".to_owned(),
        EventKind::RefreshEnded(false) => "the refresh was stopped".to_owned(),
    }
}
