//! IPv4 and IPv6 as one trait.

use lb_common::{Address, DropReason, Family, VipKey, limits::EXTENSION_HEADERS_MAX};

use crate::{
    Packet, Wire as _,
    fault::Fault,
    header::{Extension, Ipv4, Ipv6, next_header},
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
        let end = walk_extensions(packet, offset, ip.next_header, length.into(), vip)?;
        if end.header_length > usize::from(length) {
            return Err(Fault::malformed(vip, DropReason::ExtensionHeaderMalformed));
        }
        Ok(IpPacket {
            family: Family::V6,
            source: Address::from_v6_words(ip.source),
            destination,
            protocol: end.protocol,
            traffic_class: ip.traffic_class(),
            length,
            header_length: end.header_length,
            fragment: end.fragment,
        })
    }
}

/// Where a chain of extension headers ends.
struct ChainEnd {
    protocol: u8,
    header_length: usize,
    fragment: Fragment,
}

/// Follows the extension headers of the IPv6 packet of `length` bytes at `offset`; in a fragment
/// that is not the first, as far as the fragment header.
#[inline(always)]
fn walk_extensions<P: Packet>(
    packet: &P,
    offset: usize,
    first: u8,
    length: usize,
    vip: VipKey,
) -> Result<ChainEnd, Fault> {
    let mut end =
        ChainEnd { protocol: first, header_length: Ipv6::LEN, fragment: Fragment::default() };
    for _ in 0..EXTENSION_HEADERS_MAX {
        if !is_extension(end.protocol) {
            return Ok(end);
        }
        // The verifier loses the bound of a sum over loop rounds; the mask gives it back. Seven
        // headers of at most 2,048 bytes never reach it.
        let at = offset + (end.header_length & 0x3fff);
        let extension = packet
            .get::<Extension>(at)
            .ok_or(Fault::malformed(vip, DropReason::ExtensionHeaderMalformed))?;
        // Bytes after the packet are padding, whatever they contain.
        if end.header_length + Extension::LEN > length {
            return Err(Fault::malformed(vip, DropReason::ExtensionHeaderMalformed));
        }
        end.header_length += extension.length_as(end.protocol);
        if end.protocol == next_header::FRAGMENT {
            end.fragment = extension.fragment();
        }
        end.protocol = extension.next_header;
        if end.fragment.offset != 0 {
            return Ok(end);
        }
    }
    if is_extension(end.protocol) {
        return Err(Fault::malformed(vip, DropReason::ExtensionHeadersTooMany));
    }
    Ok(end)
}

/// Whether this is the number of an extension header.
#[inline(always)]
pub(crate) const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        next_header::HOP_BY_HOP
            | next_header::ROUTING
            | next_header::FRAGMENT
            | next_header::AUTHENTICATION
            | next_header::DESTINATION_OPTIONS
            | next_header::MOBILITY
    )
}
