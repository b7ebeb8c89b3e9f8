//! What must be true after every packet and every change.

use lb_common::Family;

use crate::{
    flows::Tuple,
    group::{Group, IDLE},
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

/// A slot that is not armed must own all of its flows.
pub(crate) fn disarmed_slots(group: &Group, flows: &[Flow]) -> Result<(), String> {
    let host = group.host.borrow();
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
