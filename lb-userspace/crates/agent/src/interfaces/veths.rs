//! Interfaces of kind veth that the program runs on, as in containers: what their other end lacks, and packets
//! whose checksums are not there yet. Neither is an event, so both are looked for from time to time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lb_common::Mode;
use lb_config::Config;
use lb_dataplane::{Attached, ChecksumSniffer, Driver};
use lb_netlink::{FAR_END_REMEDY, Veth, far_end_without_program};
use lb_plan::warning::{Warning, WarningKind};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(3);
/// How long a partial checksum is shown after it was last seen.
const SHOWN: Duration = Duration::from_mins(1);
/// The feature of a device that says: senders need not make checksums.
const OFFLOAD: &str = "tx-checksum-ip-generic";

/// What is known of each, by index.
#[derive(Debug, Default)]
pub(super) struct Veths {
    looked_at: Option<Instant>,
    known: BTreeMap<u32, Known>,
    /// There are groups whose forwarding mode rewrites checksums.
    translates: bool,
}

#[derive(Debug)]
struct Known {
    name: String,
    native: bool,
    pair: Veth,
    /// The other end leaves checksums to a device, if its features can be read.
    offload: Option<bool>,
    /// Reads packets that the program passes; `None` where there is no such socket.
    sniffer: Option<ChecksumSniffer>,
    /// When a packet without its checksum was last seen.
    partial: Option<Instant>,
}

impl Veths {
    /// Looks at those that the program is attached to.
    pub(super) fn poll(&mut self, attached: &[Attached], config: &Config, now: Instant) {
        let differ = attached
            .iter()
            .any(|one| self.known.get(&one.index).is_some_and(|known| known.native != one.native));
        let due = self.looked_at.is_none_or(|at| now.duration_since(at) >= INTERVAL);
        if !due && !differ {
            return;
        }
        self.looked_at = Some(now);
        let translates = |mode| matches!(mode, Mode::Nat | Mode::Fullnat);
        self.translates = config.target_groups.iter().any(|group| translates(group.forwarding));
        self.known.retain(|index, _| attached.iter().any(|one| one.index == *index));
        for Attached { name, index, native, .. } in attached {
            let pair = match Veth::inspect(*index) {
                Ok(Some(pair)) => pair,
                Ok(None) => continue,
                Err(error) => {
                    tracing::debug!(%error, interface = name, "cannot inspect the peer");
                    continue;
                }
            };
            let known = self.known.entry(*index).or_insert_with(|| Known {
                name: name.clone(),
                native: *native,
                pair: pair.clone(),
                offload: None,
                sniffer: ChecksumSniffer::open(*index)
                    .inspect_err(|error| {
                        tracing::debug!(%error, "cannot check checksum offloading");
                    })
                    .ok(),
                partial: None,
            });
            known.native = *native;
            known.offload = pair.peer.as_deref().and_then(leaves_checksums);
            known.pair = pair;
            if known.sniffer.as_ref().is_some_and(ChecksumSniffer::has_seen_partial) {
                known.partial = Some(now);
            } else if known.partial.is_some_and(|seen| now.duration_since(seen) > SHOWN) {
                known.partial = None;
            }
        }
    }

    /// What is wrong with them.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        let of = |known: &Known| [known.far_end(), known.checksums(self.translates)];
        self.known.values().flat_map(of).flatten()
    }
}

impl Known {
    fn far_end(&self) -> Option<Warning> {
        let said = far_end_without_program(&self.name, self.pair.far_end)?;
        let text = format!("{said}; {FAR_END_REMEDY}");
        self.native.then(|| Warning::new(WarningKind::FarEndWithoutProgram, &self.name, text))
    }

    /// Generic mode keeps this state in the kernel's metadata of the packet, so that only code that
    /// rewrites checksums fails.
    fn checksums(&self, translates: bool) -> Option<Warning> {
        if !self.native && !translates {
            return None;
        }
        let Self { name, .. } = self;
        let peer = self.pair.peer.as_deref().unwrap_or("PEER");
        let remedy = format!("type in the peer's network namespace: ethtool -K {peer} tx off");
        if self.partial.is_some() {
            let text = format!(
                "packets come to {name} (veth) with unfinished checksums, since their senders use \
                 checksum offload: XDP forwards them unchanged, and targets drop them; {remedy}"
            );
            return Some(Warning::new(WarningKind::PartialChecksums, name, text));
        }
        (self.offload == Some(true)).then(|| {
            let text = format!(
                "the peer of {name} (veth) uses checksum offload: targets drop packets of clients \
                 on this machine; {remedy}"
            );
            Warning::new(WarningKind::ChecksumOffload, name, text)
        })
    }
}

fn leaves_checksums(peer: &str) -> Option<bool> {
    Driver::read(peer).ok()?.features.get(OFFLOAD).copied()
}

#[cfg(test)]
mod tests {
    use lb_netlink::FarEnd;

    use super::*;

    fn kinds(
        far_end: FarEnd,
        native: bool,
        offload: Option<bool>,
        partial: bool,
    ) -> Vec<WarningKind> {
        let known = Known {
            name: "eth0".to_owned(),
            native,
            pair: Veth { far_end, peer: None },
            offload,
            sniffer: None,
            partial: partial.then(Instant::now),
        };
        let veths = Veths { known: [(2, known)].into(), ..Veths::default() };
        veths.warnings().map(|warning| warning.kind).collect()
    }

    #[test]
    fn each_fault_is_a_warning_of_its_own() {
        use WarningKind::{ChecksumOffload, FarEndWithoutProgram, PartialChecksums};

        for (far_end, native, offload, partial, wanted) in [
            (FarEnd::Program, true, Some(false), false, vec![]),
            (FarEnd::Unseen, true, None, false, vec![]),
            (FarEnd::Nothing, true, None, false, vec![FarEndWithoutProgram]),
            (FarEnd::Gro, true, None, false, vec![FarEndWithoutProgram]),
            // Generic mode sends by the ordinary stack.
            (FarEnd::Nothing, false, Some(true), true, vec![]),
            (FarEnd::Program, true, Some(true), false, vec![ChecksumOffload]),
            (FarEnd::Program, true, None, true, vec![PartialChecksums]),
            (FarEnd::Nothing, true, Some(true), true, vec![FarEndWithoutProgram, PartialChecksums]),
        ] {
            assert_eq!(kinds(far_end, native, offload, partial), wanted, "{far_end:?} {native}");
        }
    }
}
