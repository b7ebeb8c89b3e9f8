//! Counts what arrives at an interface. It decides nothing but whether TCP and UDP end there.

use std::{fs::File, io, path::Path, thread};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, PerCpuArray},
    programs::links::FdLink,
};
use lb_dataplane::{Attached, Facts, TRAFFIC_OBJECT, XdpMode, attach};
use nix::sched::{CloneFlags, setns};
use serde::Serialize;

use super::{
    TrafficError,
    object::{load_program, take},
};

/// Bits in which flows leave their mark: 16 MiB.
const FLOW_BITS: u64 = 1 << 27;
/// Bits of a word.
const WORD_BITS: u64 = 64;

/// What the program tells apart, in its order: tunnel, family, protocol; then everything else.
const TUNNELS: [&str; 3] = ["none", "ipip", "gue"];
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];
const PROTOCOLS: [&str; 4] = ["tcp", "udp", "icmp", "other"];

/// A CPU's count of a kind: packets, bytes, new marks of flows.
type Tally = [u64; 3];

/// How a sink counts.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Where it is attached.
    pub interface: String,
    /// How.
    pub mode: XdpMode,
    /// Whether TCP and UDP packets end there.
    pub drop: bool,
    /// UDP port of GUE.
    pub gue_port: u16,
    /// Whether flows are counted.
    pub flows: bool,
}

/// Packets of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// What was around them: `none`, `ipip` or `gue`.
    pub tunnel: &'static str,
    /// `ipv4` or `ipv6`, of the inner header if there are two; `none` for everything else.
    pub family: &'static str,
    /// `tcp`, `udp`, `icmp`, `other`.
    pub protocol: &'static str,
    /// How many.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}

/// What has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// By kind; kinds of which there was none are left out.
    pub kinds: Vec<Kind>,
    /// Number of different flows of TCP and UDP, if they are counted; an estimate above some ten
    /// thousand (linear counting; Whang, Vander-Zanden and Taylor 1990).
    pub flows: Option<u64>,
}

impl Arrived {
    /// Packets and bytes of a family and protocol, whatever is around them.
    #[must_use]
    pub fn of(&self, is_v6: bool, protocol: &str) -> (u64, u64) {
        let family = FAMILIES[usize::from(is_v6)];
        let of = |kind: &&Kind| kind.family == family && kind.protocol == protocol;
        sum(self.kinds.iter().filter(of))
    }

    /// Packets and bytes of TCP and UDP.
    #[must_use]
    pub fn measured(&self) -> (u64, u64) {
        sum(self.kinds.iter().filter(|kind| ["tcp", "udp"].contains(&kind.protocol)))
    }
}

fn sum<'a, I: Iterator<Item = &'a Kind>>(kinds: I) -> (u64, u64) {
    kinds.fold((0, 0), |(packets, bytes), kind| (packets + kind.packets, bytes + kind.bytes))
}

/// The attached program; dropping it, or the end of the process, detaches it.
pub struct Sink {
    tallies: PerCpuArray<MapData, Tally>,
    attached: Attached,
    flow_bits: Option<u64>,
    _ebpf: Ebpf,
    _link: FdLink,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sink").field("attached", &self.attached).finish_non_exhaustive()
    }
}

impl Sink {
    /// Loads and attaches it.
    pub fn start(options: &SinkOptions) -> Result<Self, TrafficError> {
        Facts::read()?.check()?;
        let bits = if options.flows { FLOW_BITS } else { WORD_BITS };
        let mask = if options.flows { FLOW_BITS - 1 } else { 0 };
        let words = u32::try_from(bits / WORD_BITS).unwrap_or(u32::MAX);
        let mut ebpf = EbpfLoader::new()
            .override_global("SINK_GUE_PORT", &u32::from(options.gue_port), true)
            .override_global("DROPS", &u32::from(options.drop), true)
            .override_global("FLOW_MASK", &mask, true)
            .map_max_entries("FLOWS_SEEN", words)
            .load(TRAFFIC_OBJECT)
            .map_err(TrafficError::bpf("load the sink"))?;
        let tallies = take(&mut ebpf, "TALLIES")?;
        let program = load_program(&mut ebpf, "xelb_sink")?;
        let (attached, link) = attach(program, &options.interface, options.mode)?;
        let flow_bits = options.flows.then_some(FLOW_BITS);
        Ok(Self { tallies, attached, flow_bits, _ebpf: ebpf, _link: link })
    }

    /// The same in another network namespace, named by its file.
    pub fn start_in(namespace: &Path, options: &SinkOptions) -> Result<Self, TrafficError> {
        let file = File::open(namespace).map_err(|error| {
            TrafficError::usage("--sink-netns", format!("{}: {error}", namespace.display()))
        })?;
        // A separate thread, since returning to the old namespace may fail.
        let entered = thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(file, CloneFlags::CLONE_NEWNET)
                    .map_err(io::Error::from)
                    .map_err(TrafficError::system("enter the network namespace of the sink"))?;
                Self::start(options)
            });
            worker.join().map_err(|_| TrafficError::Thread)
        });
        entered?
    }

    /// Where it is attached.
    #[must_use]
    pub const fn attached(&self) -> &Attached {
        &self.attached
    }

    /// What has arrived so far.
    pub fn arrived(&self) -> Result<Arrived, TrafficError> {
        let mut arrived = Arrived::default();
        let mut marks = 0;
        for (number, names) in (0_u32..).zip(names()) {
            let values = self
                .tallies
                .get(&number, 0)
                .map_err(TrafficError::bpf("read the sink's counters"))?;
            let [packets, bytes, new_marks] = values.iter().fold(Tally::default(), |sum, value| {
                [sum[0] + value[0], sum[1] + value[1], sum[2] + value[2]]
            });
            marks += new_marks;
            if packets > 0 {
                let (tunnel, family, protocol) = names;
                arrived.kinds.push(Kind { tunnel, family, protocol, packets, bytes });
            }
        }
        arrived.flows = self.flow_bits.map(|bits| flows(marks, bits));
        Ok(arrived)
    }
}

/// Tunnel, family and protocol of each kind.
fn names() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TUNNELS
        .iter()
        .flat_map(|tunnel| {
            FAMILIES.iter().flat_map(move |family| {
                PROTOCOLS.iter().map(move |protocol| (*tunnel, *family, *protocol))
            })
        })
        .chain([("none", "none", "other")])
}

/// PURE: how many flows have left `marks` marks in `bits` bits.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of numbers far below 2^53"
)]
fn flows(marks: u64, bits: u64) -> u64 {
    let free = bits.saturating_sub(marks).max(1) as f64 / bits as f64;
    (-free.ln() * bits as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_identify_flows() {
        // A million: the series of -m ln(1 - n/m), that is n + n^2/2m + n^3/3m^2 + n^4/4m^3.
        for (marks, expected) in [(0, 0), (1, 1), (1000, 1000), (1_000_000, 1_003_744)] {
            assert_eq!(flows(marks, FLOW_BITS), expected);
        }
        assert!(flows(FLOW_BITS, FLOW_BITS) > FLOW_BITS);
    }

    #[test]
    fn kinds_are_those_of_the_program() {
        let all: Vec<_> = names().collect();
        assert_eq!(all.len(), 25);
        assert_eq!(all[0], ("none", "ipv4", "tcp"));
        assert_eq!(all[(2 + 1) * 4 + 1], ("ipip", "ipv6", "udp"));
    }
}
