//! The keyed hash of a flow, which chooses its slot.
//!
//! Pair-multiply-shift (Thorup, "High Speed Hashing for Integers and Strings", 2015, section 3.3),
//! then the finaliser of SplitMix64 (Stafford's Mix13). The first is strongly universal in its upper
//! 32 bits: for flows that were chosen without knowledge of the keys, every pair of hashes is as
//! likely as any other. The second spreads that over all 64 bits, and loses nothing, since it can be
//! reversed. Two multiplications for IPv4 and five for IPv6: SipHash-1-3, by comparison, is a third of
//! the balancer's time, since BPF has no rotation.
//!
//! A product holds one half of a source address and one of a destination address, never two halves that
//! the sender chooses: chosen together, they could be searched for sources whose products agree, and
//! whose hashes then agree whatever the rest of the packet is. Where there is no destination
//! ([`of_client`]) each half is multiplied on its own (multilinear hashing; the same paper, section 3.2).
//!
//! It gives no protection against an attacker who can learn the target of very many chosen flows
//! and calculate others from them. (Such an attacker can also repeat flows that met a target.)

use lb_common::Family;

use crate::{Datagram, ends::Ends, siphash::siphash13};

/// Words of the key.
pub const KEYS: usize = 11;

/// Added to every sum.
const SUMMAND: usize = 0;
/// First of two for ports, protocol and family.
const TAIL: usize = 1;
/// First of two for each pair of halves of addresses.
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
        Family::V6 => words(source_low, destination_low, ADDRESSES, &key).wrapping_add(words(
            source_high,
            destination_high,
            ADDRESSES + 4,
            &key,
        )),
    }))
}

/// The hash of a client's address and family alone.
#[must_use]
#[inline(always)]
pub(crate) fn of_client(datagram: &Datagram, key: impl Fn(usize) -> u64) -> u64 {
    let [low, high] = datagram.source.words.map(u64::to_le);
    let term = |number, half: u64| key(number).wrapping_mul(half);
    mix(key(SUMMAND)
        .wrapping_add(term(TAIL, datagram.family as u64))
        .wrapping_add(term(ADDRESSES, low & HALF))
        .wrapping_add(term(ADDRESSES + 1, low >> 32))
        .wrapping_add(term(ADDRESSES + 2, high & HALF))
        .wrapping_add(term(ADDRESSES + 3, high >> 32)))
}

/// The lower half of a word.
const HALF: u64 = 0xffff_ffff;

/// Two words of 32 bits.
#[inline(always)]
fn pair(one: u64, other: u64, first: usize, key: &impl Fn(usize) -> u64) -> u64 {
    key(first).wrapping_add(other).wrapping_mul(key(first + 1).wrapping_add(one))
}

/// A word of a source and one of a destination: each half of the one with a half of the other.
#[inline(always)]
fn words(source: u64, destination: u64, first: usize, key: &impl Fn(usize) -> u64) -> u64 {
    pair(source & HALF, destination & HALF, first, key).wrapping_add(pair(
        source >> 32,
        destination >> 32,
        first + 2,
        key,
    ))
}

#[inline(always)]
const fn mix(mut sum: u64) -> u64 {
    sum = (sum ^ sum >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    sum = (sum ^ sum >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ sum >> 31
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use lb_common::{Address, Be16};

    use super::*;

    const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

    fn datagram(source: &str, destination: &str, ports: [u16; 2], protocol: u8) -> Datagram {
        let [source, destination]: [IpAddr; 2] =
            [source, destination].map(|address| address.parse().unwrap());
        Datagram {
            family: Family::from(&source),
            source: source.into(),
            destination: destination.into(),
            source_port: Be16::new(ports[0]),
            destination_port: Be16::new(ports[1]),
            protocol,
            ..Datagram::EMPTY
        }
    }

    /// Calculated in Python, with whole numbers of any size. They change with the ABI number only.
    #[test]
    fn hashes_do_not_change_between_versions() {
        let v4 = datagram("198.51.100.7", "203.0.113.10", [40_000, 80], 6);
        let v6 = datagram("2001:db8:1:2:3:4:5:6", "2001:db8:f::10", [40_000, 443], 17);
        assert_eq!(flow_hash(&v4, SEED), 0xa1a5_936c_9dec_c6b5);
        assert_eq!(flow_hash(&v6, SEED), 0xef4a_1fed_f190_c0ce);
        let client = |datagram| of_client(&datagram, |index| key(SEED, index));
        assert_eq!(client(v4), 0x3a02_efca_a3ae_2f5b);
        assert_eq!(client(v6), 0xe51a_666b_0652_1e36);
    }

    /// With keys that make a factor of a product zero, all sources that share this factor have one hash,
    /// if the other factor is theirs, too.
    #[test]
    fn no_half_of_a_source_hides_another() {
        const CHOSEN: u32 = 0x1234_5678;
        let source = |words: [u32; 4]| {
            let words = words.map(u64::from);
            let words = [words[0] | words[1] << 32, words[2] | words[3] << 32];
            Datagram {
                family: Family::V6,
                source: Address { words: words.map(u64::from_le) },
                ..datagram("::", "2001:db8::10", [40_000, 443], 6)
            }
        };
        // An attacker would have to find the key; this test has it.
        let zero = |index: usize| match index {
            0 => 0,
            _ => 0_u64.wrapping_sub(CHOSEN.into()),
        };
        let flow = |words| of(Family::V6, 6, &Ends::of(&source(words)), zero);
        let client = |words| of_client(&source(words), zero);
        for place in 0..4 {
            let [mut one, mut other] = [[CHOSEN; 4]; 2];
            (one[place], other[place]) = (1, 2);
            assert_ne!(flow(one), flow(other), "{place}");
            assert_ne!(client(one), client(other), "{place}");
        }
    }
}
