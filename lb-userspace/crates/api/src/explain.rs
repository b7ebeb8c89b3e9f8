//! `GET /v1/explain`: what the data path would do with a packet, in words.

use std::net::SocketAddr;

use etherparse::{LaxSlicedPacket, LinkSlice, TransportSlice};
use lb_agent::Snapshot;
use lb_common::{Counter, DropReason, Family, counter::COUNTERS_BASE, explain::Explanation};
use lb_dataplane::Explained;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the data path would do with a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainView {
    /// `forwarded`, `answered`, `dropped` or `passed` (to this host's own stack).
    pub verdict: String,
    /// Name of the drop reason or counter; absent when nothing is counted but traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What that means, for people.
    pub detail: String,
    /// The listener that the packet is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Its target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group: Option<String>,
    /// The slot of the flow: its index in the array of all rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// The target that the packet goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub target: Option<SocketAddr>,
    /// For an armed slot, or a listener that tracks its flows: whether the flow is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// In modes nat and fullnat: whether the flow is remembered, and what the target sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The headers of the packet as it would leave, the outer ones first.
    pub headers: Vec<String>,
}

/// XDP actions (linux/bpf.h).
const DROP: u32 = 1;
const PASS: u32 = 2;

/// In words.
pub(super) fn view(explained: &Explained, snapshot: &Snapshot) -> ExplainView {
    let noted = &explained.noted;
    let has = |flag| noted.noted & flag != 0;
    let counted = has(Explanation::COUNTER).then_some(noted.counter);
    let remembers = counted == Some(Counter::FlowRemembered.index());
    let counted = counted.filter(|_| !remembers);
    let (reason, meaning) = counted.and_then(named).unzip();
    let listener = snapshot.listeners.iter().find(|one| one.id == noted.listener);
    let listener = listener.filter(|_| has(Explanation::LISTENER));
    let target = snapshot.targets.iter().find(|one| one.id == noted.target);
    let target = target.filter(|_| has(Explanation::TARGET));
    let new = has(Explanation::NEW_BINDING);
    let verdict = match explained.action {
        // A dry run makes no binding, so that the packet of a new flow is not written.
        PASS if new => "forwarded",
        PASS => "passed",
        DROP => "dropped",
        _ if counted == Some(Counter::EchoReplySent.index())
            || counted == Some(Counter::TooBigSent.index())
            || counted == Some(Counter::ResetSent.index()) =>
        {
            "answered"
        }
        _ => "forwarded",
    };
    let detail = match (verdict, meaning) {
        (_, Some(meaning)) => meaning.to_owned(),
        ("passed", None) => {
            "no listener matches: the packet goes to the host's own network stack".to_owned()
        }
        _ => String::new(),
    };
    ExplainView {
        verdict: verdict.to_owned(),
        reason: reason.map(str::to_owned),
        detail,
        listener: listener.map(|one| one.name.clone()),
        target_group: listener.map(|one| one.active_target_group.clone()),
        slot: has(Explanation::SLOT).then_some(noted.slot),
        target: target.and_then(|one| Some(SocketAddr::new(one.address?, one.port))),
        flow: flow(noted.noted, remembers).map(str::to_owned),
        binding: explained.binding.map(|binding| described(&binding, new)),
        headers: if verdict == "forwarded" && !new || verdict == "answered" {
            headers(&explained.frame)
        } else {
            Vec::new()
        },
    }
}

/// What is known of a flow, where that decides.
const fn flow(noted: u32, remembers: bool) -> Option<&'static str> {
    if noted & Explanation::REMEMBERED != 0 {
        Some("remembered: it stays with this target")
    } else if noted & Explanation::HOME != 0 {
        Some("not remembered: it began before its slot changed, and stays with the previous owner")
    } else if remembers {
        Some("new: it goes to the current owner of its slot, and would be remembered")
    } else {
        None
    }
}

/// Name and meaning of what a counter counts.
fn named(index: u32) -> Option<(&'static str, &'static str)> {
    let base = u32::try_from(COUNTERS_BASE).ok()?;
    if index < base {
        let reason = DropReason::try_from(index).ok()?;
        return Some((reason.name(), reason.help()));
    }
    let counter = Counter::try_from(index - base).ok()?;
    Some((counter.name(), counter.help()))
}

/// A binding, in words; a new one has only its own end yet.
fn described(binding: &lb_common::Binding, new: bool) -> String {
    let family = Family::try_from(binding.family).unwrap_or(Family::V4);
    let end = |address: lb_common::Address, port: lb_common::Be16| {
        SocketAddr::new(address.to_ip(family), port.get())
    };
    if !new {
        let local = end(binding.local, binding.local_port);
        let target = end(binding.target_address, binding.target_port);
        return format!("an existing flow: the target {target} sees the source {local}");
    }
    let local = binding.local;
    if local.words == [0; 2] {
        return "a new flow: the target sees the client's own address".to_owned();
    }
    let local = end(local, binding.local_port);
    format!("a new flow: the target would see the source {local}")
}

/// The headers of a frame, one text each.
fn headers(frame: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else {
        return all;
    };
    if let Some(LinkSlice::Ethernet2(ethernet)) = &packet.link {
        let mac = |bytes: [u8; 6]| bytes.map(|byte| format!("{byte:02x}")).join(":");
        all.push(format!("Ethernet {} -> {}", mac(ethernet.source()), mac(ethernet.destination())));
    }
    for tag in packet.vlan_ids() {
        all.push(format!("VLAN {}", tag.value()));
    }
    packets(&packet, &mut all);
    all
}

/// The headers of an IP packet, and of those in it.
fn packets(packet: &LaxSlicedPacket<'_>, all: &mut Vec<String>) {
    let payload = match &packet.net {
        Some(etherparse::LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let (from, to) = (header.source_addr(), header.destination_addr());
            all.push(format!("IPv4 {from} -> {to}, TTL {}", header.ttl()));
            ip.payload()
        }
        Some(etherparse::LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let (from, to) = (header.source_addr(), header.destination_addr());
            all.push(format!("IPv6 {from} -> {to}, hop limit {}", header.hop_limit()));
            ip.payload()
        }
        _ => return,
    };
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            all.push(format!("TCP {} -> {}", tcp.source_port(), tcp.destination_port()));
        }
        Some(TransportSlice::Udp(udp)) => {
            all.push(format!("UDP {} -> {}", udp.source_port(), udp.destination_port()));
            inner(udp.payload(), all);
        }
        _ => inner(payload.payload, all),
    }
}

/// The packet in a tunnel: IP, or GUE's header of variant 0 and IP.
fn inner(bytes: &[u8], all: &mut Vec<String>) {
    let bytes = match bytes {
        [0, 4 | 41, 0, 0, rest @ ..] => {
            all.push("GUE".to_owned());
            rest
        }
        bytes => bytes,
    };
    if let Ok(packet) = LaxSlicedPacket::from_ip(bytes) {
        packets(&packet, all);
    }
}
