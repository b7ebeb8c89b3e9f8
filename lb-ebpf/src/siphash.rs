//! SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) over whole words.
//!
//! Own code because the message is a handful of registers here: a general hasher buffers bytes,
//! which costs the packet path more than the rounds. A test compares it with the crate siphasher.

/// The hash of `words`, taken as 8 little-endian bytes each.
#[must_use]
#[inline(always)]
pub(crate) fn siphash13(key: [u64; 2], words: &[u64]) -> u64 {
    let [k0, k1] = key;
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    for word in words {
        state = absorb(state, *word);
    }
    state = absorb(state, (words.len() as u64) << 59);
    let [a, b, c, d] = state;
    let [a, b, c, d] = round(round(round([a, b, c ^ 0xff, d])));
    a ^ b ^ c ^ d
}

#[inline(always)]
fn absorb([a, b, c, d]: [u64; 4], word: u64) -> [u64; 4] {
    let [a, b, c, d] = round([a, b, c, d ^ word]);
    [a ^ word, b, c, d]
}

#[inline(always)]
fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher as _;

    use siphasher::sip::SipHasher13;

    use super::*;

    #[test]
    fn it_is_the_siphash_of_the_crate() {
        let mut word = 0x0123_4567_89ab_cdef_u64;
        for length in 0..6 {
            let mut words = [0; 6];
            for slot in &mut words {
                word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
                *slot = word;
            }
            let mut reference = SipHasher13::new_with_keys(7, word);
            for word in &words[..length] {
                reference.write(&word.to_le_bytes());
            }
            assert_eq!(siphash13([7, word], &words[..length]), reference.finish());
        }
    }
}
