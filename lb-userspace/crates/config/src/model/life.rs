//! How the targets of a group come and go, and what becomes of their flows.

use std::time::Duration;

/// Attributes of a target group, with the names and defaults of ELB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// How long a target that is removed or drained may finish its flows.
    pub deregistration_delay: Duration,
    /// Time over which the weight of a target rises that begins to take flows; zero is at once.
    pub slow_start: Duration,
    /// Whether all flows of a client go to one target.
    pub stickiness: Stickiness,
    /// Whether TCP flows of a target that is gone are answered with RST.
    pub connection_termination: bool,
    /// How long an unhealthy target keeps the flows that it has.
    pub unhealthy_draining_interval: Duration,
    /// With fewer healthy targets, all are used.
    pub minimum_healthy: MinimumHealthy,
    /// With fewer healthy targets that are no backups, backups are used as well; 1 at least.
    pub backup_threshold: u32,
    /// With fewer healthy targets, none takes new flows; 0 is no such limit.
    pub quorum: u32,
}

/// Which flows go to one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stickiness {
    /// Each flow is on its own.
    None,
    /// All of a client's address.
    SourceIp,
}

/// The least healthy targets of a group; either limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinimumHealthy {
    /// A number of targets.
    pub count: u32,
    /// A part of the group's targets, in percent.
    pub percentage: Option<u32>,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            deregistration_delay: Duration::from_mins(5),
            slow_start: Duration::ZERO,
            stickiness: Stickiness::None,
            connection_termination: false,
            unhealthy_draining_interval: Duration::ZERO,
            minimum_healthy: MinimumHealthy { count: 1, percentage: None },
            backup_threshold: 1,
            quorum: 0,
        }
    }
}

impl MinimumHealthy {
    /// How many healthy targets of so many are enough.
    #[must_use]
    pub fn of(&self, all: usize) -> usize {
        let wanted = usize::try_from(self.count).unwrap_or(usize::MAX);
        let percentage = usize::try_from(self.percentage.unwrap_or(0)).unwrap_or(100);
        wanted.max((percentage * all).div_ceil(100))
    }

    /// Whether so many healthy targets of so many are enough.
    #[must_use]
    pub fn is_met(&self, healthy: usize, all: usize) -> bool {
        healthy >= self.of(all)
    }
}

#[cfg(test)]
mod tests {
    use super::MinimumHealthy;

    #[test]
    fn either_limit_counts() {
        for (count, percentage, healthy, all, met) in [
            (1, None, 0, 3, false),
            (1, None, 1, 3, true),
            (2, None, 1, 3, false),
            (1, Some(50), 1, 3, false),
            (1, Some(50), 2, 4, true),
            (3, Some(50), 2, 4, false),
            (1, Some(100), 3, 4, false),
        ] {
            let minimum = MinimumHealthy { count, percentage };
            assert_eq!(minimum.is_met(healthy, all), met, "{minimum:?}: {healthy} of {all}");
        }
    }
}
