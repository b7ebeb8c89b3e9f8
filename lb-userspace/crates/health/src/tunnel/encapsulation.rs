//! PURE: the frame that the data path makes of a packet. It is the data path itself that makes it
//! (`lb_ebpf::process`), on tables that hold one listener and one target: what a probe tests is
//! what a client's packet meets, by construction.

use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use lb_common::{
    Be16, DropReason, Family, Listener, ListenerKey, RingRef, Slot, Target,
    listener::protocol::{TCP, UDP},
};
use lb_ebpf::{
    Verdict,
    host::{MemoryTables, VecPacket},
};

/// A frame and the interface that it leaves by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) interface: u32,
    pub(super) bytes: Vec<u8>,
}

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the data path drops such packets ({})", .0.name())]
    Drop(DropReason),
    #[error("it is not for the VIP")]
    NotOurs,
}

/// The Ethernet header of a packet that comes in; any unicast destination will do.
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const ETHER_TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHER_TYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// No interface has this index: every target is out of another one.
const INGRESS: u32 = 0;
const ID: u16 = 1;

/// The source of a TCP or UDP packet; `None` for anything else.
pub(super) fn source_of(packet: &[u8]) -> Option<SocketAddr> {
    let parts = SlicedPacket::from_ip(packet).ok()?;
    let address = match parts.net? {
        NetSlice::Ipv4(ip) => IpAddr::V4(ip.header().source_addr()),
        NetSlice::Ipv6(ip) => IpAddr::V6(ip.header().source_addr()),
        NetSlice::Arp(_) => return None,
    };
    let port = match parts.transport? {
        TransportSlice::Tcp(tcp) => tcp.source_port(),
        TransportSlice::Udp(udp) => udp.source_port(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// What the data path makes of an IP packet for a listener on `vip` whose only target this is.
pub(super) fn encapsulate(
    packet: &[u8],
    vip: SocketAddr,
    target: &Target,
    hash_seed: [u64; 2],
) -> Result<Frame, Refusal> {
    let ether_type = match packet.first().map(|first| first >> 4) {
        Some(4) => ETHER_TYPE_IPV4,
        Some(6) => ETHER_TYPE_IPV6,
        _ => return Err(Refusal::NotOurs),
    };
    let mut packet = VecPacket::new(&[&MACS[..], &ether_type, packet].concat(), INGRESS);
    match lb_ebpf::process(&mut packet, &tables(vip, target, hash_seed)) {
        Verdict::Redirect(interface) => Ok(Frame { interface, bytes: packet.bytes().to_vec() }),
        // An answer to a packet that is too long: these tables allow none, it would be dropped.
        Verdict::Transmit => Err(Refusal::Drop(DropReason::PacketTooBig)),
        Verdict::Drop(reason) => Err(Refusal::Drop(reason)),
        Verdict::Pass => Err(Refusal::NotOurs),
    }
}

/// One listener on the VIP, whose ring is all the target's. The target is in service there,
/// regardless of its health: the health checks themselves use it.
fn tables(vip: SocketAddr, target: &Target, hash_seed: [u64; 2]) -> MemoryTables {
    let key = |protocol| {
        let address = vip.ip();
        ListenerKey::new(Family::from(&address), address.into(), Be16::new(vip.port()), protocol)
    };
    let listener = Listener { id: ID, group: ID, ..Listener::default() };
    let mut target = *target;
    target.flags |= Target::ROUTABLE | Target::ACCEPTING;
    MemoryTables {
        listeners: [(key(TCP), listener), (key(UDP), listener)].into(),
        // The shortest ring that differs from none: two slots.
        rings: [(ID, RingRef::new(0, 1))].into(),
        slots: [(0, Slot::unarmed(ID)), (1, Slot::unarmed(ID))].into_iter().collect(),
        targets: [(ID, target)].into(),
        seed: hash_seed,
        ..MemoryTables::default()
    }
}

#[cfg(test)]
mod tests;
