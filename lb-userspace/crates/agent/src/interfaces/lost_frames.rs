//! Frames that the program sent and a driver lost, without any counter of the program. Drivers
//! count them under names of their own, which are read from time to time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lb_dataplane::{Attached, driver_statistics};
use lb_plan::warning::{Warning, WarningKind};

/// Between two looks: some drivers take a millisecond to say what they have counted.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long a loss is shown after it last grew.
const SHOWN: Duration = Duration::from_mins(1);

/// Lost frames of each interface, by its index.
#[derive(Debug, Default)]
pub(super) struct LostFrames {
    looked_at: Option<Instant>,
    known: BTreeMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    name: String,
    counters: BTreeMap<String, u64>,
    /// Frames lost since the loss began, the counters that grew last, and when.
    lost: Option<(u64, String, Instant)>,
}

impl LostFrames {
    /// Reads the counters of the interfaces where the driver runs the program. Generic mode sends by the
    /// ordinary stack.
    pub(super) fn poll(&mut self, attached: &[Attached], now: Instant) {
        if self.looked_at.is_some_and(|at| now.duration_since(at) < INTERVAL) {
            return;
        }
        self.looked_at = Some(now);
        self.known.retain(|index, _| attached.iter().any(|one| one.index == *index && one.native));
        for Attached { name, index, .. } in attached.iter().filter(|one| one.native) {
            let counters = driver_statistics(name).unwrap_or_default();
            self.compare(*index, name, counters, now);
        }
    }

    fn compare(
        &mut self,
        index: u32,
        name: &str,
        mut counters: BTreeMap<String, u64>,
        now: Instant,
    ) {
        counters.retain(|name, _| counts_losses(name));
        let known = self.known.entry(index).or_insert_with(|| Known {
            name: name.to_owned(),
            // Earlier counts do not matter.
            counters: counters.clone(),
            lost: None,
        });
        let grown: Vec<(&String, u64)> = counters
            .iter()
            .map(|(name, count)| (name, known.counters.get(name).copied().unwrap_or(0), count))
            .filter(|(_, before, count)| *count > before)
            .map(|(name, before, count)| (name, count - before))
            .collect();
        let more: u64 = grown.iter().map(|(_, more)| more).sum();
        if more > 0 {
            let names: Vec<&str> = grown.iter().map(|(name, _)| name.as_str()).collect();
            let before = known.lost.as_ref().map_or(0, |(before, ..)| *before);
            known.lost = Some((before + more, names.join(", "), now));
        } else if known.lost.as_ref().is_some_and(|(.., at)| now.duration_since(*at) > SHOWN) {
            known.lost = None;
        }
        known.counters = counters;
    }

    /// A warning for each interface that lost frames in the last minute.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        self.known.values().filter_map(|known| {
            let (frames, counters, _) = known.lost.as_ref()?;
            let name = &known.name;
            let text = format!(
                "frames that XDP sent at {name} were lost in the driver: {frames} ({counters} of \
                 `ethtool -S {name}`)"
            );
            Some(Warning::new(WarningKind::FramesLost, name, text))
        })
    }
}

/// PURE: whether a driver counts under this name what XDP could not send. Names differ: `xdp_tx_errors`,
/// `xdp_redirect_fail`, `tx_xdp_full`, `tx0_xdp_tx_drops`; and veth's `rx_queue_0_drops`, which are failed
/// redirects (drivers/net/veth.c). Drops that the program asked for (`xdp_drop`) are not among them.
fn counts_losses(name: &str) -> bool {
    let of_veth =
        name.starts_with("rx_queue_") && name.ends_with("_drops") && !name.contains("xdp");
    let failed = ["err", "fail", "full", "tx_drops"].iter().any(|word| name.contains(word));
    of_veth || (name.contains("xdp") && failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_losses_are_known() {
        for (name, counts) in [
            ("rx_queue_0_xdp_tx_errors", true),
            ("tx_queue_0_xdp_xmit_errors", true),
            ("rx_queue_0_drops", true),
            ("rx_xdp_tx_full", true),
            ("tx0_xdp_tx_drops", true),
            ("rx_queue_0_xdp_drops", false),
            ("rx_queue_0_xdp_redirect", false),
            ("rx_errors", false),
        ] {
            assert_eq!(counts_losses(name), counts, "{name}");
        }
    }

    #[test]
    fn a_loss_is_shown_for_a_minute() {
        let (mut lost, start) = (LostFrames::default(), Instant::now());
        let mut at = |seconds, errors| {
            let counters = [("rx_queue_0_xdp_tx_errors".to_owned(), errors)].into();
            lost.compare(2, "eth0", counters, start + Duration::from_secs(seconds));
            lost.warnings().next().map(|warning| warning.text)
        };
        assert_eq!(at(0, 7), None, "counted before the agent started");
        assert!(at(5, 9).unwrap().contains("eth0 were lost in the driver: 2 (rx_queue_0_xdp_tx"));
        assert!(at(10, 12).unwrap().contains(": 5 "));
        assert!(at(65, 12).is_some());
        assert_eq!(at(75, 12), None);
    }
}
