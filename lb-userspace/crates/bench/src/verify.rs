//! PURE: whether a batch took the measured path: every packet is counted as forwarded, none as
//! dropped, and no other counter has changed.

use std::fmt;

use lb_common::{Counter, DropReason, generate::CONNECTION_PACKETS};
use lb_dataplane::Stats;

/// What the program may count in addition to traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// Nothing.
    Nothing,
    /// That it began to remember, or could not, for less than a packet in a thousand: nearly all flows
    /// are remembered already.
    Few,
    /// That it began to remember, or could not, for each packet.
    Remembering,
    /// Whatever has to do with flows: what the live tables do is not known.
    Flows,
    /// Whole connections: of six packets, targets send two, and one begins a flow.
    Connections,
}

/// Packets that did not take the measured path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Astray {
    /// Packets of the batch.
    pub packets: u64,
    /// Those that the listener counted, and its targets.
    pub counted: [u64; 2],
    /// What else was counted.
    pub others: Vec<(&'static str, u64)>,
}

impl fmt::Display for Astray {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, counted: [listener, targets], others } = self;
        write!(
            formatter,
            "of {packets} packets, {listener} were counted for the listener and {targets} for its targets"
        )?;
        for (name, count) in others {
            write!(formatter, "; {name}: {count}")?;
        }
        Ok(())
    }
}

/// Compares the counters of one listener and its targets before and after `packets`.
pub(super) fn check(
    before: &Stats,
    after: &Stats,
    packets: u64,
    counts: Counts,
) -> Result<(), Astray> {
    let sum = |stats: &Stats| stats.listeners.values().map(|traffic| traffic.packets).sum::<u64>();
    let targets =
        |stats: &Stats| stats.targets.values().map(|traffic| traffic.packets).sum::<u64>();
    let counted =
        [sum(after).wrapping_sub(sum(before)), targets(after).wrapping_sub(targets(before))];
    let drops = changed(&before.drops, &after.drops, DropReason::name);
    let (mine, others): (Vec<_>, Vec<_>) =
        changed(&before.counters, &after.counters, Counter::name)
            .into_iter()
            .partition(|(name, _)| names(counts).contains(name));
    let expected: u64 = mine.iter().map(|(_, count)| count).sum();
    let named = |counter: Counter| {
        mine.iter().find(|(name, _)| *name == counter.name()).map_or(0, |(_, count)| *count)
    };
    let connections = packets / u64::from(CONNECTION_PACKETS);
    let to_targets = if counts == Counts::Connections { 4 * connections } else { packets };
    let as_expected = match counts {
        Counts::Nothing | Counts::Flows => true,
        Counts::Connections => {
            named(Counter::FlowCreated) == connections
                && named(Counter::ReplyForwarded) == 2 * connections
        }
        Counts::Few => expected * 1000 < packets,
        Counts::Remembering => expected == packets,
    };
    if counted == [to_targets; 2] && drops.is_empty() && others.is_empty() && as_expected {
        return Ok(());
    }
    let others = drops.into_iter().chain(mine).chain(others).collect();
    Err(Astray { packets, counted, others })
}

/// The counters that may change.
fn names(counts: Counts) -> Vec<&'static str> {
    let counters: &[Counter] = match counts {
        Counts::Nothing => &[],
        Counts::Few | Counts::Remembering => &[Counter::FlowRemembered, Counter::FlowNotRemembered],
        Counts::Flows => &[
            Counter::FlowRemembered,
            Counter::FlowNotRemembered,
            Counter::FlowCreated,
            Counter::FlowForgotten,
        ],
        Counts::Connections => &[
            Counter::FlowCreated,
            Counter::FlowForgotten,
            Counter::FlowEvicted,
            Counter::ReplyForwarded,
        ],
    };
    counters.iter().map(|counter| counter.name()).collect()
}

fn changed<K: Copy + PartialEq>(
    before: &[(K, u64)],
    after: &[(K, u64)],
    name: fn(K) -> &'static str,
) -> Vec<(&'static str, u64)> {
    let at = |wanted| before.iter().find(|(key, _)| *key == wanted).map_or(0, |(_, count)| *count);
    let changes = after.iter().map(|(key, count)| (name(*key), count.wrapping_sub(at(*key))));
    changes.filter(|(_, change)| *change != 0).collect()
}

#[cfg(test)]
mod tests {
    use lb_common::Traffic;

    use super::*;

    fn stats(listener: u64, target: u64, drops: u64, remembered: u64) -> Stats {
        let traffic = |packets| Traffic { packets, bytes: packets * 80 };
        Stats {
            listeners: [(1, traffic(listener))].into(),
            targets: [(7, traffic(target / 2)), (8, traffic(target - target / 2))].into(),
            drops: vec![(DropReason::NoTarget, drops)],
            counters: vec![(Counter::FlowRemembered, remembered)],
            remembered: (0, 0),
            translated: (0, 0),
        }
    }

    #[test]
    fn every_packet_must_have_been_forwarded() {
        let before = stats(100, 50, 3, 2);
        let check = |after: &Stats, counts| check(&before, after, 1000, counts);
        assert_eq!(check(&stats(1100, 1050, 3, 2), Counts::Nothing), Ok(()));
        assert_eq!(check(&stats(1100, 1050, 3, 1002), Counts::Remembering), Ok(()));
        assert_eq!(check(&stats(1100, 1050, 3, 2), Counts::Few), Ok(()));
        assert_eq!(check(&stats(1100, 1050, 3, 9), Counts::Flows), Ok(()));
        for (after, counts) in [
            (stats(1099, 1050, 3, 2), Counts::Nothing),
            (stats(1100, 1049, 3, 2), Counts::Nothing),
            (stats(1101, 1050, 3, 2), Counts::Nothing),
            (stats(1100, 1050, 4, 2), Counts::Nothing),
            (stats(1100, 1050, 4, 2), Counts::Flows),
            (stats(1100, 1050, 3, 3), Counts::Nothing),
            (stats(1100, 1050, 3, 3), Counts::Few),
            (stats(1100, 1050, 3, 1001), Counts::Remembering),
        ] {
            assert!(check(&after, counts).is_err(), "{after:?} {counts:?}");
        }
    }

    #[test]
    fn connections_have_answers() {
        let with = |created, replies| Stats {
            counters: vec![(Counter::FlowCreated, created), (Counter::ReplyForwarded, replies)],
            ..stats(4 * created, 4 * created, 0, 0)
        };
        let check = |after: &Stats| check(&with(0, 0), after, 600, Counts::Connections);
        assert_eq!(check(&with(100, 200)), Ok(()));
        assert!(check(&with(99, 200)).is_err());
        assert!(check(&with(100, 199)).is_err());
    }

    #[test]
    fn wrong_counters_are_reported() {
        let error = check(&stats(0, 0, 0, 0), &stats(999, 998, 1, 0), 1000, Counts::Nothing);
        assert_eq!(
            error.unwrap_err().to_string(),
            "of 1000 packets, 999 were counted for the listener and 998 for its targets; no_target: 1"
        );
    }
}
