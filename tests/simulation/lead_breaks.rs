//! Deliberate violations of the rule for listeners that switch between groups, one for each clause.

use lb_common::{Slot, Target, target::TargetState};
use lb_plan::{MapOp, SlotWrites, consistency, is_transition};

use crate::host::Host;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeadBreak {
    /// A listener goes to the other group at once.
    Direct,
    /// It takes its ring along, but nothing is armed in it.
    Unarmed,
    /// Armed slots of its ring are armed again: their remembered flows no longer count.
    Inherit,
    /// It gets the ring of the other group as soon as nothing is armed in its own.
    Arrived,
    /// Each ring counts its epochs on its own, from one.
    Epoch,
    /// The targets of the previous group take no packets any more.
    Drain,
    /// A listener stays with its own group that is down.
    Sorry,
    /// They go when their delay is over, though their server is in service in the other group.
    Server,
}

impl LeadBreak {
    pub(crate) const ALL: &[Self] = &[
        Self::Direct,
        Self::Unarmed,
        Self::Inherit,
        Self::Arrived,
        Self::Epoch,
        Self::Drain,
        Self::Sorry,
        Self::Server,
    ];

    /// The operation that is carried out instead, if it is another.
    pub(crate) fn operation(self, operation: &MapOp, host: &Host) -> Option<MapOp> {
        match (self, operation) {
            (Self::Direct, MapOp::PutListener { key, listener, fresh }) => {
                let group = *host.led_to.get(&listener.id)?;
                let listener = lb_common::Listener { group, ..*listener };
                Some(MapOp::PutListener { key: *key, listener, fresh: *fresh })
            }
            (Self::Sorry, MapOp::PutListener { key, listener, fresh }) => {
                let before = host.tables.listeners.get(key)?;
                let listener = host.sorry.contains(&listener.id).then_some(*before)?;
                Some(MapOp::PutListener { key: *key, listener, fresh: *fresh })
            }
            (Self::Unarmed | Self::Inherit | Self::Epoch, MapOp::WriteSlots(slots)) => {
                Some(MapOp::WriteSlots(self.slots(slots, host)))
            }
            (Self::Drain, MapOp::PutTarget { id, target, fresh }) => {
                let ends = is_draining(target) && is_of_unused(target, host);
                ends.then(|| put(*id, *target, *fresh))
            }
            (Self::Server, MapOp::PutTarget { id, target, fresh }) => {
                let before = host.tables.targets.get(id)?;
                let extends = is_draining(before) && is_draining(target);
                (extends && target.until > before.until).then(|| put(*id, *target, *fresh))
            }
            _ => None,
        }
    }

    fn slots(self, slots: &SlotWrites, host: &Host) -> SlotWrites {
        let rings = host.model.groups.values();
        let rings: Vec<_> = rings.filter(|(name, _)| !is_transition(name)).collect();
        let of_group = |index: u32| {
            rings.iter().any(|(_, ring)| {
                (ring.base() as usize..ring.base() as usize + ring.len())
                    .contains(&(index as usize))
            })
        };
        let now = consistency::epoch(host.now);
        let change = |index: u32, slot: Slot| {
            let before = host.model.slots.get(index as usize).copied().unwrap_or_default();
            match self {
                _ if !slot.is_armed() => slot,
                Self::Epoch if before.is_armed() => Slot { epoch: before.epoch, ..slot },
                Self::Epoch => Slot { epoch: before.epoch + 1, ..slot },
                Self::Unarmed if !of_group(index) => {
                    Slot { epoch: slot.epoch, ..Slot::unarmed(slot.current) }
                }
                Self::Inherit if !of_group(index) && !before.is_armed() => {
                    Slot { epoch: now, ..slot }
                }
                _ => slot,
            }
        };
        slots.iter().map(|(index, slot)| (index, change(index, slot))).collect()
    }

    /// Whether the agent has to look at the maps again, which do not hold what it wrote.
    pub(crate) const fn changes_maps(self) -> bool {
        !matches!(self, Self::Arrived)
    }

    /// What a mistake does when the agent is done.
    pub(crate) fn after_change(self, host: &mut Host) {
        if self != Self::Arrived {
            return;
        }
        for listener in host.tables.listeners.values_mut() {
            let Some((name, ring)) = host.model.groups.get(&listener.group) else { continue };
            let is_quiet = host.model.ring(*ring).iter().all(|slot| !slot.is_armed());
            if let (true, true, Some(group)) =
                (is_transition(name), is_quiet, host.led_to.get(&listener.id))
            {
                listener.group = *group;
            }
        }
    }
}

fn put(id: u16, target: Target, fresh: bool) -> MapOp {
    MapOp::PutTarget {
        id,
        target: Target { flags: target.flags & !Target::ROUTABLE, ..target },
        fresh,
    }
}

fn is_draining(target: &Target) -> bool {
    target.state == TargetState::Draining as u8
}

/// Whether no listener forwards to the group of a target.
fn is_of_unused(target: &Target, host: &Host) -> bool {
    !host.led_to.values().any(|group| *group == target.group)
}
