//! Flows: five-tuples that share few slots, so that one slot sees many of them, and their frames.

use std::sync::LazyLock;

use etherparse::PacketBuilder;
use lb_common::{Be16, Family, RingRef};
use lb_ebpf::{Content, Datagram, flow_hash};

use crate::random::Random;

pub(crate) const PORT: u16 = 80;
/// VIPs of the listeners; most simulations have one.
pub(crate) const VIPS: [[u8; 4]; 2] = [[203, 0, 113, 10], [203, 0, 113, 11]];
pub(crate) const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

/// log2 of the slots of the smallest ring.
const BITS: u8 = 12;

/// Slots that flows are made for, and flows of each.
const SLOTS: usize = 64;
const FLOWS_PER_SLOT: usize = 24;

/// One five-tuple.
#[derive(Debug)]
pub(crate) struct Tuple {
    pub(crate) hash: u64,
    /// A SYN, and a segment of an open connection.
    pub(crate) syn: Vec<u8>,
    pub(crate) segment: Vec<u8>,
}

/// All flows of each listener, slot by slot.
static TUPLES: [LazyLock<Vec<Vec<Tuple>>>; 2] =
    [LazyLock::new(|| make(VIPS[0])), LazyLock::new(|| make(VIPS[1]))];

/// The flows of some slots, to a listener.
pub(crate) fn of_slots(random: &mut Random, slots: usize, listener: usize) -> Vec<&'static Tuple> {
    let first = random.below(SLOTS);
    (0..slots).flat_map(|slot| &TUPLES[listener][(first + slot) % SLOTS]).collect()
}

fn make(vip: [u8; 4]) -> Vec<Vec<Tuple>> {
    let mut random = Random::new(1);
    let ring = RingRef::new(0, BITS);
    let mut tuples: Vec<Vec<Tuple>> = (0..SLOTS).map(|_| Vec::new()).collect();
    while tuples.iter().any(|slot| slot.len() < FLOWS_PER_SLOT) {
        let number = u32::try_from(random.below(1 << 17)).expect("17 bits");
        let [_, a, b, c] = number.to_be_bytes();
        let client = [198, 18 + a, b, c];
        let port = u16::try_from(1024 + random.below(60_000)).expect("16 bits");
        let hash = flow_hash(&datagram(client, port, vip), SEED);
        let slot = ring.slot_of(hash);
        if slot < SLOTS && tuples[slot].len() < FLOWS_PER_SLOT {
            let frame = |syn| frame(client, port, vip, syn);
            tuples[slot].push(Tuple { hash, syn: frame(true), segment: frame(false) });
        }
    }
    tuples
}

fn datagram(client: [u8; 4], port: u16, vip: [u8; 4]) -> Datagram {
    Datagram {
        family: Family::V4,
        source: lb_common::Address::v4(client),
        destination: lb_common::Address::v4(vip),
        protocol: 6,
        traffic_class: 0,
        length: 0,
        header_length: 20,
        source_port: Be16::new(port),
        destination_port: Be16::new(PORT),
        tcp_flags: 0,
        sequence: lb_common::Sequence::default(),
        content: Content::Whole,
    }
}

fn frame(client: [u8; 4], port: u16, vip: [u8; 4], syn: bool) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(client, vip, 64);
    let tcp = ip.tcp(port, PORT, 1, 64_240);
    let mut bytes = Vec::new();
    let written =
        if syn { tcp.syn().write(&mut bytes, &[]) } else { tcp.ack(1).write(&mut bytes, b"x") };
    written.expect("a vector takes all");
    bytes
}
