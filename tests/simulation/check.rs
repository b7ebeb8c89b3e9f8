//! What must be true after every packet and every change.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{Family, Slot};

use crate::{
    flows::Tuple,
    group::{ARMED_LIMIT, Group, IDLE},
};

/// An open connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) tuple: &'static Tuple,
    /// Number of the target that it began with.
    pub(crate) target: u16,
    /// Second of its last packet.
    pub(crate) last: u32,
    /// It may move: it was silent for too long, or its target has gone.
    pub(crate) excused: bool,
}

impl Flow {
    /// Whether it must stay with its target.
    pub(crate) const fn is_bound(&self, now: u32) -> bool {
        !self.excused && now - self.last <= IDLE
    }
}

/// Since when slots are unchanged, observed from outside.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    since: BTreeMap<usize, (Slot, u32)>,
}

impl Watched {
    /// A new agent cannot know when slots have changed.
    pub(crate) fn restart(&mut self, now: u32) {
        for (_, since) in self.since.values_mut() {
            *since = now;
        }
    }

    /// Looks at the slots of these tuples. Gives those that were armed until their time was over; one that
    /// is armed for longer must not be.
    #[expect(single_use_lifetimes, reason = "an iterator's items have no lifetime without a name")]
    pub(crate) fn look<'tuples>(
        &mut self,
        group: &Group,
        tuples: impl Iterator<Item = &'tuples Tuple>,
    ) -> Result<BTreeSet<usize>, String> {
        let host = group.agent.host.borrow();
        // By index. Many tuples share a slot, and this runs in every second of a sequence.
        let mut present: Vec<Option<Slot>> = Vec::new();
        for (index, slot) in tuples.filter_map(|tuple| host.slot_of(tuple)) {
            if index >= present.len() {
                present.resize(index + 1, None);
            }
            present[index] = Some(slot);
        }
        let mut over = BTreeSet::new();
        for (index, slot) in present.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let known = self.since.get(&index).filter(|(known, _)| known.is_armed()).copied();
            let age = known.map_or(0, |(_, since)| host.now - since);
            match known {
                Some((known, _)) if known == *slot => {
                    // The agent looks once a second, and a step may take two.
                    if age > ARMED_LIMIT + 4 {
                        return Err(format!("slot {index} is armed for {age} s: {slot:?}"));
                    }
                    continue;
                }
                Some(_) if age >= ARMED_LIMIT => {
                    over.insert(index);
                }
                _ => {}
            }
            self.since.insert(index, (*slot, host.now));
        }
        self.since.retain(|index, _| present.get(*index).is_some_and(Option::is_some));
        Ok(over)
    }
}

/// A slot that is not armed must own all of its flows.
pub(crate) fn disarmed_slots(group: &Group, flows: &[Flow]) -> Result<(), String> {
    let host = group.agent.host.borrow();
    for flow in flows.iter().filter(|flow| flow.is_bound(host.now)) {
        let Some((index, slot)) = host.slot_of(flow.tuple).filter(|(_, slot)| !slot.is_armed())
        else {
            continue;
        };
        let owner = host.target(slot.current).map(|target| target.address.to_ip(Family::V4));
        let expected = crate::group::address(flow.target);
        if owner != Some(expected) {
            return Err(format!(
                "slot {index} is not armed and belongs to {owner:?}, with a flow of {expected}"
            ));
        }
    }
    Ok(())
}
