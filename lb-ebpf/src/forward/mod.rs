//! The forwarding modes: one a file, same signature.

mod ipip;
mod l2dsr;

use lb_common::{DropReason, Target, target::Mode};

use crate::{Datagram, Packet, Verdict, link::Link};

/// Writes the headers that lead to `target` and says where the packet leaves.
#[inline(always)]
pub(crate) fn forward<P: Packet>(
    packet: &mut P,
    link: &Link,
    datagram: &Datagram,
    target: &Target,
    hash: u64,
) -> Result<Verdict, DropReason> {
    if !target.is_resolved() {
        return Err(DropReason::NextHopUnresolved);
    }
    let interface = target.interface;
    match Mode::try_from(target.mode) {
        Ok(Mode::Ipip) => ipip::write(packet, link, datagram, target, hash)?,
        Ok(Mode::L2dsr) => l2dsr::write(packet, link, datagram, target, hash)?,
        Ok(_) | Err(_) => return Err(DropReason::ModeUnknown),
    }
    if interface == packet.ingress() {
        Ok(Verdict::Transmit)
    } else {
        Ok(Verdict::Redirect(interface))
    }
}
