//! The table of listeners: a hash table that packets read while it changes.

use std::{collections::BTreeSet, path::Path};

use lb_common::{
    Listener, ListenerKey, ListenerPlace, abi::map, limits::LISTENER_PLACES, listener::Listeners,
};
use lb_config::listener_table::{self, probes};

use super::{
    StoreError,
    mapped_array::{self, MappedArray},
    pinned_map::open_mapping,
};

/// The map.
pub(super) struct ListenerMap {
    places: MappedArray<Listeners>,
    /// Places whose listener went, and which a packet may still be looking at.
    left: BTreeSet<usize>,
}

impl ListenerMap {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { places: open_mapping(folder, map::LISTENERS)?, left: BTreeSet::new() })
    }

    /// All listeners.
    pub(super) fn read(&self) -> impl Iterator<Item = (ListenerKey, Listener)> + '_ {
        let entries = (0..LISTENER_PLACES).map(|place| (self.key(place), self.listener(place)));
        let entries = entries.map(|(key, word)| (key, Listener::from_word(word)));
        entries.filter(|(_, listener)| listener.id != 0)
    }

    /// Adds a listener, or changes it with one store. `wait` waits until no earlier packet is in
    /// flight.
    pub(super) fn put(
        &mut self,
        key: ListenerKey,
        listener: Listener,
        wait: impl FnOnce(),
    ) -> Result<(), StoreError> {
        let same = self.find(&key);
        let place = same.or_else(|| probes(&key).find(|place| !self.is_taken(*place)));
        let place = place.ok_or(StoreError::TableOverflow { listener: key.port.get() })?;
        if same.is_none() {
            if self.left.contains(&place) {
                wait();
                self.clear_deleted();
            }
            // SAFETY: inside the mapping; no packet compares the key of a place without a listener.
            unsafe { (&raw mut (*self.place(place)).key).write_volatile(key) };
        }
        self.store(place, listener.to_word());
        Ok(())
    }

    /// The first of these listeners, put in this order, that would find no place.
    pub(super) fn first_overflow<'keys>(
        &self,
        new: &'keys [ListenerKey],
    ) -> Option<&'keys ListenerKey> {
        listener_table::first_overflow(new, |key| self.find(key), |place| self.is_taken(place))
    }

    /// Removes a listener, if it is there.
    pub(super) fn remove(&mut self, key: &ListenerKey) {
        let Some(place) = self.find(key).filter(|place| self.is_taken(*place)) else { return };
        self.left.insert(place);
        self.store(place, ListenerPlace::LEFT);
        // Positions with no entry after them need not be passed any more.
        let mut last = place;
        while self.listener(last) == ListenerPlace::LEFT
            && self.listener(next(last)) == ListenerPlace::FREE
        {
            self.store(last, ListenerPlace::FREE);
            last = (last + LISTENER_PLACES - 1) % LISTENER_PLACES;
        }
    }

    /// A grace period has passed: no packet in flight uses a removed listener.
    pub(super) fn clear_deleted(&mut self) {
        self.left.clear();
    }

    /// The position of a key, with a listener or without.
    fn find(&self, key: &ListenerKey) -> Option<usize> {
        probes(key)
            .take_while(|place| self.listener(*place) != ListenerPlace::FREE)
            .find(|place| self.key(*place) == *key)
    }

    fn is_taken(&self, place: usize) -> bool {
        Listener::from_word(self.listener(place)).id != 0
    }

    fn place(&self, place: usize) -> *mut ListenerPlace {
        // SAFETY: masked, so inside the array.
        unsafe { self.places.element().cast::<ListenerPlace>().add(place & (LISTENER_PLACES - 1)) }
    }

    fn key(&self, place: usize) -> ListenerKey {
        // SAFETY: inside the mapping; only the agent writes it.
        unsafe { (&raw const (*self.place(place)).key).read_volatile() }
    }

    fn listener(&self, place: usize) -> u64 {
        // SAFETY: as in `key`.
        unsafe { (&raw const (*self.place(place)).listener).read_volatile() }
    }

    fn store(&self, place: usize, word: u64) {
        // SAFETY: an aligned word inside the mapping.
        unsafe { mapped_array::publish(&raw mut (*self.place(place)).listener, word) };
    }
}

const fn next(place: usize) -> usize {
    (place + 1) % LISTENER_PLACES
}
