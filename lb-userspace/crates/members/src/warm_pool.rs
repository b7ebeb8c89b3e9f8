//! PURE: members that are launched before they are needed. They are no capacity until they are
//! taken.

use lb_scale::Moment;

use crate::{
    group::Group,
    launches::Launching,
    record::{Cause, Phase},
};

impl Group {
    /// Keeps the warm pool at its size. Capacity that is missing comes first.
    pub(crate) fn fill_warm_pool(&mut self, now: Moment) {
        let Some(demand) = &self.demand else { return };
        let wanted = self.settings.warm_pool.map_or(0, |pool| pool.size);
        let capacity = self.count(|record| record.phase.is_capacity());
        let count = self.count(|record| record.phase.is_warm());
        if count > wanted {
            let mut surplus = self.names(|record| record.phase.is_warm());
            surplus.truncate(usize::try_from(count - wanted).unwrap_or(usize::MAX));
            for name in surplus {
                self.terminate(&name, Cause::WarmPool, now);
            }
        } else if capacity >= demand.desired && self.launching(now) == Launching::Free {
            for _ in count..wanted {
                self.intend(Phase::WarmLaunching, "the warm pool is not full", now);
            }
        }
        // Warm members of an old template are not worth starting.
        let template = self.launch_template().to_owned();
        let outdated =
            self.names(|record| record.phase == Phase::Warm && record.template != template);
        for name in outdated {
            self.terminate(&name, Cause::Refresh, now);
        }
    }

    /// Takes members out of the pool. The rest is still missing.
    pub(crate) fn take_from_warm_pool(&mut self, missing: u32, now: Moment) -> u32 {
        let template = self.launch_template().to_owned();
        let mut ready =
            self.names(|record| record.phase == Phase::Warm && record.template == template);
        ready.truncate(usize::try_from(missing).unwrap_or(usize::MAX));
        let taken = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        for name in ready {
            self.begin_launch(&name, "it leaves the warm pool", now);
            self.enter(&name, Phase::Launching, now);
            if let Some(record) = self.record_mut(&name) {
                record.launched = now;
                record.address = None;
            }
        }
        missing - taken
    }
}
