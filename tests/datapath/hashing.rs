//! The flow hash: the one of its paper, and evenly spread.

use lb_common::{Address, Be16, Family};
use lb_ebpf::{Content, Datagram, flow_hash};

use crate::{
    forwarding::flow_hash as reference,
    support::{
        frames::{CLIENT_V4, CLIENT_V6, Packet, TCP, VIP_V4, VIP_V6},
        kernel::SEED,
    },
};

fn datagram(packet: &Packet) -> Datagram {
    let (source, destination) = match packet.family {
        Family::V4 => (Address::v4(CLIENT_V4), Address::v4(VIP_V4)),
        Family::V6 => (Address::v6(CLIENT_V6), Address::v6(VIP_V6)),
    };
    Datagram {
        family: packet.family,
        source,
        destination,
        protocol: packet.protocol,
        traffic_class: packet.class,
        length: 0,
        header_length: 0,
        tcp_flags: 0,
        sequence: lb_common::Sequence::default(),
        content: Content::Whole,
        source_port: Be16::new(packet.source_port),
        destination_port: Be16::new(packet.port),
    }
}

#[test]
fn it_is_the_one_of_the_paper() {
    for family in [Family::V4, Family::V6] {
        for source_port in [0, 1, 40_000, 65_535] {
            let packet = Packet { source_port, ..Packet::new(family, TCP, 80) };
            assert_eq!(flow_hash(&datagram(&packet), SEED), reference(&packet));
        }
    }
}

#[test]
fn flows_spread_evenly_over_slots() {
    let mut slots = [0_u32; 64];
    for source_port in 0..=u16::MAX {
        let packet = Packet { source_port, ..Packet::new(Family::V4, TCP, 80) };
        slots[(flow_hash(&datagram(&packet), SEED) >> 58) as usize] += 1;
    }
    // 1,024 a slot, standard deviation 32: six of them.
    assert!(slots.iter().all(|count| (832..=1216).contains(count)), "{slots:?}");
}
