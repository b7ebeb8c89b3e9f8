//! PURE: an instance refresh: members of other templates are exchanged, a few at a time, with
//! checkpoints, and back again if new members fail.

use lb_scale::{LAUNCH_FAILURES_MAX, Moment};

use crate::{
    group::Group,
    ledger::{Pinned, Refresh},
    output::EventKind,
    record::{Cause, Phase, Record},
    settings::{RefreshOptions, share},
};

impl Group {
    /// Begins to exchange members of other templates than that of the settings.
    pub(crate) fn start_refresh(&mut self, options: RefreshOptions, now: Moment) {
        self.ledger.pinned = None;
        let template = self.settings.template.clone();
        let old =
            |record: &&Record| record.phase == Phase::InService && record.template != template;
        let Some(from) =
            self.ledger.members.values().find(old).map(|record| record.template.clone())
        else {
            return;
        };
        self.ledger.refresh = Some(Refresh {
            options,
            from,
            passed: 0,
            paused: None,
            failures: 0,
            rolling_back: false,
        });
        self.outputs.store = true;
        self.event("", EventKind::RefreshStarted, now);
    }

    /// Goes back to the template before; new members get that one until the settings change.
    pub(crate) fn roll_back(&mut self, now: Moment) {
        let Some(refresh) = self.ledger.refresh.as_mut().filter(|refresh| !refresh.rolling_back)
        else {
            return;
        };
        refresh.rolling_back = true;
        refresh.paused = None;
        refresh.failures = 0;
        let template = refresh.from.clone();
        let instead_of = self.settings.template.clone();
        self.ledger.pinned = Some(Pinned { template, instead_of });
        self.ledger.breaker = None;
        self.outputs.store = true;
        self.event("", EventKind::RefreshRollsBack, now);
    }

    pub(crate) fn end_refresh(&mut self, is_complete: bool, now: Moment) {
        if self.ledger.refresh.take().is_some() {
            self.outputs.store = true;
            self.event("", EventKind::RefreshEnded(is_complete), now);
        }
    }

    /// Members that are launched before old ones end, beyond the desired capacity.
    pub(crate) fn refresh_surge(&self) -> u32 {
        let (Some(refresh), Some(demand)) = (&self.ledger.refresh, &self.demand) else { return 0 };
        if refresh.options.min_healthy_percent < 100 || refresh.paused.is_some() {
            return 0;
        }
        share(demand.desired, refresh.options.max_at_once_percent).min(self.count_old())
    }

    fn is_old(&self, record: &Record) -> bool {
        record.phase == Phase::InService
            && record.template != self.launch_template()
            && !record.protected
    }

    fn count_old(&self) -> u32 {
        self.count(|record| self.is_old(record))
    }

    /// One step of the refresh in progress.
    pub(crate) fn refresh(&mut self, now: Moment) {
        let (Some(refresh), Some(demand)) = (self.ledger.refresh.clone(), self.demand.clone())
        else {
            return;
        };
        if refresh.failures >= LAUNCH_FAILURES_MAX && !refresh.rolling_back {
            if refresh.options.rollback {
                return self.roll_back(now);
            }
            return self.end_refresh(false, now);
        }
        if self.count_old() == 0 {
            let in_service = self.count(|record| record.phase == Phase::InService);
            if in_service >= demand.desired {
                self.end_refresh(!refresh.rolling_back, now);
            }
            return;
        }
        if !self.is_past_checkpoint(&refresh, demand.desired, now) {
            return;
        }
        let options = &refresh.options;
        let least = u64::from(demand.desired) * u64::from(options.min_healthy_percent);
        let least = u32::try_from(least.div_ceil(100)).unwrap_or(u32::MAX);
        let spare = self.healthy_in_service().saturating_sub(least);
        let leaving = self.count(|record| record.cause() == Some(Cause::Refresh));
        let at_once = share(demand.desired, options.max_at_once_percent).saturating_sub(leaving);
        self.retire_old(spare, at_once, now);
    }

    /// Ends old members: unhealthy ones first, healthy ones only if enough others are healthy.
    fn retire_old(&mut self, spare: u32, at_once: u32, now: Moment) {
        let mut old = self.names(|record| self.is_old(record));
        old.sort_by_key(|name| self.is_healthy(name));
        let (mut spare, mut left) = (spare, at_once);
        for name in old {
            let healthy = self.is_healthy(&name);
            if left == 0 || (healthy && spare == 0) {
                break;
            }
            spare -= u32::from(healthy);
            left -= 1;
            self.terminate(&name, Cause::Refresh, now);
        }
    }

    /// Whether it may go on: it pauses when a share of new members is reached.
    fn is_past_checkpoint(&mut self, refresh: &Refresh, desired: u32, now: Moment) -> bool {
        if refresh.rolling_back {
            return true;
        }
        if let Some(since) = refresh.paused {
            if now.since(&since) < refresh.options.checkpoint_wait {
                return false;
            }
            self.continue_refresh();
            return true;
        }
        let Some(&percent) = refresh.options.checkpoints.get(refresh.passed) else { return true };
        let template = self.launch_template();
        let is_new =
            |record: &Record| record.phase == Phase::InService && record.template == template;
        let new = u64::from(self.count(is_new)) * 100;
        if percent >= 100 || new < u64::from(desired) * u64::from(percent) {
            return true;
        }
        if let Some(refresh) = &mut self.ledger.refresh {
            refresh.paused = Some(now);
        }
        self.outputs.store = true;
        self.event("", EventKind::RefreshPaused(percent), now);
        false
    }

    /// Goes on after a checkpoint.
    pub(crate) fn continue_refresh(&mut self) {
        let paused = self.ledger.refresh.as_mut().filter(|refresh| refresh.paused.is_some());
        if let Some(refresh) = paused {
            refresh.paused = None;
            refresh.passed += 1;
            self.outputs.store = true;
        }
    }
}
