//! PURE: positions of listeners in their table, which has open addressing
//! ([`lb_common::listener::Listeners`]), and whether further listeners fit.

use std::collections::HashSet;

use lb_common::{ListenerKey, limits::LISTENER_PLACES, listener::Listeners};

/// The positions where a key may be, in the order in which packets probe them.
pub fn probes(key: &ListenerKey) -> impl Iterator<Item = usize> + use<> {
    let first = key.place();
    (0..Listeners::PROBES).map(move |step| (first + step) % LISTENER_PLACES)
}

/// The first of `new` listeners, inserted in this order, that does not fit. `find` gives the
/// position of a key that is in the table already, with a listener or without, and `is_taken` says
/// whether a position has a listener.
pub fn first_overflow<'keys>(
    new: impl IntoIterator<Item = &'keys ListenerKey>,
    find: impl Fn(&ListenerKey) -> Option<usize>,
    is_taken: impl Fn(usize) -> bool,
) -> Option<&'keys ListenerKey> {
    let mut taken = HashSet::new();
    let mut put = |key: &ListenerKey| {
        let free = |place: &usize| !taken.contains(place);
        let place = find(key)
            .filter(free)
            .or_else(|| probes(key).find(|place| free(place) && !is_taken(*place)));
        taken.extend(place);
        place.is_some()
    };
    new.into_iter().find(|key| !put(key))
}

/// The same for a table that holds nothing, as after a reboot.
pub fn first_overflow_alone<'keys>(
    new: impl IntoIterator<Item = &'keys ListenerKey>,
) -> Option<&'keys ListenerKey> {
    first_overflow(new, |_| None, |_| false)
}

/// Keys that all have the same first place, for tests.
///
/// # Panics
///
/// There are not so many of them.
#[must_use]
pub fn colliding(count: usize) -> Vec<ListenerKey> {
    use lb_common::{Address, Be16, Family, listener::protocol::TCP};

    let keys = (1..=u16::MAX).flat_map(|port| {
        (1..=250).map(move |host| {
            ListenerKey::new(Family::V4, Address::v4([203, 0, 113, host]), Be16::new(port), TCP)
        })
    });
    let mut keys = keys.filter(|key| key.place() == 1000).take(count).collect::<Vec<_>>();
    assert_eq!(keys.len(), count);
    keys.sort_unstable();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_as_packets_ask_for() {
        let keys = colliding(Listeners::PROBES + 1);
        assert_eq!(first_overflow_alone(&keys[..Listeners::PROBES]), None);
        assert_eq!(first_overflow_alone(&keys), keys.last());
        // Neighbours take positions, too, and a key that is in the table needs no other position.
        let neighbour = |place: usize| place == 1003;
        assert_eq!(first_overflow(&keys[..Listeners::PROBES], |_| None, neighbour), keys.get(31));
        let there = |key: &ListenerKey| (*key == keys[31]).then_some(1003);
        assert_eq!(first_overflow(&keys[..Listeners::PROBES], there, neighbour), None);
    }
}
