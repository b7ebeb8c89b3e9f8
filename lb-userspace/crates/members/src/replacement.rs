//! PURE: replacing unhealthy members: a few at a time, and none if all are unhealthy at once. Which
//! members are unhealthy for long enough is decided by `lb_scale::decide`.

use lb_scale::Moment;

use crate::{
    group::Group,
    output::EventKind,
    record::{Cause, Phase, Record},
    settings::share,
};

impl Group {
    /// Ends the unhealthy members that the decision names. Others are launched in their place,
    /// since capacity is missing then. An unhealthy member is no healthy one less.
    pub(crate) fn replace_unhealthy(&mut self, now: Moment) {
        let Some(demand) = self.demand.as_mut() else { return };
        let (names, desired) = (std::mem::take(&mut demand.replace), demand.desired);
        let in_service = self.count(|record| record.phase == Phase::InService);
        let all_unhealthy = !names.is_empty() && in_service > 1 && self.healthy_in_service() == 0;
        if all_unhealthy && !self.all_unhealthy {
            self.event("", EventKind::AllUnhealthy, now);
        }
        self.all_unhealthy = all_unhealthy;
        if all_unhealthy {
            return;
        }
        let leaving = |record: &Record| record.cause() == Some(Cause::Unhealthy);
        let at_once = share(desired, self.settings.max_at_once_percent);
        let mut left = at_once.saturating_sub(self.count(leaving));
        for name in names {
            let Some(record) = self.ledger.members.get(&name) else { continue };
            let is_sick = record.phase == Phase::InService
                && self.known.get(&name).is_some_and(|known| known.healthy == Some(false));
            if is_sick && !record.protected && left > 0 {
                left -= 1;
                self.terminate(&name, Cause::Unhealthy, now);
            }
        }
    }
}
