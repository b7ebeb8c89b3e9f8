//! IPv4 and IPv6 as one trait.

use lb_common::{Address, DropReason, Family, VipKey};

use crate::{
    Packet, Wire as _,
    fault::Fault,
    header::{Ipv4, Ipv6, next_header},
    ip_packet::{Fragment, IpPacket},
};

/// One version of IP.
pub(crate) trait IpFamily {
    /// Its number as a payload of IP (RFC 2003, RFC 2473).
    const PROTOCOL: u8;

    /// Reads the header at `offset`, which is below 16,384.
    fn parse<P: Packet>(packet: &P, offset: usize) -> Result<IpPacket, Fault>;
}

/// IPv4.
pub(crate) struct V4;

/// IPv6.
pub(crate) struct V6;

impl IpFamily for V4 {
    const PROTOCOL: u8 = next_header::IPV4;

    #[inline(always)]
    fn parse<P: Packet>(packet: &P, offset: usize) -> Result<IpPacket, Fault> {
        let ip = packet.get::<Ipv4>(offset).ok_or(Fault::NOT_OURS)?;
        let destination = Address::from_v4_words(ip.destination);
        let vip = VipKey::new(Family::V4, destination);
        let length = ip.total_length.get();
        let header_length = ip.header_length();
        let sound = ip.version() == 4
            && header_length >= Ipv4::LEN
            && usize::from(length) >= header_length
            && packet.holds(offset + usize::from(length));
        if !sound {
            return Err(Fault::malformed(vip, DropReason::Ipv4HeaderMalformed));
        }
        Ok(IpPacket {
            family: Family::V4,
            source: Address::from_v4_words(ip.source),
            destination,
            protocol: ip.protocol,
            traffic_class: ip.traffic_class,
            length,
            header_length,
            fragment: Fragment {
                identification: u32::from(ip.identification.get()),
                offset: ip.fragment_offset(),
                more: ip.has_more_fragments(),
            },
        })
    }
}

impl IpFamily for V6 {
    const PROTOCOL: u8 = next_header::IPV6;

    #[inline(always)]
    fn parse<P: Packet>(packet: &P, offset: usize) -> Result<IpPacket, Fault> {
        let ip = packet.get::<Ipv6>(offset).ok_or(Fault::NOT_OURS)?;
        let destination = Address::from_v6_words(ip.destination);
        let vip = VipKey::new(Family::V6, destination);
        let payload_length = ip.payload_length.get();
        // A payload length of zero would be a jumbogram (RFC 2675), which Ethernet does not carry.
        let sound = ip.version() == 6
            && payload_length != 0
            && payload_length <= u16::MAX - 40
            && packet.holds(offset + Ipv6::LEN + usize::from(payload_length));
        if !sound {
            return Err(Fault::malformed(vip, DropReason::Ipv6HeaderMalformed));
        }
        let length = payload_length + 40;
        let chain = packet
            .extension_chain(offset, ip.next_header, length.into())
            .map_err(|reason| Fault::malformed(vip, reason))?;
        if chain.header_length > length {
            return Err(Fault::malformed(vip, DropReason::ExtensionHeaderMalformed));
        }
        Ok(IpPacket {
            family: Family::V6,
            source: Address::from_v6_words(ip.source),
            destination,
            protocol: chain.protocol,
            traffic_class: ip.traffic_class(),
            length,
            header_length: usize::from(chain.header_length),
            fragment: Fragment {
                identification: chain.identification,
                offset: chain.fragment_offset,
                more: chain.more != 0,
            },
        })
    }
}
