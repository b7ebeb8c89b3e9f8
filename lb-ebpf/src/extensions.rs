//! The chain of IPv6 extension headers (RFC 8200, section 4) in front of a payload.

use lb_common::{DropReason, limits::EXTENSION_HEADERS_MAX};

use crate::{
    Packet, Wire as _,
    chain::{self, Chain},
    header::{Extension, Ipv6, next_header},
};

const _: () = assert!(Ipv6::LEN == chain::IPV6_HEADER as usize);

/// Follows the extension headers of the IPv6 packet at `offset`, whose next header has the number `first`;
/// in a fragment that is not the first, as far as the fragment header. `length` is that of the packet in
/// bytes: what is behind it is padding, whatever it contains.
///
/// In BPF this is a separate function: the chain has so many outcomes that the verifier would walk all that
/// comes after it dozens of times.
#[inline(always)]
pub fn walk<P: Packet>(
    packet: &P,
    offset: usize,
    first: u8,
    length: usize,
) -> Result<Chain, DropReason> {
    let mut chain = Chain::none(first);
    let mut header_length = Ipv6::LEN;
    for _ in 0..EXTENSION_HEADERS_MAX {
        if !is_extension(chain.protocol) {
            break;
        }
        // The verifier loses the bound of a sum over loop rounds; the mask gives it back. Seven
        // headers of at most 2,048 bytes never reach it.
        let at = offset + (header_length & 0x3fff);
        let extension = packet.get::<Extension>(at).ok_or(DropReason::ExtensionHeaderMalformed)?;
        if header_length + Extension::LEN > length {
            return Err(DropReason::ExtensionHeaderMalformed);
        }
        header_length += extension.length_as(chain.protocol);
        if chain.protocol == next_header::FRAGMENT {
            let fragment = extension.fragment();
            chain.identification = fragment.identification;
            chain.fragment_offset = fragment.offset;
            chain.more = u8::from(fragment.more);
        }
        chain.protocol = extension.next_header;
        if chain.fragment_offset != 0 {
            break;
        }
    }
    // What follows a later fragment is not a header.
    if is_extension(chain.protocol) && chain.fragment_offset == 0 {
        return Err(DropReason::ExtensionHeadersTooMany);
    }
    chain.header_length = header_length as u16;
    Ok(chain)
}

/// Whether this is the number of an extension header.
#[must_use]
#[inline(always)]
pub const fn is_extension(protocol: u8) -> bool {
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
