//! Which binding to take from its flow when bindings, or the ports of a target, are short. Pure: a
//! choice is one word, which is updated with each inspected binding.

use lb_common::{Binding, Life};

use super::life::{self, Spare};

/// How much more often a listener's flows that have not begun were met than those of others, so that it
/// counts as flooded: an eighth of [`super::expire::LOOKS`].
const FLOODED: u64 = 4;

/// The best of the inspected bindings, and the listener that has most of the flows that have not
/// begun (by majority vote: Boyer, Moore 1981).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(u64);

const KIND: u32 = 32;
const AGE: u32 = 34;
const VOTES: u32 = 42;
const LISTENER: u32 = 48;

impl Choice {
    /// Before the first look.
    pub const NOTHING: Self = Self(0);

    /// As a word.
    #[must_use]
    #[inline(always)]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// From a word.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// After a look at another binding.
    #[must_use]
    #[inline(always)]
    pub const fn weigh(self, index: u32, binding: &Binding, life: Life, now: u32) -> Self {
        let spare = life::spare(life, binding.protocol, binding.idle_timeout, now) as u64;
        let silence = life::silence(life, now);
        let age = if silence > 0xff { 0xff } else { silence } as u64;
        let has_begun = spare == Spare::No as u64 || spare == Spare::Ended as u64;
        let (mut votes, mut listener) = (self.0 >> VOTES & 0x3f, self.0 >> LISTENER);
        if has_begun {
            // It has no vote.
        } else if votes == 0 {
            (votes, listener) = (1, binding.listener as u64);
        } else if listener == binding.listener as u64 {
            votes += 1;
        } else {
            votes -= 1;
        }
        // The kind decides, then the age.
        let (new, known) = (spare << 8 | age, self.kind() << 8 | self.0 >> AGE & 0xff);
        let best = if new > known {
            index as u64 | spare << KIND | age << AGE
        } else {
            self.0 & ((1 << VOTES) - 1)
        };
        Self(best | (votes & 0x3f) << VOTES | listener << LISTENER)
    }

    #[inline(always)]
    const fn kind(self) -> u64 {
        self.0 >> KIND & 3
    }

    /// Whether the best one's flow has ended: there is nothing better.
    #[must_use]
    #[inline(always)]
    pub const fn has_ended(self) -> bool {
        self.kind() == Spare::Ended as u64
    }

    /// Whether the best one may be taken.
    #[must_use]
    #[inline(always)]
    pub const fn is_found(self) -> bool {
        self.kind() >= Spare::HalfOpen as u64
    }

    /// Whether all that have not begun have sent something within the last second.
    #[must_use]
    #[inline(always)]
    pub const fn is_young(self) -> bool {
        (self.0 >> AGE) as u8 == 0
    }

    /// Index of the best one.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The listener that takes so many bindings with flows that have not begun that those may be taken at
    /// once; 0 when there is none.
    #[must_use]
    #[inline(always)]
    pub const fn flooded(self) -> u16 {
        if self.0 >> VOTES & 0x3f >= FLOODED { (self.0 >> LISTENER) as u16 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use lb_common::listener::protocol::TCP;

    use super::*;

    const NOW: u32 = 10_000;

    /// A binding by listener, flags and silence.
    fn walk(looks: &[(u16, u16, u32)]) -> Choice {
        let look =
            |choice: Choice, (index, (listener, flags, silence)): (u32, &(u16, u16, u32))| {
                let binding = Binding {
                    listener: *listener,
                    protocol: TCP,
                    idle_timeout: 350,
                    ..Binding::EMPTY
                };
                let life = Life { seen: NOW - silence, phase: Life::LIVE, flags: *flags };
                let next = choice.weigh(index, &binding, life, NOW);
                assert_eq!(Choice::from_word(next.to_word()), next);
                next
            };
        (0..).zip(looks).fold(Choice::NOTHING, look)
    }

    const OPEN: u16 = Life::ANSWERED | Life::ESTABLISHED;
    const OVER: u16 = OPEN | Life::CLIENT_FIN | Life::TARGET_FIN | Life::SETTLED;

    #[test]
    fn ended_flows_are_evicted_before_unopened_ones_and_the_oldest_first() {
        let nothing = walk(&[(1, OPEN, 9), (1, 0, 1), (2, 0, 0)]);
        assert!(!nothing.is_found() && !nothing.has_ended() && nothing.flooded() == 0);
        let half = walk(&[(1, OPEN, 9), (1, 0, 3), (1, 0, 5), (1, 0, 4)]);
        assert!(half.is_found() && !half.has_ended());
        assert_eq!(half.index(), 2);
        let over = walk(&[(1, 0, 9), (1, OVER, 0), (1, 0, 9)]);
        assert!(over.is_found() && over.has_ended());
        assert_eq!(over.index(), 1);
        let old = walk(&[(u16::MAX, OVER, 3000), (1, OVER, 2)]);
        assert_eq!(old.index(), 0);
    }

    #[test]
    fn a_listener_with_most_unopened_flows_counts_as_flooded() {
        let young = |listener| (listener, 0, 0);
        assert_eq!(walk(&[young(u16::MAX); 4]).flooded(), u16::MAX);
        assert_eq!(walk(&[young(3); 3]).flooded(), 0);
        let mut mixed = [young(3); 32];
        for one in &mut mixed[4..14] {
            *one = young(4);
        }
        assert_eq!(walk(&mixed).flooded(), 3);
        let half: [_; 32] = core::array::from_fn(|number| young(3 + number as u16 % 2));
        assert_eq!(walk(&half).flooded(), 0, "none has more than others");
        let open: [_; 32] =
            core::array::from_fn(|number| if number % 2 == 0 { young(3) } else { (3, OPEN, 0) });
        assert_eq!(walk(&open).flooded(), 3, "what is open has no vote");
        assert_eq!(walk(&[young(3); 63]).flooded(), 3, "no overflow");
    }
}
