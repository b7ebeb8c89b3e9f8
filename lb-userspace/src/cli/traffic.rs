//! PURE: traffic of an object: what was counted, and its rate.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::table::bytes;

/// Packets and bytes since the object was configured, and per second now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Traffic {
    packets: u64,
    bytes: u64,
    packets_per_second: u64,
    bytes_per_second: u64,
}

impl Traffic {
    /// From two looks at the counters (packets, bytes), this time apart.
    pub(super) fn between(before: (u64, u64), after: (u64, u64), apart: Duration) -> Self {
        let milliseconds = apart.as_millis().max(1);
        let rate = |before: u64, after: u64| {
            let rate = u128::from(after.saturating_sub(before)) * 1000 / milliseconds;
            u64::try_from(rate).unwrap_or(u64::MAX)
        };
        Self {
            packets: after.0,
            bytes: after.1,
            packets_per_second: rate(before.0, after.0),
            bytes_per_second: rate(before.1, after.1),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, packets_per_second, .. } = self;
        let (all, rate) = (bytes(self.bytes), bytes(self.bytes_per_second));
        write!(
            formatter,
            "{packets_per_second} packets/s, {rate}/s; {packets} packets, {all} in all"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        let traffic = Traffic::between((100, 1000), (150, 6000), Duration::from_millis(500));
        assert_eq!(traffic.to_string(), "100 packets/s, 10.0 kB/s; 150 packets, 6.0 kB in all");
        // Counters that began anew have no rate.
        let traffic = Traffic::between((100, 1000), (1, 10), Duration::ZERO);
        assert_eq!(traffic.to_string(), "0 packets/s, 0 B/s; 1 packets, 10 B in all");
    }
}
