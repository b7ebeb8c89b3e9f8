//! Maps in memory, with failures on demand: what tests of the agent put in the kernel's place.
//!
//! The maps outlive the store, as pinned maps outlive an agent: dropping a [`FakeStore`] at any
//! point is what SIGKILL does, and another one over the same [`FakeMaps`] is the agent's successor.

mod grace;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{MapModel, MapOp, Tables};
use grace::Grace;
use lb_common::ListenerKey;
use lb_config::listener_table;

use super::MapStore;

/// The maps themselves; every clone is the same maps.
#[derive(Clone, Debug, Default)]
pub struct FakeMaps(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    model: MapModel,
    grace: Grace,
    hazards: Vec<String>,
    operations: Vec<MapOp>,
    /// Second of the clock, and when each slot last saw an exception.
    now: u32,
    seen: BTreeMap<u32, u32>,
    failure: Option<(usize, Moment)>,
    read_failures: usize,
}

/// When an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has had no effect.
    Before,
    /// Half of the slots that it writes are written; without effect when it writes none.
    Midway,
    /// It has had its effect, but reports an error.
    After,
}

/// A requested failure.
#[derive(Debug, thiserror::Error)]
pub enum FakeError {
    /// By [`FakeMaps::fail_at`].
    #[error("{0:?}: the test made it fail")]
    Apply(Moment),
    /// By [`FakeMaps::fail_reads`].
    #[error("reading the maps: the test made it fail")]
    Read,
}

impl FakeMaps {
    /// Maps with this content.
    #[must_use]
    pub fn holding(tables: &Tables) -> Self {
        let maps = Self::default();
        maps.lock().model = tables.into();
        maps
    }

    /// An independent copy of these maps.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.lock();
        Self(Arc::new(Mutex::new(State {
            model: state.model.clone(),
            grace: state.grace.clone(),
            now: state.now,
            seen: state.seen.clone(),
            ..State::default()
        })))
    }

    /// An agent's view of the maps.
    #[must_use]
    pub fn open(&self) -> FakeStore {
        FakeStore { maps: self.clone() }
    }

    /// What the maps hold; never fails.
    #[must_use]
    pub fn tables(&self) -> Tables {
        self.lock().model.tables()
    }

    /// Sets the clock, in seconds.
    pub fn set_now(&self, now: u32) {
        self.lock().now = now;
    }

    /// What a packet does that goes elsewhere than to the current owner of its slot.
    pub fn mark_seen(&self, slot: u32) {
        let mut state = self.lock();
        let now = state.now;
        state.seen.insert(slot, now);
    }

    /// Makes one operation fail: the next one for `nth` 0, the one after it for 1.
    pub fn fail_at(&self, nth: usize, moment: Moment) {
        self.lock().failure = Some((nth, moment));
    }

    /// Makes the next reads fail.
    pub fn fail_reads(&self, times: usize) {
        self.lock().read_failures = times;
    }

    /// Takes the operations that had an effect since the last call, in their order.
    #[must_use]
    pub fn take_operations(&self) -> Vec<MapOp> {
        std::mem::take(&mut self.lock().operations)
    }

    /// Everything that a packet in flight could have stumbled over so far, one text each; empty is
    /// well.
    #[must_use]
    pub fn hazards(&self) -> Vec<String> {
        self.lock().hazards.clone()
    }

    /// The maps can still be read after a test panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// [`FakeMaps`] as the agent sees them.
#[derive(Debug)]
pub struct FakeStore {
    maps: FakeMaps,
}

impl MapStore for FakeStore {
    type Error = FakeError;

    fn read(&self, _known: Option<&Tables>) -> Result<Tables, FakeError> {
        let mut state = self.maps.lock();
        if state.read_failures > 0 {
            state.read_failures -= 1;
            return Err(FakeError::Read);
        }
        Ok(state.model.tables())
    }

    fn seen(&self, slot: u32) -> u32 {
        self.maps.lock().seen.get(&slot).copied().unwrap_or(0)
    }

    /// As if the listeners that are there had been put in the order of their keys.
    fn first_overflow<'keys>(&self, new: &'keys [ListenerKey]) -> Option<&'keys ListenerKey> {
        let state = self.maps.lock();
        let there: Vec<ListenerKey> = state.model.listeners.keys().copied().collect();
        let mut all: Vec<&ListenerKey> = there.iter().collect();
        all.extend(new);
        let first_overflow = *listener_table::first_overflow_alone(all)?;
        new.iter().find(|key| **key == first_overflow)
    }

    fn apply(&mut self, operation: &MapOp) -> Result<(), FakeError> {
        let mut state = self.maps.lock();
        match state.failure {
            Some((0, moment)) => {
                state.failure = None;
                match (moment, operation) {
                    (Moment::After, _) => state.apply(operation),
                    (Moment::Midway, MapOp::WriteSlots(slots)) => {
                        let half = slots.iter().take(slots.len() / 2);
                        state.apply(&MapOp::WriteSlots(half.collect()));
                    }
                    (Moment::Before | Moment::Midway, _) => {}
                }
                Err(FakeError::Apply(moment))
            }
            failure => {
                state.failure = failure.map(|(nth, moment)| (nth - 1, moment));
                state.apply(operation);
                Ok(())
            }
        }
    }
}

impl State {
    fn apply(&mut self, operation: &MapOp) {
        self.hazards.extend(self.grace.step(&self.model, operation));
        if let MapOp::WriteSlots(slots) = operation {
            let armed = slots.iter().filter(|(_, slot)| slot.is_armed());
            self.seen.extend(armed.map(|(index, _)| (index, self.now)));
        }
        self.model.apply(operation);
        self.operations.push(operation.clone());
    }
}

#[cfg(test)]
mod tests {
    use lb_common::Slot;

    use super::*;

    #[test]
    fn failures_come_when_they_are_asked_for() {
        let write = MapOp::WriteSlots((0..4).map(|index| (index, Slot::unarmed(1))).collect());
        let cases = [
            (0, Moment::Before, &write, [false, true], 0),
            (0, Moment::Midway, &write, [false, true], 2),
            (0, Moment::After, &write, [false, true], 4),
            (1, Moment::Before, &write, [true, false], 4),
            (0, Moment::Midway, &MapOp::PutDevice(1), [false, true], 0),
        ];
        for (nth, moment, operation, expected, written) in cases {
            let maps = FakeMaps::default();
            maps.fail_at(nth, moment);
            let mut store = maps.open();
            let first = store.apply(operation).is_ok();
            let slots = maps.lock().model.slots.len();
            let second = store.apply(&MapOp::Quiesce).is_ok();
            assert_eq!([first, second], expected, "{moment:?} at {nth}");
            assert_eq!(slots, written, "{moment:?} at {nth}");
        }
    }

    #[test]
    fn maps_outlive_their_store() {
        let maps = FakeMaps::default();
        maps.open().apply(&MapOp::PutDevice(7)).unwrap();
        maps.fail_reads(1);
        let successor = maps.open();
        assert!(successor.read(None).is_err());
        assert!(successor.read(None).unwrap().devices.contains(&7));
        assert_eq!(maps.take_operations(), [MapOp::PutDevice(7)]);
        assert!(maps.take_operations().is_empty());
    }
}
