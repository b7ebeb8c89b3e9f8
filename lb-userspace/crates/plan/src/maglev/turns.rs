//! In which order members take slots: by virtual time, in exact integers.
//!
//! A member of the largest weight has a turn in every round, one of a third of it in every third.
//! Everyone has a turn in the first round. A member that has its quota has no more turns.

/// Rounds that the wheel looks ahead: more than `WEIGHT_MAX`, the longest time between two turns.
const WHEEL: usize = 1024;

const _: () = assert!(WHEEL > lb_common::limits::WEIGHT_MAX as usize);

/// No member: the end of a list.
const NOBODY: u32 = u32::MAX;

/// What is left to a member, and when it comes again.
struct Pace {
    /// Slots that it may still take.
    left: u32,
    /// Rounds between two turns, rounded down.
    rounds: u32,
    /// What that leaves over, in parts of `weight`.
    rest: u32,
    /// What is left over so far; below `weight`.
    owed: u32,
    weight: u32,
    /// The member after it in the list of its round.
    next: u32,
}

/// The members with a turn in one round, first to last.
#[derive(Clone, Copy)]
struct Round {
    first: u32,
    last: u32,
}

const EMPTY: Round = Round { first: NOBODY, last: NOBODY };

/// Gives the member of each turn, by its position.
pub(super) struct Turns {
    paces: Vec<Pace>,
    wheel: Box<[Round; WHEEL]>,
    round: usize,
    /// Turns that are left in all.
    left: u64,
}

impl Turns {
    /// The turns of members with these weights and quotas.
    pub(super) fn new(weights: &[u32], quotas: &[u32]) -> Self {
        let heaviest = weights.iter().copied().max().unwrap_or(1);
        let paces = weights
            .iter()
            .zip(quotas)
            .map(|(weight, quota)| Pace {
                left: *quota,
                rounds: heaviest / weight,
                rest: heaviest % weight,
                owed: 0,
                weight: *weight,
                next: NOBODY,
            })
            .collect();
        let mut turns = Self {
            paces,
            wheel: Box::new([EMPTY; WHEEL]),
            round: 0,
            left: quotas.iter().map(|quota| u64::from(*quota)).sum(),
        };
        for (member, quota) in (0_u32..).zip(quotas) {
            if *quota > 0 {
                turns.append(0, member);
            }
        }
        turns
    }

    /// The member that takes a slot next; `None` when all quotas are taken.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        while self.wheel[self.round].first == NOBODY {
            self.round = (self.round + 1) % WHEEL;
        }
        let member = self.wheel[self.round].first;
        let pace = &mut self.paces[member as usize];
        self.wheel[self.round].first = pace.next;
        pace.next = NOBODY;
        pace.left -= 1;
        if pace.left > 0 {
            // Turn k is in round k * heaviest / weight, rounded up. `owed` is how much of a round
            // that rounding has been ahead so far.
            let wait = if pace.owed >= pace.rest {
                pace.owed -= pace.rest;
                pace.rounds
            } else {
                pace.owed += pace.weight - pace.rest;
                pace.rounds + 1
            };
            self.append((self.round + wait as usize) % WHEEL, member);
        }
        Some(member as usize)
    }

    fn append(&mut self, round: usize, member: u32) {
        let list = &mut self.wheel[round];
        if list.first == NOBODY {
            list.first = member;
        } else {
            self.paces[list.last as usize].next = member;
        }
        list.last = member;
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn turns_come_in_proportion() {
        let cases: &[(&[u32], &[u32], &[usize])] = &[
            (&[], &[], &[]),
            (&[5, 5], &[2, 3], &[0, 1, 0, 1, 1]),
            (&[1, 3], &[2, 5], &[0, 1, 1, 1, 0, 1, 1]),
            (&[2, 3], &[2, 3], &[0, 1, 1, 0, 1]),
            (&[2, 5], &[3, 6], &[0, 1, 1, 1, 0, 1, 1, 0, 1]),
            (&[1000, 1], &[2, 2], &[0, 1, 0, 1]),
            (&[1, 1], &[0, 2], &[1, 1]),
        ];
        for (weights, quotas, expected) in cases {
            let mut turns = Turns::new(weights, quotas);
            let mut order = Vec::new();
            while let Some(member) = turns.next() {
                order.push(member);
            }
            assert_eq!(order, *expected, "weights {weights:?} quotas {quotas:?}");
        }
    }
}
