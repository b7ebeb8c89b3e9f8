//! Mode `l2dsr`: only the MAC addresses change; the target is on the same link and has the VIP.

use lb_common::{DropReason, Target};

use crate::{Datagram, Packet, header::Ethernet, link::Link};

/// Addresses the frame to the target.
#[inline(always)]
pub(crate) fn write<P: Packet>(
    packet: &mut P,
    _link: &Link,
    datagram: &Datagram,
    target: &Target,
    _hash: u64,
) -> Result<(), DropReason> {
    if datagram.length > target.mtu {
        return Err(DropReason::PacketTooBig);
    }
    let ethernet = packet.get_mut::<Ethernet>(0).ok_or(DropReason::HeadroomExhausted)?;
    ethernet.destination = target.destination_mac;
    ethernet.source = target.source_mac;
    Ok(())
}
