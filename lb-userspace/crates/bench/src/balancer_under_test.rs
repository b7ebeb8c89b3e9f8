//! Destination of packets: a listener in a balancer with its own maps.

use std::path::Path;

use etherparse::PacketBuilder;
use lb_common::{
    Address, Be16, Family, Listener, ListenerKey, Owner, Slot, generate::FRAME_LENGTH,
    limits::TARGETS_MAX, listener::protocol::TCP,
};
use lb_dataplane::{
    DetachedBalancer, KernelStore, LiveTables, MapSizes, Stats, StatsSource, clock,
};
use lb_ebpf::{Content, Datagram, flow_hash};
use lb_plan::{self as plan, MapOp, MapStore as _, Tables};

use super::{
    BenchError,
    cases::{Case, Flows, Memory, REMEMBERED_MAX},
    generator::Frame,
    synthetic,
    verify::Counts,
};

/// Seed of the flow hash of the synthetic configuration.
const SEED: [u64; 2] = [1, 2];

/// Port of every client.
const CLIENT_PORT: u16 = 40_000;

/// Seconds for which flows are remembered in advance: longer than any measurement.
const LASTS: u32 = 100_000;

/// Epoch of the slots that are armed here.
const EPOCH: u16 = 1;

/// A table that is half full has no place for a few flows: at most one in so many.
const REFUSED_PART: u32 = 10_000;

/// Flows of a live listener that are remembered in advance: several share the memory.
const LIVE_REMEMBERED: u32 = 1 << 16;

/// The start of an Initial packet of QUIC version 1 (RFC 9000, section 17.2.2).
const QUIC_INITIAL: [u8; 6] = [0xc0, 0, 0, 0, 1, 0];

/// Where the last four bytes of the source address are.
const V4_OFFSET: u16 = 14 + 12;
const V6_OFFSET: u16 = 14 + 20;

/// One listener.
pub(super) struct MeasuredListener {
    pub(super) name: String,
    /// The case of the synthetic configuration; none of a live one.
    pub(super) case: Option<Case>,
    pub(super) key: ListenerKey,
    /// Flows that are remembered in advance.
    pub(super) remembered: u32,
    listener: Listener,
    /// Ids of its targets, in order.
    targets: Vec<u16>,
}

/// A balancer that nothing is attached to, and its listeners.
pub(super) struct BalancerUnderTest {
    pub(super) balancer: DetachedBalancer,
    pub(super) subjects: Vec<MeasuredListener>,
    stats: StatsSource,
}

/// Cases that can share the maps of one balancer: those that fill the memory of flows, or take the
/// bindings of a mode, need one each.
pub(super) fn share(cases: &[Case], targets: u16) -> Vec<Vec<Case>> {
    let mut shares: Vec<Vec<Case>> = Vec::new();
    let room = (TARGETS_MAX - 1) / usize::from(targets.max(1));
    for case in cases {
        let clash = |other: &Case| {
            let both_fill = other.memory.fills() && case.memory.fills();
            both_fill || case.memory.binds() && other.mode == case.mode
        };
        let fits = |share: &&mut Vec<Case>| share.len() < room && !share.iter().any(clash);
        match shares.iter_mut().find(fits) {
            Some(share) => share.push(*case),
            None => shares.push(vec![*case]),
        }
    }
    shares
}

impl BalancerUnderTest {
    /// Loads a balancer with the synthetic configuration.
    pub(super) fn synthetic(
        folder: &Path,
        cases: &[Case],
        targets: u16,
    ) -> Result<Self, BenchError> {
        let tables = synthetic::tables(cases, targets)?;
        let whole = cases.iter().any(|case| case.memory == Memory::Whole);
        let bindings = if whole { MapSizes::BINDINGS_MAX } else { 0 };
        let (mut bed, mut store) = Self::load(folder, SEED, &tables, bindings)?;
        for case in cases {
            let key = synthetic::key(case);
            let name = case.name.to_owned();
            let mut subject = subject(name, key, &tables)?;
            subject.case = Some(*case);
            if case.memory.arms() {
                arm(&mut store, &tables, &subject)?;
            }
            if matches!(case.memory, Memory::Known | Memory::Tracked) {
                subject.remembered = REMEMBERED_MAX;
            }
            bed.subjects.push(subject);
        }
        bed.remember(SEED)?;
        Ok(bed)
    }

    /// Loads a balancer with a copy of live tables.
    pub(super) fn live(
        folder: &Path,
        live: &LiveTables,
        keys: &[ListenerKey],
    ) -> Result<Self, BenchError> {
        let (mut bed, _) = Self::load(folder, live.hash_seed, &live.tables, 0)?;
        for key in keys {
            let mut subject = subject(listener_name(key), *key, &live.tables)?;
            if subject.listener.flags & Listener::TRACKED != 0 && !subject.targets.is_empty() {
                subject.remembered = LIVE_REMEMBERED;
            }
            bed.subjects.push(subject);
        }
        bed.remember(live.hash_seed)?;
        Ok(bed)
    }

    fn load(
        folder: &Path,
        seed: [u64; 2],
        tables: &Tables,
        bindings: u32,
    ) -> Result<(Self, KernelStore), BenchError> {
        std::fs::create_dir(folder).map_err(|source| BenchError::Host {
            action: "create a folder for the maps",
            source,
        })?;
        let (balancer, mut store) =
            DetachedBalancer::load(folder, seed, MapSizes::default().with_bindings(bindings))?;
        for operation in plan::diff(&Tables::default(), tables) {
            store.apply(&operation)?;
        }
        let stats = StatsSource::new(folder);
        Ok((Self { balancer, subjects: Vec::new(), stats }, store))
    }

    /// Remembers the first flows of each subject that wants it, each with the next of its targets.
    fn remember(&mut self, seed: [u64; 2]) -> Result<(), BenchError> {
        let now = clock::seconds();
        let expires = now.wrapping_add(LASTS);
        let flows = self.subjects.iter().flat_map(|subject| {
            let armed = subject.case.is_some_and(|case| case.memory.arms());
            let epoch = if armed { EPOCH } else { 0 };
            (0..subject.remembered).zip(subject.targets.iter().cycle()).map(
                move |(flow, target)| {
                    let hash = flow_hash(&subject.datagram(flow), seed);
                    (hash, Owner { target: *target, epoch, expires })
                },
            )
        });
        let refused = self.balancer.remember(flows, now);
        let all: u32 = self.subjects.iter().map(|subject| subject.remembered).sum();
        if refused > usize::try_from(all / REFUSED_PART).unwrap_or(0) {
            return Err(BenchError::NotRemembered { count: refused });
        }
        Ok(())
    }

    /// The counters of a subject.
    pub(super) fn counters(&self, subject: usize) -> Result<Stats, BenchError> {
        let subject = self.subjects.get(subject);
        let (listener, targets) =
            subject.map_or((vec![], &[][..]), |one| (vec![one.listener.id], &one.targets[..]));
        Ok(self.stats.read(&listener, targets)?)
    }
}

/// Arms every slot of a subject's group: the flows that nothing is remembered of belong to the target
/// after the current one.
fn arm(
    store: &mut KernelStore,
    tables: &Tables,
    subject: &MeasuredListener,
) -> Result<(), BenchError> {
    let Some(group) = tables.groups.get(&subject.listener.group) else { return Ok(()) };
    let next = |id: u16| {
        let after = subject.targets.iter().copied().find(|other| *other > id);
        after.or_else(|| subject.targets.first().copied()).unwrap_or(id)
    };
    let armed = |slot: &Slot| Slot {
        current: slot.current,
        home: next(slot.current),
        epoch: EPOCH,
        flags: Slot::ARMED,
    };
    let slots = (group.ring.base()..).zip(group.slots.iter().map(armed)).collect();
    store.apply(&MapOp::WriteSlots(slots))?;
    Ok(())
}

fn subject(
    name: String,
    key: ListenerKey,
    tables: &Tables,
) -> Result<MeasuredListener, BenchError> {
    let listener = tables.listeners.get(&key).copied().ok_or_else(|| {
        BenchError::Usage(format!("there is no listener {name} on a single address and port"))
    })?;
    let slots = tables.groups.get(&listener.group).map_or(&[][..], |group| &*group.slots);
    let homes = slots.iter().flat_map(|slot| [slot.current, slot.home]).filter(|id| *id != 0);
    let targets: std::collections::BTreeSet<u16> = homes.collect();
    let targets = targets.into_iter().collect();
    Ok(MeasuredListener { name, case: None, key, remembered: 0, listener, targets })
}

/// How a live listener is called.
pub(super) fn listener_name(key: &ListenerKey) -> String {
    let family = if key.family == Family::V6 as u8 { Family::V6 } else { Family::V4 };
    let place = std::net::SocketAddr::new(key.address.to_ip(family), key.port.get());
    format!("{place}/{}", protocol_name(key.protocol))
}

/// The name of an IP protocol that listeners can have.
pub(super) const fn protocol_name(number: u8) -> &'static str {
    if number == TCP { "tcp" } else { "udp" }
}

impl MeasuredListener {
    /// Why it is not measured with so many flows, if it is not.
    pub(super) fn unfit(&self, flows: Flows) -> Option<&'static str> {
        if let Some(case) = &self.case {
            return case.unfit(flows);
        }
        let tracked = self.listener.flags & Listener::TRACKED != 0;
        let too_many = tracked && !flows.all_new && flows.count > LIVE_REMEMBERED;
        too_many.then_some("more flows than can be remembered in advance")
    }

    /// Whether its flows have bindings, which their first packets make.
    pub(super) fn binds(&self) -> bool {
        self.listener.flags & Listener::NAT != 0
    }

    /// Whether its packets are those of whole connections.
    pub(super) fn connects(&self) -> bool {
        self.case.is_some_and(|case| case.memory == Memory::Whole)
    }

    /// What its packets may count.
    pub(super) fn counts(&self, flows: Flows) -> Counts {
        match &self.case {
            Some(case) if case.memory == Memory::Opening => Counts::Remembering,
            Some(case) if case.memory == Memory::Whole => Counts::Connections,
            None if flows.all_new => Counts::Flows,
            _ if self.remembered > 0 && !flows.all_new => Counts::Few,
            _ => Counts::Nothing,
        }
    }

    /// Number of its targets.
    pub(super) fn target_count(&self) -> usize {
        self.targets.len()
    }

    /// Its packets.
    pub(super) fn frame(&self, opens: bool) -> Result<Frame, BenchError> {
        let quic = self.listener.flags & Listener::QUIC != 0;
        let frame = frame(&self.key, opens, quic)?;
        Ok(Frame { connects: self.connects(), ..frame })
    }

    /// A packet of the generator's flow with this number.
    fn datagram(&self, flow: u32) -> Datagram {
        let [_, high, middle, low] = flow.to_be_bytes();
        let v4 = [10, high, low, middle];
        let (family, source, header_length) = if self.key.family == Family::V6 as u8 {
            let mut bytes = CLIENT_V6;
            bytes[12..].copy_from_slice(&v4);
            (Family::V6, Address::v6(bytes), 40)
        } else {
            (Family::V4, Address::v4(v4), 20)
        };
        Datagram {
            family,
            source,
            destination: self.key.address,
            protocol: self.key.protocol,
            traffic_class: 0,
            length: 0,
            header_length,
            source_port: Be16::new(CLIENT_PORT),
            destination_port: self.key.port,
            tcp_flags: 0,
            sequence: lb_common::Sequence::default(),
            content: Content::Whole,
        }
    }
}

/// Clients with IPv6; the generator writes the last four bytes.
const CLIENT_V6: [u8; 16] = [0xfd, 0xcc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A packet for a listener, padded; one that opens a flow is a SYN or an Initial.
pub(super) fn frame(key: &ListenerKey, opens: bool, quic: bool) -> Result<Frame, BenchError> {
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let is_v6 = key.family == Family::V6 as u8;
    let ip = if is_v6 {
        link.ipv6(CLIENT_V6, key.address.octets(), 64)
    } else {
        link.ipv4([10, 0, 0, 0], key.address.first_four(), 64)
    };
    let mut bytes = Vec::new();
    let written = if key.protocol == TCP {
        let segment = ip.tcp(CLIENT_PORT, key.port.get(), 1, 65_000);
        let segment = if opens { segment.syn() } else { segment.ack(1) };
        segment.write(&mut bytes, &[])
    } else {
        let payload: &[u8] = if quic && opens { &QUIC_INITIAL } else { &[] };
        ip.udp(CLIENT_PORT, key.port.get()).write(&mut bytes, payload)
    };
    written.map_err(|error| BenchError::Frame(error.to_string()))?;
    bytes.resize(FRAME_LENGTH, 0);
    let long = |_| BenchError::Frame(format!("longer than {FRAME_LENGTH} bytes"));
    let bytes = bytes.try_into().map_err(long)?;
    Ok(Frame { bytes, address_offset: if is_v6 { V6_OFFSET } else { V4_OFFSET }, connects: false })
}
