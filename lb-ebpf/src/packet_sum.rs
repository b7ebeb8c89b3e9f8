//! The sum of many bytes of a packet, for a checksum (RFC 1071).

use crate::{
    Packet,
    checksum::sum,
    header::{Byte, Words},
};

/// The sum of the words in the `length` bytes at `offset` of a packet, less than 2,048, for a checksum; `None`
/// when the packet is shorter.
///
/// A block for each bit of the length: a loop with a bound that the verifier does not know would be walked
/// once for each. In BPF this is a separate function: whether there is a block is ten questions, which
/// would be walked again for each way that leads here.
#[inline(always)]
pub fn of<P: Packet>(packet: &P, offset: usize, length: usize) -> Option<u32> {
    let mut total = 0;
    total += block::<P, 512>(packet, offset, length)?;
    total += block::<P, 256>(packet, offset, length)?;
    total += block::<P, 128>(packet, offset, length)?;
    total += block::<P, 64>(packet, offset, length)?;
    total += block::<P, 32>(packet, offset, length)?;
    total += block::<P, 16>(packet, offset, length)?;
    total += block::<P, 8>(packet, offset, length)?;
    total += block::<P, 4>(packet, offset, length)?;
    total += block::<P, 2>(packet, offset, length)?;
    total += block::<P, 1>(packet, offset, length)?;
    if !length.is_multiple_of(2) {
        let last = packet.get::<Byte>(offset + (length & !1))?;
        total += u32::from(last.byte) << 8;
    }
    Some(total)
}

/// The sum of the block of this many words in `length` bytes at `offset`; larger ones are before
/// it. 0 if there is none.
#[inline(always)]
fn block<P: Packet, const WORDS: usize>(packet: &P, offset: usize, length: usize) -> Option<u32> {
    let bytes = WORDS * 2;
    if length & bytes == 0 {
        return Some(0);
    }
    let block = packet.get::<Words<WORDS>>(offset + (length & !(2 * bytes - 1)))?;
    Some(sum(&block.words))
}
