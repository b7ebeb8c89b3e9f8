//! Deliberate breaks of the rule, one for each mistake that an implementation could make: a
//! simulation that did not see them would prove nothing.

use lb_common::{MemoryLine, RingRef, Slot};
use lb_ebpf::host::Array;
use lb_plan::{MapModel, MapOp};

use crate::{flows::Tuple, host::Host};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// What was remembered in an earlier epoch still counts.
    Epoch,
    /// A flow that cannot be remembered goes to the current owner.
    Budget,
    /// The parts of a slot that is split do not inherit that it is armed.
    Growth,
    /// Packets that go elsewhere than to the current owner are not noted.
    Seen,
    /// A home that is gone keeps its slot.
    Rehome,
    /// Without budget, an older entry is not written over.
    Stale,
    /// Without a quorum, slots keep their owner.
    Quorum,
    /// A slot stays armed for as long as packets say so, forged ones included.
    Limit,
}

impl Break {
    pub(crate) const ALL: &[Self] = &[
        Self::Epoch,
        Self::Budget,
        Self::Growth,
        Self::Seen,
        Self::Rehome,
        Self::Stale,
        Self::Quorum,
        Self::Limit,
    ];

    /// The operation that is carried out instead, if it is another.
    pub(crate) fn operation(self, operation: &MapOp, model: &MapModel) -> Option<MapOp> {
        let MapOp::WriteSlots(slots) = operation else {
            return None;
        };
        let live = model.groups.values().map(|(_, ring)| *ring).next().unwrap_or(RingRef::NONE);
        let inside = |index: u32| {
            (live.base() as usize..live.base() as usize + live.len()).contains(&(index as usize))
        };
        let change = |index: u32, slot: Slot| match self {
            // With one epoch for all, epochs cannot be distinguished.
            Self::Epoch if slot.is_armed() => Slot { epoch: 1, ..slot },
            Self::Growth if slot.is_armed() && !inside(index) && !live.is_none() => {
                Slot { epoch: slot.epoch, ..Slot::unarmed(slot.current) }
            }
            Self::Rehome if slot.is_armed() && slot.home == slot.current => {
                let before = model.slots.get(index as usize).copied().unwrap_or_default();
                if before.is_armed() { Slot { home: before.home, ..slot } } else { slot }
            }
            Self::Quorum if slot.current == 0 => {
                let before = model.slots.get(index as usize).copied().unwrap_or_default();
                Slot { current: before.current, ..slot }
            }
            _ => slot,
        };
        let changed = slots.iter().map(|(index, slot)| (index, change(index, slot))).collect();
        Some(MapOp::WriteSlots(changed))
    }

    /// Whether the agent has to look at the maps again, which do not hold what it wrote.
    pub(crate) const fn changes_maps(self) -> bool {
        matches!(self, Self::Epoch | Self::Growth | Self::Rehome | Self::Quorum)
    }

    /// Makes the maps such that the data path does the wrong thing with one packet.
    pub(crate) fn before_packet(host: &mut Host, tuple: &Tuple, syn: bool) -> Undo {
        let Some(broken) = host.broken else {
            return Undo::Nothing;
        };
        match broken {
            Self::Budget if syn && host.budget_full => match host.slot_of(tuple) {
                Some((index, slot)) if slot.is_armed() => {
                    let wrong = Slot { home: slot.current, ..slot };
                    host.tables.slots.insert(index, wrong);
                    Undo::Slot(index, slot)
                }
                _ => Undo::Nothing,
            },
            Self::Seen => Undo::Seen(host.tables.memory.seen.borrow().clone()),
            Self::Stale if syn && host.budget_full => {
                let mut lines = host.tables.memory.lines.borrow_mut();
                let mut taken = Vec::new();
                for (number, line) in lines.iter_mut() {
                    if line.entries.iter().any(|entry| entry.hash == tuple.hash) {
                        taken.push((*number, *line));
                        *line = MemoryLine::default();
                    }
                }
                Undo::Lines(taken)
            }
            _ => Undo::Nothing,
        }
    }
}

/// What is put back after a packet.
#[derive(Debug)]
pub(crate) enum Undo {
    Nothing,
    Slot(usize, Slot),
    Seen(Array<u32>),
    Lines(Vec<(u32, MemoryLine)>),
}

impl Undo {
    pub(crate) fn after_packet(self, host: &mut Host) {
        match self {
            Self::Nothing => {}
            Self::Slot(index, slot) => {
                host.tables.slots.insert(index, slot);
            }
            Self::Seen(marks) => *host.tables.memory.seen.borrow_mut() = marks,
            Self::Lines(lines) => host.tables.memory.lines.borrow_mut().extend(lines),
        }
    }
}
