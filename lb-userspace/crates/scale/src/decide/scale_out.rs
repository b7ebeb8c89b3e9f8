//! PURE: the largest capacity that a policy or a schedule raises to. It counts at once: pending
//! members are part of the capacity that it is compared with, so the same breach never adds twice.

use super::vote::Vote;
use crate::decision::{Because, Rejected, Rule};

/// The capacity to raise to, and the rule that asks for it.
pub(super) struct Raise {
    pub(super) to: u32,
    pub(super) rule: Rule,
    pub(super) by: String,
}

/// The largest of all; `None` if nobody asks for more than `start`.
pub(super) fn largest(
    votes: &[Vote],
    scheduled: Option<&(String, u32)>,
    start: u32,
    rejected: &mut Vec<Rejected>,
) -> Option<Raise> {
    let schedule = scheduled.filter(|(_, to)| *to > start).map(|(by, to)| Raise {
        to: *to,
        rule: Rule::Schedule(by.clone()),
        by: by.clone(),
    });
    let policies = votes.iter().filter_map(|vote| {
        let by = vote.input.policy.clone();
        Some(Raise { to: vote.out?, rule: Rule::ScaleOut(by.clone()), by })
    });
    let mut raises: Vec<Raise> = schedule.into_iter().chain(policies).collect();
    // Of equal ones, the first in the settings wins: sorting is stable.
    raises.sort_by_key(|raise| std::cmp::Reverse(raise.to));
    let mut raises = raises.into_iter();
    let winner = raises.next()?;
    rejected.extend(raises.map(|raise| Rejected {
        by: raise.by,
        capacity: raise.to,
        because: Because::Larger(winner.by.clone()),
    }));
    Some(winner)
}
