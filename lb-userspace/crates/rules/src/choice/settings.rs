//! PURE: attributes of a target group that decide which target is chosen, and their limits.

use std::time::Duration;

use super::anomaly::AnomalySettings;
use crate::limits;

/// How a target is chosen among the candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Smooth weighted round robin.
    #[default]
    RoundRobin,
    /// The fewest outstanding requests for its weight, of all.
    LeastOutstanding,
    /// The same, of two random ones: for counters that several workers share.
    LeastOutstandingOfTwo,
    /// At random, by weight.
    WeightedRandom,
}

/// Attributes of a target group.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// 30 to 900 s; 0: none. ALB has it with round robin only; here it goes with every algorithm.
    pub slow_start: Duration,
    /// `None`: off. ALB has it with `weighted_random` only; here it goes with every algorithm.
    pub anomaly_mitigation: Option<AnomalySettings>,
    /// Outstanding requests of one target, each of which takes a connection with HTTP/1; 0: no
    /// limit.
    pub connections_max: u32,
    /// With fewer healthy targets, all are used.
    pub healthy_min: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::RoundRobin,
            slow_start: Duration::ZERO,
            anomaly_mitigation: None,
            connections_max: 0,
            healthy_min: 1,
        }
    }
}

/// Why attributes cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Outside 30 to 900 s.
    #[error("slow_start of {0} s is not between 30 and 900 s: choose one of these, or 0 for none")]
    SlowStart(u64),
}

impl Settings {
    /// Whether the attributes are within their limits.
    ///
    /// # Errors
    ///
    /// The fault.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !self.slow_start.is_zero() && !limits::SLOW_START.contains(&self.slow_start) {
            return Err(SettingsError::SlowStart(self.slow_start.as_secs()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_is_off_or_within_its_limits() {
        for (seconds, valid) in [(0, true), (29, false), (30, true), (900, true), (901, false)] {
            let slow_start = Duration::from_secs(seconds);
            let found = Settings { slow_start, ..Settings::default() }.check();
            let expected = if valid { Ok(()) } else { Err(SettingsError::SlowStart(seconds)) };
            assert_eq!(found, expected, "{seconds}");
        }
    }
}
