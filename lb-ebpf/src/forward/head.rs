//! A target's head with what one packet adds to it.

use lb_common::{Be16, Target, target::HEAD_WORDS};

/// The bytes before a packet, as words in memory order. All offsets are constants where they are used,
/// so that each word stays in a register.
pub(super) struct Head {
    words: [u64; HEAD_WORDS],
}

impl Head {
    #[inline(always)]
    pub(super) const fn of(target: &Target) -> Self {
        Self { words: target.head }
    }

    #[inline(always)]
    pub(super) const fn words(&self) -> &[u64; HEAD_WORDS] {
        &self.words
    }

    /// Adds a byte where there is a zero.
    #[inline(always)]
    pub(super) fn put_byte(&mut self, offset: usize, byte: u8) {
        self.add(offset, u64::from(byte));
    }

    /// Adds a word where there is a zero; the offset is even.
    #[inline(always)]
    pub(super) fn put(&mut self, offset: usize, word: Be16) {
        self.add(offset, u64::from(word.raw.to_le()));
    }

    #[inline(always)]
    fn add(&mut self, offset: usize, bits: u64) {
        if let Some(word) = self.words.get_mut(offset / 8) {
            *word |= (bits << (offset % 8 * 8)).to_le();
        }
    }
}
