//! What the data path may do with a packet.

use bytemuck::Pod;
use lb_common::{DropReason, target::HEAD_WORDS};

use crate::chain::Chain;

/// A header as in a packet: any bytes are valid, at any even address.
///
/// Even, not any: the Ethernet header and everything after it have an even length and drivers put
/// frames at even addresses, so words of 16 bits can be loaded at once; at any address, LLVM loads
/// byte by byte. (LLVM 22 knows a feature for misaligned access. It also merges accesses to the
/// stack into misaligned ones, which the verifier refuses.)
pub trait Wire: Pod {
    /// Its length in bytes.
    const LEN: usize = {
        assert!(align_of::<Self>() <= 2, "a header may lie at any even address");
        size_of::<Self>()
    };
}

/// Words of a header with constant offsets: one load each, instead of two or four for fields of two
/// bytes.
pub trait Words {
    /// The four bytes at `AT` of a header in memory order, followed by zeros.
    #[inline(always)]
    fn four<const AT: usize, T: Wire>(header: &T) -> u64 {
        let bytes =
            bytemuck::bytes_of(header).get(AT..AT + 4).and_then(|bytes| bytes.first_chunk());
        let [a, b, c, d] = *bytes.unwrap_or(&[0; 4]);
        u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0])
    }

    /// Writes the first four bytes of a word in memory order at `AT` of a header.
    #[inline(always)]
    fn put_four<const AT: usize, T: Wire>(header: &mut T, word: u64) {
        let [a, b, c, d, ..] = word.to_ne_bytes();
        if let Some(bytes) = bytemuck::bytes_of_mut(header).get_mut(AT..AT + 4) {
            bytes.copy_from_slice(&[a, b, c, d]);
        }
    }

    /// Writes a word in memory order at `AT` of a header.
    #[inline(always)]
    fn put_eight<const AT: usize, T: Wire>(header: &mut T, word: u64) {
        if let Some(bytes) = bytemuck::bytes_of_mut(header).get_mut(AT..AT + 8) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
    }

    /// The eight bytes at `AT` of a header in memory order.
    #[inline(always)]
    fn eight<const AT: usize, T: Wire>(header: &T) -> u64 {
        let bytes =
            bytemuck::bytes_of(header).get(AT..AT + 8).and_then(|bytes| bytes.first_chunk());
        u64::from_ne_bytes(*bytes.unwrap_or(&[0; 8]))
    }
}

/// There is no headroom in front of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadroomExhausted;

/// One packet, from its Ethernet header on. References into it end where its head moves: the
/// borrow checker refuses stale ones.
pub trait Packet: Words {
    /// Whether it has at least `length` bytes. A frame may have several buffers: [`Packet::get`]
    /// reaches into the first one only.
    fn holds(&self, length: usize) -> bool;

    /// Whether at least `length` bytes of it are in the first buffer.
    fn holds_in_first_buffer(&self, length: usize) -> bool;

    /// Index of the interface that it came in by.
    fn ingress(&self) -> u32;

    /// The header at `offset`, which is even, if the packet is long enough.
    fn get<T: Wire>(&self, offset: usize) -> Option<&T>;

    /// The header at `offset`, which is even, to be changed, if the packet is long enough.
    fn get_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T>;

    /// A copy of the byte at `offset`, if the packet is long enough. It is a call of the kernel's, and the
    /// verifier has to remember nothing of it: for what is rarely asked, behind headers of any length.
    fn copy_byte(&self, offset: usize) -> Option<u8>;

    /// See [`crate::extensions::walk`].
    fn extension_chain(&self, offset: usize, first: u8, length: usize)
    -> Result<Chain, DropReason>;

    /// See [`crate::packet_sum::of`].
    fn sum(&self, offset: usize, length: u16) -> Option<u32>;

    /// Replaces its first `old` bytes by the first `new` bytes of words in memory order; both numbers
    /// are even.
    fn replace_head(
        &mut self,
        old: usize,
        words: &[u64; HEAD_WORDS],
        new: usize,
    ) -> Result<(), HeadroomExhausted>;

    /// Whether an IP packet of `length` bytes fits an interface; if not, how long it may be, 0 when
    /// there is no such interface.
    fn fits_interface(&self, interface: u32, length: u16) -> Result<(), u16>;

    /// Puts `bytes` undefined bytes, an even number, in front of the packet.
    fn grow_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted>;

    /// Cuts it off behind its first `length` bytes; an error when it is shorter.
    fn shrink_tail(&mut self, length: usize) -> Result<(), HeadroomExhausted>;

    /// Removes `bytes` bytes, an even number, from its front; an error when it is not longer than that.
    fn shrink_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted>;
}
