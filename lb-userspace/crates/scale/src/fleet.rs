//! PURE: members in virtual time: launches that take time or fail, drains, and a quota. It stands
//! for drivers and targets in `replay` and in the simulator.

use std::time::Duration;

use crate::{
    member::{Lifecycle, Member},
    moment::Moment,
    random::Random,
};

/// How members come and go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FleetConditions {
    /// From a launch to the first request.
    pub boot: Duration,
    /// The share of launches that fail, after the boot time: 0.05 is 5 %.
    pub launch_failures: f64,
    /// The most members that exist at a time, also those that drain.
    pub quota: u32,
    /// How long members drain: they cost, and take no traffic.
    pub drain: Duration,
}

impl Default for FleetConditions {
    /// 60 s to boot, no failures, no quota, 60 s to drain.
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self { boot: minute, launch_failures: 0.0, quota: u32::MAX, drain: minute }
    }
}

/// What happened to launches in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Launches {
    /// Members that came into service.
    pub succeeded: u32,
    /// Launches that failed, also those that the quota refused.
    pub failed: u32,
}

/// The members of a group in virtual time.
#[derive(Clone, Debug)]
pub struct Fleet {
    conditions: FleetConditions,
    members: Vec<Member>,
    random: Random,
    launched: u64,
    quota_reached: bool,
}

impl Fleet {
    /// A fleet with so many members in service.
    #[must_use]
    pub fn new(conditions: FleetConditions, count: u32, now: Moment, seed: u64) -> Self {
        let random = Random::new(seed);
        let members = Vec::new();
        let mut fleet = Self { conditions, members, random, launched: 0, quota_reached: false };
        for _ in 0..count {
            fleet.launch(Lifecycle::InService, now);
        }
        fleet
    }

    /// All members that exist.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many take traffic.
    #[must_use]
    pub fn in_service(&self) -> u32 {
        self.count(|member| member.lifecycle == Lifecycle::InService)
    }

    /// How many exist, and cost.
    #[must_use]
    pub fn existing(&self) -> u32 {
        self.count(|_| true)
    }

    /// Time goes on: launches complete or fail, drains end, and members are launched or drained
    /// towards `desired`.
    pub fn advance(&mut self, desired: u32, may_launch: bool, now: Moment) -> Launches {
        let mut launches = self.complete_launches(now);
        let drain = self.conditions.drain;
        self.members.retain(|member| {
            !member.lifecycle.is_terminating() || now.since(&member.since) < drain
        });
        let capacity = self.count(|member| member.lifecycle.is_capacity());
        if capacity > desired {
            self.remove(capacity - desired, now);
        }
        if capacity < desired && may_launch {
            launches.failed += u32::from(self.launch_missing(desired - capacity, now));
        }
        launches
    }

    fn complete_launches(&mut self, now: Moment) -> Launches {
        let mut launches = Launches::default();
        for member in &mut self.members {
            if !member.lifecycle.is_pending() || now.since(&member.since) < self.conditions.boot {
                continue;
            }
            let fails = self.random.share() < self.conditions.launch_failures;
            member.lifecycle = if fails { Lifecycle::Failed } else { Lifecycle::InService };
            member.since = now;
            launches.failed += u32::from(fails);
            launches.succeeded += u32::from(!fails);
        }
        self.members.retain(|member| member.lifecycle != Lifecycle::Failed);
        launches
    }

    /// Launches members up to the quota; whether the quota has begun to refuse.
    fn launch_missing(&mut self, count: u32, now: Moment) -> bool {
        let free = self.conditions.quota.saturating_sub(self.existing());
        for _ in 0..count.min(free) {
            self.launch(Lifecycle::Pending, now);
        }
        let reached = count > free;
        let begins = reached && !self.quota_reached;
        self.quota_reached = reached;
        begins
    }

    fn launch(&mut self, lifecycle: Lifecycle, now: Moment) {
        let name = format!("target-{}", self.launched);
        self.launched += 1;
        let member = Member { name, lifecycle, since: now, healthy: true, protected: false };
        self.members.push(member);
    }

    /// Pending members go first, then those in service, the newest of each first. What never took
    /// traffic ends at once; the others drain.
    fn remove(&mut self, count: u32, now: Moment) {
        let mut left = count;
        for is_pending in [true, false] {
            for member in self.members.iter_mut().rev() {
                let matches =
                    member.lifecycle.is_capacity() && member.lifecycle.is_pending() == is_pending;
                if left == 0 || !matches {
                    continue;
                }
                left -= 1;
                member.since = now;
                member.lifecycle =
                    if is_pending { Lifecycle::Terminated } else { Lifecycle::Terminating };
            }
        }
        self.members.retain(|member| member.lifecycle != Lifecycle::Terminated);
    }

    fn count(&self, is_counted: impl Fn(&Member) -> bool) -> u32 {
        let count = self.members.iter().filter(|member| is_counted(member)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        let zero = Duration::ZERO;
        let start = Moment { boot_id: 1, boot: zero, wall: jiff::Timestamp::UNIX_EPOCH };
        start.after(Duration::from_secs(seconds))
    }

    #[test]
    fn members_boot_and_drain() {
        let mut fleet = Fleet::new(FleetConditions::default(), 2, at(0), 1);
        // (seconds, desired, in service, existing)
        let cases = [
            (0, 4, 2, 4),
            (59, 4, 2, 4),
            (60, 4, 4, 4),
            (61, 3, 3, 4),
            (120, 3, 3, 4),
            (121, 3, 3, 3),
            (122, 5, 3, 5),
            // Pending ones end at once.
            (123, 3, 3, 3),
        ];
        for (seconds, desired, in_service, existing) in cases {
            fleet.advance(desired, true, at(seconds));
            let counts = (fleet.in_service(), fleet.existing());
            assert_eq!(counts, (in_service, existing), "at {seconds} s");
        }
    }

    #[test]
    fn launches_fail_and_quotas_refuse() {
        let failing = FleetConditions { launch_failures: 1.0, ..FleetConditions::default() };
        let mut fleet = Fleet::new(failing, 2, at(0), 1);
        fleet.advance(4, true, at(0));
        let launches = fleet.advance(4, false, at(60));
        assert_eq!(launches, Launches { succeeded: 0, failed: 2 });
        assert_eq!(fleet.existing(), 2, "launching is paused");

        let full = FleetConditions { quota: 3, ..FleetConditions::default() };
        let mut fleet = Fleet::new(full, 2, at(0), 1);
        assert_eq!(fleet.advance(6, true, at(0)), Launches { succeeded: 0, failed: 1 });
        assert_eq!(fleet.advance(6, true, at(5)), Launches::default(), "it is counted once");
        assert_eq!(fleet.existing(), 3);
    }
}
