//! ICMP for VIPs: pings are answered here, errors go to the target of the flow in them.

pub(crate) mod echo;
pub(crate) mod quote;
pub(crate) mod too_big;

use lb_common::{DropReason, Family, VipKey};

use self::quote::Unusable;
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
    let vip = VipKey::new(ip.family, ip.destination);
    let is_vip = listener::is_vip(&vip, tables);
    // Bytes after the IP packet are padding, whatever they contain: the message is cut off.
    let room = usize::from(ip.length).wrapping_sub(ip.header_length);
    if room < Icmp::LEN {
        return Err(cut_off(is_vip));
    }
    let offset = link.ip_offset() + ip.header_length;
    let icmp = *packet.get::<Icmp>(offset).ok_or(Stop::Pass)?;
    if is_echo_request(ip.family, &icmp) && is_vip {
        return Err(Stop::Echo);
    }
    if !is_error(ip.family, icmp.kind()) {
        return Err(Stop::Pass);
    }
    let quote = match quote::parse(packet, ip.family, offset + Icmp::LEN, room - Icmp::LEN) {
        Ok(quote) => quote,
        Err(Unusable::CutOff) => return Err(cut_off(is_vip)),
        Err(Unusable::OtherPacket) => return Err(Stop::Pass),
    };
    // The packet that it is about was sent by a target, from the VIP to a client.
    if quote.source != ip.destination {
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

/// What becomes of a message whose header, or whose quote, ends behind its IP packet.
#[inline(always)]
fn cut_off(is_vip: bool) -> Stop {
    if is_vip { DropReason::TransportHeaderMalformed.into() } else { Stop::Pass }
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
