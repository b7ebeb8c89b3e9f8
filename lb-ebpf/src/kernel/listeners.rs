//! Reading the maps of listeners.

use core::{ops::ControlFlow, ptr::read_volatile};

use aya_ebpf::maps::lpm_trie::Key;
use lb_common::{
    Family, Listener, ListenerKey, ListenerPlace, VipKey, WideKey, WideListeners,
    limits::LISTENER_PLACES, listener::Listeners,
};

use super::{direct, maps, mask::masked};

/// What one place of the table of listeners says of a key.
#[inline(always)]
pub(super) fn ask(place: usize, key: &ListenerKey) -> ControlFlow<Option<Listener>> {
    let listeners = direct::element::<Listeners>();
    let index = masked::<{ LISTENER_PLACES - 1 }>(place);
    // SAFETY: masked, so inside the array. The listener is one word, and is read first: see
    // `Listeners` for why the key is then its own.
    unsafe {
        let place = listeners.cast::<ListenerPlace>().add(index);
        let listener = read_volatile(&raw const (*place).listener);
        let words = (&raw const (*place).key).cast::<u64>();
        let word = |number| read_volatile(words.add(number));
        ListenerPlace::ask(listener, [word(0), word(1), word(2)], key)
    }
}

/// Probes the positions after the first one.
#[inline(always)]
pub(super) fn search(key: &ListenerKey) -> Option<Listener> {
    let first = key.place();
    for step in 1..Listeners::PROBES {
        if let ControlFlow::Break(answer) = ask(first + step, key) {
            return answer;
        }
    }
    None
}

/// The entry of the longest prefix that has this address.
#[inline(always)]
pub(super) fn wide(key: &VipKey) -> Option<&'static WideListeners> {
    let family = if key.family == Family::V4 as u64 { Family::V4 } else { Family::V6 };
    let key = Key::new(WideKey::FAMILY_BITS + 128, WideKey::new(family, key.address));
    maps::WIDE_LISTENERS.get(key)
}
