//! PURE: what a run came to, as programs read it.

use std::time::Duration;

use serde::Serialize;

use super::{Arrived, Kind, Plan};

/// Packets in a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sent {
    /// How many.
    pub packets: u64,
    /// Bytes, from the Ethernet header on, without frame check sequence, preamble and gap.
    pub bytes: u64,
    /// The time.
    pub seconds: f64,
    /// Packets per second.
    pub packets_per_second: f64,
    /// Of those bytes, in units of 10^6 bits.
    pub megabits_per_second: f64,
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people, far below 2^53")]
impl Sent {
    /// So many packets and bytes in a time.
    #[must_use]
    pub fn new(packets: u64, bytes: u64, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        let each = if seconds > 0.0 { 1.0 / seconds } else { 0.0 };
        Self {
            packets,
            bytes,
            seconds,
            packets_per_second: packets as f64 * each,
            megabits_per_second: bytes as f64 * 8.0 * each / 1e6,
        }
    }
}

/// What a sink on the same machine has counted of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Received {
    /// Packets of the run's family and protocol.
    pub packets: u64,
    /// Their bytes; more than were sent when something encapsulates them.
    pub bytes: u64,
    /// Different flows, if they were counted.
    pub flows: Option<u64>,
    /// Everything that arrived, by kind.
    pub kinds: Vec<Kind>,
}

/// What a run of the generator came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrafficOutcome {
    /// Interface that packets left by.
    pub interface: String,
    /// Where they went.
    pub to: String,
    /// Prefix of their source addresses.
    pub from: String,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Whether every packet was the SYN of a new flow.
    pub syn_flood: bool,
    /// Flows that packets were spread over.
    pub flows: u64,
    /// Bytes of a frame, or `imix`.
    pub size: String,
    /// CPUs.
    pub threads: usize,
    /// Requested packets per second; null means as fast as possible.
    pub rate: Option<u64>,
    /// Whether it was stopped early.
    pub stopped: bool,
    /// What was handed to the interface.
    pub sent: Sent,
    /// What the interface has counted as sent meanwhile, other packets included; some drivers leave
    /// frames of XDP out.
    pub transmitted: u64,
    /// What the interface has counted as dropped meanwhile.
    pub refused: u64,
    /// What the sink has counted, if there was one.
    pub received: Option<Received>,
    /// Sent less received.
    pub lost: Option<i64>,
}

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) interface: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) stopped: bool,
}

impl TrafficOutcome {
    pub(super) fn new(
        run: Run<'_>,
        sent: Sent,
        counted: [u64; 2],
        arrived: Option<Arrived>,
    ) -> Self {
        let Run { interface, plan, stopped } = run;
        let [transmitted, refused] = counted;
        let received = arrived.map(|arrived| {
            let (packets, bytes) = arrived.of(plan.to.is_ipv6(), plan.transport.name());
            Received { packets, bytes, flows: arrived.flows, kinds: arrived.kinds }
        });
        let lost = received.as_ref().map(|received| {
            let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            signed(sent.packets) - signed(received.packets)
        });
        Self {
            interface: interface.to_owned(),
            to: plan.to.to_string(),
            from: plan.from.to_string(),
            protocol: plan.transport.name(),
            syn_flood: plan.syn,
            flows: plan.flows.min(sent.packets),
            size: plan.mix.to_string(),
            threads: plan.threads,
            rate: plan.rate,
            stopped,
            sent,
            transmitted,
            refused,
            received,
            lost,
        }
    }
}

/// What a sink came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SinkOutcome {
    /// Where it was attached.
    pub interface: String,
    /// `native` or `generic`.
    pub xdp_mode: &'static str,
    /// Whether TCP and UDP packets ended there.
    pub drop: bool,
    /// TCP and UDP, from the first look that saw some (it looks every 100 ms) to the last.
    pub received: Sent,
    /// Different flows, if they were counted.
    pub flows: Option<u64>,
    /// Everything that arrived, by kind.
    pub kinds: Vec<Kind>,
}
