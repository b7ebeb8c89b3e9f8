//! ICMP for VIPs: pings are answered here, errors go to the target of the flow in them.

pub(crate) mod echo;
pub(crate) mod quote;
pub(crate) mod too_big;

use lb_common::{Family, VipKey};

use crate::{
    Datagram, Packet, Tables, Wire as _,
    datagram::{Content, Transport},
    header::{Icmp, icmp_v4, icmp_v6},
    ip_packet::IpPacket,
    link::Link,
    listener,
    verdict::Stop,
};

/// The flow that an ICMP error is about; any other message ends here.
#[inline(always)]
pub(crate) fn flow_of<P: Packet, T: Tables>(
    packet: &P,
    link: &Link,
    ip: &IpPacket,
    tables: &T,
) -> Result<Datagram, Stop> {
    if ip.protocol != protocol(ip.family) {
        return Err(Stop::Pass);
    }
    let offset = link.ip_offset() + ip.header_length;
    let icmp = *packet.get::<Icmp>(offset).ok_or(Stop::Pass)?;
    // Not even the header: nothing to answer, and nothing to find a flow by.
    if ip.header_length + Icmp::LEN > usize::from(ip.length) {
        return Err(Stop::Pass);
    }
    let vip = VipKey::new(ip.family, ip.destination);
    if is_echo_request(ip.family, &icmp) && listener::is_vip(&vip, tables) {
        return Err(Stop::Echo);
    }
    if !is_error(ip.family, icmp.kind()) {
        return Err(Stop::Pass);
    }
    let quote = quote::parse(packet, ip.family, offset + Icmp::LEN).ok_or(Stop::Pass)?;
    // The packet that it is about was sent by a target, from the VIP to a client.
    if quote.source != ip.destination {
        return Err(Stop::Pass);
    }
    // Bytes after the IP packet are padding, whatever they contain: the message is cut off, and the host's own
    // stack drops it. To count it here as malformed takes another look at whether this is a VIP,
    // which makes the verifier of Linux 6.1 walk an eighth more instructions.
    if !quote.fits(usize::from(ip.length).wrapping_sub(ip.header_length + Icmp::LEN)) {
        return Err(Stop::Pass);
    }
    let transport = Transport {
        source_port: quote.destination_port,
        destination_port: quote.source_port,
        ..Transport::default()
    };
    let flow = IpPacket { source: quote.destination, ..*ip };
    Ok(Datagram::new(&flow, quote.protocol, transport, Content::IcmpError))
}

/// The protocol number of a family's ICMP.
#[inline(always)]
pub(crate) const fn protocol(family: Family) -> u8 {
    match family {
        Family::V4 => icmp_v4::PROTOCOL,
        Family::V6 => icmp_v6::PROTOCOL,
    }
}

#[inline(always)]
fn is_echo_request(family: Family, icmp: &Icmp) -> bool {
    icmp.type_and_code
        == match family {
            Family::V4 => icmp_v4::ECHO_REQUEST,
            Family::V6 => icmp_v6::ECHO_REQUEST,
        }
}

/// Whether a balancer sends such a message to a target: errors for its flows, and pings that check it. Not
/// redirects and router advertisements, which would change how the target reaches others.
#[inline(always)]
pub(crate) fn may_enter_tunnel(family: Family, kind: u8) -> bool {
    let ping = match family {
        Family::V4 => icmp_v4::ECHO_REQUEST,
        Family::V6 => icmp_v6::ECHO_REQUEST,
    };
    u16::from(kind) == ping.get() >> 8 || is_error(family, kind)
}

/// Whether a message is about another packet (RFC 792; RFC 4443, section 2.1).
#[inline(always)]
const fn is_error(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => matches!(
            kind,
            icmp_v4::UNREACHABLE | icmp_v4::TIME_EXCEEDED | icmp_v4::PARAMETER_PROBLEM
        ),
        Family::V6 => icmp_v6::UNREACHABLE <= kind && kind <= icmp_v6::PARAMETER_PROBLEM,
    }
}
