//! The keyed hash of a flow, which chooses its slot.
//!
//! Pair-multiply-shift (Thorup, "High Speed Hashing for Integers and Strings", 2015, section 3.3),
//! then the finaliser of SplitMix64 (Stafford's Mix13). The first is strongly universal in its upper
//! 32 bits: for flows that were chosen without knowledge of the keys, every pair of hashes is as
//! likely as any other. The second spreads that over all 64 bits, and loses nothing, since it can be
//! reversed. Two multiplications for IPv4 and five for IPv6: SipHash-1-3, by comparison, is a third of
//! the balancer's time, since BPF has no rotation.
//!
//! What it does not promise: who can learn the target of each of very many flows of his choice may
//! calculate others. (Whoever sees that much can also just repeat those that met a target.)

use lb_common::Family;

use crate::{Datagram, nat::Ends, siphash::siphash13};

/// Words of the key.
pub const KEYS: usize = 11;

/// Added to every sum.
const SUMMAND: usize = 0;
/// First of two for ports, protocol and family.
const TAIL: usize = 1;
/// First of two for each 8 bytes of addresses.
const ADDRESSES: usize = 3;

/// The words of the key that belong to a seed: SipHash-1-3 of their numbers.
#[must_use]
pub fn keys(seed: [u64; 2]) -> [u64; KEYS] {
    core::array::from_fn(|index| key(seed, index))
}

/// One of [`keys`].
#[must_use]
pub(crate) fn key(seed: [u64; 2], index: usize) -> u64 {
    siphash13(seed, &[index as u64])
}

/// The hash of a flow: of its five-tuple and family, in network byte order.
#[must_use]
pub fn flow_hash(datagram: &Datagram, seed: [u64; 2]) -> u64 {
    of(datagram.family, datagram.protocol, &Ends::of(datagram), |index| key(seed, index))
}

/// [`flow_hash`] of these ends.
#[must_use]
#[inline(always)]
pub(crate) fn of(family: Family, protocol: u8, ends: &Ends, key: impl Fn(usize) -> u64) -> u64 {
    let ports = u64::from(ends.source_port.raw.to_le())
        | u64::from(ends.destination_port.raw.to_le()) << 16;
    let kind = u64::from(protocol) | (family as u64) << 8;
    let tail = key(SUMMAND).wrapping_add(pair(ports, kind, TAIL, &key));
    let [source_low, source_high] = ends.source.words.map(u64::to_le);
    let [destination_low, destination_high] = ends.destination.words.map(u64::to_le);
    mix(tail.wrapping_add(match family {
        Family::V4 => pair(source_low, destination_low, ADDRESSES, &key),
        Family::V6 => halves(source_low, ADDRESSES, &key)
            .wrapping_add(halves(source_high, ADDRESSES + 2, &key))
            .wrapping_add(halves(destination_low, ADDRESSES + 4, &key))
            .wrapping_add(halves(destination_high, ADDRESSES + 6, &key)),
    }))
}

/// The hash of a client's address and family alone.
#[must_use]
#[inline(always)]
pub(crate) fn of_client(datagram: &Datagram, key: impl Fn(usize) -> u64) -> u64 {
    let [low, high] = datagram.source.words.map(u64::to_le);
    let tail = key(SUMMAND).wrapping_add(pair(0, datagram.family as u64, TAIL, &key));
    mix(tail.wrapping_add(halves(low, ADDRESSES, &key)).wrapping_add(halves(
        high,
        ADDRESSES + 2,
        &key,
    )))
}

/// Two words of 32 bits.
#[inline(always)]
fn pair(one: u64, other: u64, first: usize, key: &impl Fn(usize) -> u64) -> u64 {
    key(first).wrapping_add(other).wrapping_mul(key(first + 1).wrapping_add(one))
}

/// The two halves of a word.
#[inline(always)]
fn halves(word: u64, first: usize, key: &impl Fn(usize) -> u64) -> u64 {
    pair(word & 0xffff_ffff, word >> 32, first, key)
}

#[inline(always)]
const fn mix(mut sum: u64) -> u64 {
    sum = (sum ^ sum >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    sum = (sum ^ sum >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ sum >> 31
}
