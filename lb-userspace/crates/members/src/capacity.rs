//! PURE: towards the desired capacity: drains are undone first, then members of the warm pool come,
//! and only then are members launched. Which members leave is in `victims`.

use lb_scale::{Moment, Outcome};

use crate::{
    group::Group,
    launches::Launching,
    output::{Action, EventKind},
    record::{Cause, Phase, Record},
};

impl Group {
    /// Launches or ends members, so that there are as many as desired.
    pub(crate) fn follow_demand(&mut self, now: Moment) {
        let Some(demand) = self.demand.clone() else { return };
        self.drop_outdated_launches(now);
        let target = demand.desired.saturating_add(self.refresh_surge());
        let capacity = self.count(|record| record.phase.is_capacity());
        if capacity < target {
            let missing = self.undo_drains(target - capacity, now);
            let missing = self.take_from_warm_pool(missing, now);
            self.launch_missing(missing, now);
        } else if capacity > target && demand.scale_in {
            for name in self.victims(capacity - target) {
                self.terminate(&name, Cause::ScaleIn, now);
            }
        }
    }

    /// Launches that have not succeeded yet begin anew if the template has changed.
    fn drop_outdated_launches(&mut self, now: Moment) {
        let template = self.launch_template().to_owned();
        let is_outdated = |record: &Record| {
            matches!(record.phase, Phase::Launching | Phase::WarmLaunching)
                && !record.presence.is_certain()
                && record.template != template
        };
        for name in self.names(is_outdated) {
            self.terminate(&name, Cause::Refresh, now);
        }
    }

    /// Puts members back that drain only since fewer were desired. The rest is still missing.
    fn undo_drains(&mut self, missing: u32, now: Moment) -> u32 {
        let mut drained = self.names(|record| {
            record.phase == Phase::Draining && record.cause() == Some(Cause::ScaleIn)
        });
        // The last one to drain has the most of its connections left.
        drained.sort_by_key(|name| {
            self.ledger.members.get(name).map(|record| now.since(&record.since))
        });
        let mut missing = missing;
        for name in drained {
            if missing == 0 {
                break;
            }
            missing -= 1;
            let phase = if self.is_healthy(&name) { Phase::InService } else { Phase::FirstHealthy };
            self.act(Action::Undrain { name: name.clone() });
            self.event(&name, EventKind::DrainUndone, now);
            self.cancel_termination(&name, now);
            self.enter(&name, phase, now);
        }
        missing
    }

    fn launch_missing(&mut self, missing: u32, now: Moment) {
        let count = match self.launching(now) {
            Launching::Paused => 0,
            Launching::OneAtATime => missing.min(u32::from(self.trials() == 0)),
            Launching::Free => missing,
        };
        for _ in 0..count {
            self.intend(Phase::Launching, "members are missing", now);
        }
    }

    fn cancel_termination(&mut self, name: &str, now: Moment) {
        let start = self.ledger.members.get(name).and_then(|record| record.ends);
        let start = start.map_or(now, |(_, since)| since);
        self.finish_termination(name, start, Outcome::Cancelled, now);
        if let Some(record) = self.record_mut(name) {
            record.ends = None;
        }
    }
}
