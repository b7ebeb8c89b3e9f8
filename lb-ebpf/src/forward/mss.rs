//! TCP MSS clamping: lowers the MSS option of a SYN, so that the peer's segments fit a smaller MTU.

use crate::{
    Packet, Wire as _, checksum,
    header::{Tcp, TcpOption},
};

/// Kinds of TCP options (RFC 9293).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;

/// Length of the MSS option.
const MSS_LENGTH: u8 = 4;

/// Maximum number of options in a SYN that are parsed: each has at least two of the forty bytes,
/// except padding.
const OPTIONS_MAX: usize = 16;

/// Lowers the MSS option of the SYN at `offset` to `limit` bytes. A SYN without one, or with options
/// that contradict themselves, stays as it is.
#[inline(always)]
pub(crate) fn clamp<P: Packet>(packet: &mut P, offset: usize, limit: u16) {
    let _unchanged = lower(packet, offset, limit);
}

#[inline(always)]
fn lower<P: Packet>(packet: &mut P, offset: usize, limit: u16) -> Option<()> {
    let end = packet.get::<Tcp>(offset)?.header_length();
    let mut at = Tcp::LEN;
    for _ in 0..OPTIONS_MAX {
        if at + usize::from(MSS_LENGTH) > end {
            return None;
        }
        let [kind, length, ..] = packet.get::<TcpOption>(offset + at)?.bytes;
        match kind {
            END => return None,
            NO_OPERATION => at += 1,
            MSS => return rewrite(packet, offset, at, limit),
            _ if length < 2 => return None,
            // The verifier's bound: options end within 60 bytes.
            _ => at = (at + usize::from(length)) & 0xff,
        }
    }
    None
}

/// Writes the option at `offset + at`, and the checksum that covers it (RFC 1624).
#[inline(always)]
fn rewrite<P: Packet>(packet: &mut P, offset: usize, at: usize, limit: u16) -> Option<()> {
    let option = packet.get_mut::<TcpOption>(offset + at)?;
    let [_, length, high, low] = option.bytes;
    let offered = u16::from_be_bytes([high, low]);
    if length != MSS_LENGTH || offered <= limit {
        return None;
    }
    let [high, low] = limit.to_be_bytes();
    (option.bytes[2], option.bytes[3]) = (high, low);
    // The sum is over words from the start of the header: at an odd place, bytes change sides.
    let (old, new) = if at.is_multiple_of(2) {
        (offered, limit)
    } else {
        (offered.swap_bytes(), limit.swap_bytes())
    };
    let tcp = packet.get_mut::<Tcp>(offset)?;
    tcp.checksum = checksum::update(tcp.checksum, old, new);
    Some(())
}
