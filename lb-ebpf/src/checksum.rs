//! The Internet checksum (RFC 1071).

use lb_common::Be16;

/// Folds a sum of 16-bit words into one ones' complement word.
#[must_use]
#[inline(always)]
pub const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) as u16
}

/// The sum of words in network byte order; at most 65,536 of them.
#[must_use]
#[inline(always)]
pub fn sum(words: &[u16]) -> u32 {
    let mut sum = 0;
    for word in words {
        sum += u32::from(u16::from_be(*word));
    }
    sum
}

/// A checksum after one 16-bit word that it covers has changed (RFC 1624, equation 3).
///
/// It gives 0 where the sum of what is covered is a zero. That is the right one of ones' complement's
/// two zeros, unless every covered word is 0: then a new sum would give 0xffff, and 0 is wrong. Headers of
/// IPv4 and what has a pseudo-header always have a word that is not 0; of all that is written here,
/// only an echo reply may have none (`icmp::echo`). In UDP a 0 says that there is no sum (`nat::rewrite`).
#[must_use]
#[inline(always)]
pub const fn update(checksum: Be16, old: u16, new: u16) -> Be16 {
    let sum = (!checksum.get()) as u32 + (!old) as u32 + new as u32;
    Be16::new(!fold(sum))
}

/// What replacing one word by another adds to a sum that covers it (RFC 1624, equation 3); both in memory
/// order, and so is the sum: that of words in any order of bytes is the sum in that order (RFC 1071,
/// section 2).
#[must_use]
#[inline(always)]
pub const fn swap(old: u16, new: u16) -> u32 {
    !old as u32 + new as u32
}

/// A checksum after words that it covers have changed by `change`, a sum of what [`swap`] gives, below
/// 2^32 - 2^16. Its zeros are those of [`update`].
#[must_use]
#[inline(always)]
pub const fn apply(checksum: Be16, change: u32) -> Be16 {
    let sum = !checksum.raw as u32 + fold(change) as u32;
    Be16 { raw: !fold(sum) }
}

/// A checksum of UDP after such a change: zero says that there is none, and a sum of zero is sent as ones
/// (RFC 768).
#[must_use]
#[inline(always)]
pub const fn apply_udp(checksum: Be16, change: u32) -> Be16 {
    if checksum.raw == 0 {
        return checksum;
    }
    let new = apply(checksum, change);
    if new.raw == 0 { Be16::new(0xffff) } else { new }
}

/// What replacing one word of 64 bits by another adds to a sum of words in memory order, to be folded by
/// [`fold_words`]: 2^16 is 1 there, and so is 2^32.
#[must_use]
#[inline(always)]
pub const fn replaced(old: u64, new: u64) -> u64 {
    const HALF: u64 = 0xffff_ffff;
    (!old & HALF) + (!old >> 32) + (new & HALF) + (new >> 32)
}

/// Folds a sum of what [`replaced`] gives, below 2^48.
#[must_use]
#[inline(always)]
pub const fn fold_words(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(words: &[u16]) -> Be16 {
        Be16::new(!fold(words.iter().map(|word| u32::from(*word)).sum()))
    }

    #[test]
    fn words_of_64_bits_change_a_sum_as_their_parts_do() {
        let parts = |word: u64| bytemuck::cast::<u64, [u16; 4]>(word);
        let words = [0, 1, 0xffff, u64::MAX, 0xffff_ffff, 0x1234_5678_9abc_def0, 1 << 63];
        for old in words {
            for new in words {
                let swaps = parts(old).into_iter().zip(parts(new));
                let change: u32 = swaps.map(|(old, new)| swap(old, new)).sum();
                assert_eq!(fold_words(replaced(old, new)), fold(change), "{old:#x} {new:#x}");
                let (twice, other) = (replaced(old, new) + replaced(new, old), replaced(0, 0));
                assert_eq!(fold_words(twice), fold_words(other), "{old:#x} {new:#x}");
            }
        }
    }

    #[test]
    fn an_incremental_update_equals_a_new_checksum() {
        for (old, new) in [(0, 1), (0xffff, 0), (0x1234, 0xfedc), (7, 7)] {
            let before = whole(&[0x4500, old, 0x8000]);
            let after = whole(&[0x4500, new, 0x8000]);
            assert_eq!(update(before, old, new), after);
            assert_eq!(apply(before, swap(old.to_be(), new.to_be())), after);
        }
    }
}
