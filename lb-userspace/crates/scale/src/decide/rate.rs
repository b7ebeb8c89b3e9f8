//! PURE: how far capacity may move in a period. It is applied after needs are stabilised.

use std::time::Duration;

use crate::{
    memory::{Change, Memory},
    moment::Moment,
    settings::{Rate, Settings},
};

/// The nearest capacity to `wanted` that the rate allows, `start` being the present one.
pub(super) fn limit(
    rate: Option<Rate>,
    memory: &Memory,
    now: Moment,
    start: u32,
    wanted: u32,
) -> u32 {
    let Some(rate) = rate else { return wanted };
    let mut recent = memory.changes.iter().filter(|change| now.since(&change.at) < rate.period);
    let base = recent.next().map_or(start, |change| change.from);
    let share = (u64::from(base) * u64::from(rate.percent)).div_ceil(100);
    let most = u32::try_from(share).unwrap_or(u32::MAX).max(rate.targets);
    if wanted >= start {
        wanted.min(base.saturating_add(most).max(start))
    } else {
        wanted.max(base.saturating_sub(most).min(start))
    }
}

/// Notes a change, and forgets those that no rate asks for any more.
pub(super) fn record(memory: &mut Memory, settings: &Settings, now: Moment, from: u32, to: u32) {
    let rates = [settings.scale_out_rate, settings.scale_in_rate];
    let period = rates.iter().flatten().map(|rate| rate.period).max().unwrap_or(Duration::ZERO);
    memory.changes.retain(|change| now.since(&change.at) < period);
    if from != to && !period.is_zero() {
        memory.changes.push_back(Change { at: now, from });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_moves_as_far_as_the_rate_allows() {
        let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
        let period = Duration::from_mins(1);
        let rate = |targets, percent| Some(Rate { targets, percent, period });
        let now = start.after(period);
        // (rate, capacity at the start of the period, now, wanted, allowed)
        let cases = [
            (None, 10, 10, 1000, 1000),
            (rate(4, 0), 10, 10, 20, 14),
            (rate(4, 0), 10, 13, 20, 14),
            (rate(4, 0), 10, 14, 20, 14),
            (rate(4, 100), 10, 10, 50, 20),
            (rate(4, 15), 10, 10, 50, 14),
            (rate(1, 15), 10, 10, 50, 12),
            (rate(1, 10), 10, 10, 5, 9),
            (rate(1, 10), 10, 9, 5, 9),
            // What exceeds the rate already, since limits moved it, stays.
            (rate(1, 0), 10, 15, 20, 15),
            (rate(1, 0), 10, 5, 2, 5),
        ];
        for (rate, base, present, wanted, allowed) in cases {
            let mut memory = Memory::default();
            // A change that is a whole period ago does not count.
            memory.changes.push_back(Change { at: start, from: 500 });
            if base != present {
                let at = start.after(period / 2);
                memory.changes.push_back(Change { at, from: base });
            }
            let limited = limit(rate, &memory, now, present, wanted);
            assert_eq!(limited, allowed, "{rate:?} from {base}, {present} to {wanted}");
        }
    }
}
