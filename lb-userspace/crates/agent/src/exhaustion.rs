//! Resource exhaustion of the data path: detected with counters, reported in the log and in `status`.

use std::time::{Duration, Instant};

use lb_common::{Counter, DropReason};
use lb_dataplane::Stats;
use lb_plan::warning::{Warning, WarningKind};

/// How long a shortage is shown after it was last seen.
const SHOWN: Duration = Duration::from_mins(1);

/// What counts new flows that a resource was missing for.
#[derive(Clone, Copy)]
enum Missed {
    /// Their packets were dropped.
    Dropped(DropReason),
    /// Their packets went on.
    Counted(Counter),
}

/// Exhaustible resources, with their remedies.
const KINDS: [(Missed, WarningKind, &str); 4] = [
    (
        Missed::Dropped(DropReason::PoolExhausted),
        WarningKind::PoolExhausted,
        "found no free port or binding, since too many connections are open: start the agent with \
         a larger --nat-bindings (`xelb stats` shows how many are used), or shorten idle_timeout \
         of listeners with idle connections; for fullnat with few targets, add an address or more \
         ports to source_nat",
    ),
    (
        Missed::Dropped(DropReason::FlowTableFull),
        WarningKind::FlowTableFull,
        "found no free entry in the flow table: shorten idle_timeout of the listeners, or \
         distribute the load over more balancers",
    ),
    (
        Missed::Dropped(DropReason::HairpinRefused),
        WarningKind::HairpinRefused,
        "of targets to their own listener were refused, since mode nat would send them back to \
         their source: add an address to source_nat, or use fullnat",
    ),
    (
        Missed::Counted(Counter::FlowNotRemembered),
        WarningKind::FlowMemoryFull,
        "were not remembered, since the flow memory has no room for them: they are forwarded, but \
         a change of their target group may move them to another target; start the agent with a \
         larger --flow-memory (`xelb stats` shows how many flows are remembered), or set \
         `udp_flows: stateless` on UDP listeners whose flows may move",
    ),
];

/// Exhausted resources, and when.
#[derive(Debug, Default)]
pub(super) struct Exhaustion {
    /// Counters as they were last read, in the order of [`KINDS`].
    known: Option<[u64; KINDS.len()]>,
    /// New flows since the shortage began, and when one was last.
    seen: [Option<(u64, Instant)>; KINDS.len()],
}

impl Exhaustion {
    /// Compares the counters with their previous values.
    pub(super) fn compare(&mut self, stats: &Stats, now: Instant) {
        let current = KINDS.map(|(missed, ..)| count(stats, missed));
        let known = self.known.replace(current).unwrap_or(current);
        for ((current, known), seen) in current.iter().zip(known).zip(&mut self.seen) {
            // After `xelb detach` they start at zero again.
            let more = current.saturating_sub(known);
            if more > 0 {
                let before = seen.map_or(0, |(before, _)| before);
                *seen = Some((before + more, now));
            } else if seen.is_some_and(|(_, last)| now.duration_since(last) > SHOWN) {
                *seen = None;
            }
        }
    }

    /// A warning for each shortage of the last minute.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        let kinds = KINDS.iter().zip(&self.seen);
        kinds.filter_map(|((_, kind, what), seen)| {
            seen.map(|(count, _)| Warning::new(*kind, "", format!("{} {what}", counted(count))))
        })
    }
}

fn count(stats: &Stats, missed: Missed) -> u64 {
    let found = match missed {
        Missed::Dropped(reason) => {
            stats.drops.iter().find(|(other, _)| *other == reason).map(|one| one.1)
        }
        Missed::Counted(counter) => {
            stats.counters.iter().find(|(other, _)| *other == counter).map(|one| one.1)
        }
    };
    found.unwrap_or(0)
}

fn counted(flows: u64) -> String {
    match flows {
        1 => "1 new flow".to_owned(),
        many => format!("{many} new flows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(exhausted: u64) -> Stats {
        Stats { drops: vec![(DropReason::PoolExhausted, exhausted)], ..Stats::default() }
    }

    #[test]
    fn a_shortage_is_shown_for_a_minute() {
        let mut exhaustion = Exhaustion::default();
        let start = Instant::now();
        let mut at = |seconds, exhausted| {
            exhaustion.compare(&stats(exhausted), start + Duration::from_secs(seconds));
            exhaustion
                .warnings()
                .map(|warning| warning.text.split(" found").next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        // Counts from before the agent's start do not matter.
        assert!(at(0, 7).is_empty());
        assert_eq!(at(1, 8), ["1 new flow"]);
        assert_eq!(at(2, 20), ["13 new flows"]);
        assert_eq!(at(61, 20), ["13 new flows"]);
        assert!(at(63, 20).is_empty());
        // The counters have been removed with the data path.
        assert!(at(64, 0).is_empty());
        assert_eq!(at(65, 3), ["3 new flows"]);
    }

    #[test]
    fn a_full_flow_memory_is_shown() {
        let mut exhaustion = Exhaustion::default();
        for count in [5, 7] {
            let counters = vec![(Counter::FlowNotRemembered, count)];
            exhaustion.compare(&Stats { counters, ..Stats::default() }, Instant::now());
        }
        let warnings: Vec<Warning> = exhaustion.warnings().collect();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].kind, WarningKind::FlowMemoryFull);
        assert!(warnings[0].text.starts_with("2 new flows were not remembered"), "{}", warnings[0]);
    }
}
