//! The BPF maps as [`Tables`].

use core::{ops::ControlFlow, ptr::read_volatile};

use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use lb_common::{
    FragmentFlow, FragmentKey, Group, InterfaceMacs, Limit, Listener, ListenerKey, RingRef,
    RingSlot, Slot, Switches, Target, Traffic, VipKey,
    explain::Explanation,
    group::Groups,
    limits::{GROUPS_MAX, RING_SLOTS_MAX, TARGETS_MAX},
    macs::{MAC_ROWS, Macs},
    ring::{Rings, Slots},
    target::Targets,
};
use lb_ebpf::{
    Tables, limiter,
    question::{Answer, Question},
    tables::{Count, Fact},
};

use super::{
    direct, listeners, maps,
    mask::masked,
    run::{KernelTables, Run},
    settings, stages,
};

impl<R: Run> Count for KernelTables<R> {
    #[inline(always)]
    fn count(&self, index: u32) {
        if R::is_dry() {
            return explain(|noted| {
                noted.noted |= Explanation::COUNTER;
                noted.counter = index;
            });
        }
        add_one(maps::COUNTERS.get_ptr_mut(index));
    }
}

impl<R: Run> Tables for KernelTables<R> {
    #[inline(always)]
    fn listener(&self, key: &ListenerKey) -> Option<Listener> {
        match listeners::ask(key.place(), key) {
            ControlFlow::Break(answer) => answer,
            // A copy, so that the key need not be on the stack on paths that do not need it.
            ControlFlow::Continue(()) => stages::search(&{ *key }),
        }
    }

    #[inline(always)]
    fn is_vip(&self, key: &VipKey) -> bool {
        maps::VIPS.get_ptr(key).is_some()
    }

    #[inline(always)]
    fn wide_listener(&self, key: &VipKey, protocol: u8, port: u16) -> Option<Listener> {
        stages::wide_listener(key, protocol, port)
    }

    #[inline(always)]
    fn is_wide_vip(&self, key: &VipKey) -> bool {
        stages::is_wide_vip(key)
    }

    #[inline(always)]
    fn switches(&self) -> Switches {
        // SAFETY: the whole element. What it holds does not depend on each other.
        unsafe { read_volatile(direct::element::<Switches>()) }
    }

    #[inline(always)]
    fn note(&self, fact: Fact) {
        if R::is_dry() {
            explain(|noted| note(noted, fact));
        }
    }

    #[inline(always)]
    fn allowed(&self, limit: Limit) -> bool {
        if R::is_dry() {
            return true;
        }
        let Some(bucket) = maps::LIMITS.get_ptr_mut(limit as u32) else {
            return false;
        };
        let rate = limiter::rate(limit, self.switches().icmp_rate);
        // SAFETY: as in `add_one`.
        limiter::take(unsafe { &mut *bucket }, self.now(), rate)
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_coarse_ns() }
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<FragmentFlow> {
        // SAFETY: as in `listener`; a half-written value is a flow that no fragment has.
        maps::FRAGMENTS.get_ptr(key).map(|flow| unsafe { *flow })
    }

    #[inline(always)]
    fn learn_fragment(&self, key: &FragmentKey, flow: &FragmentFlow) {
        if R::is_dry() {
            return;
        }
        // An LRU map is never full; later fragments of one that is not learned are counted.
        let _learned = maps::FRAGMENTS.insert(key, flow, 0);
    }

    #[inline(always)]
    fn takes(&self, interface: u32, mac: u64) -> bool {
        // A dry run explains packets and ignores the MAC address of the frame.
        if R::is_dry() {
            return true;
        }
        let row = masked::<{ MAC_ROWS - 1 }>(interface as usize);
        // SAFETY: masked, so inside the array.
        let macs = unsafe { direct::element::<Macs>().cast::<InterfaceMacs>().add(row) };
        // SAFETY: a row has that many words; the agent stores each at once.
        let word = |number| unsafe { read_volatile(macs.cast::<u64>().add(number)) };
        let first = word(0);
        first == mac || first == 0 || word(1) == mac || word(2) == mac || word(3) == mac
    }

    #[inline(always)]
    fn ring(&self, group: u16) -> RingRef {
        let index = masked::<{ GROUPS_MAX - 1 }>(usize::from(group));
        // SAFETY: masked, so inside the array; one aligned 8-byte load, as the agent stores it.
        let word = unsafe {
            let group = direct::element::<Groups>().cast::<Group>().add(index);
            read_volatile(&raw const (*group).ring)
        };
        RingRef::from_word(word)
    }

    #[inline(always)]
    fn owner(&self, index: usize) -> RingSlot {
        let rings = direct::element::<Rings>();
        let index = masked::<{ RING_SLOTS_MAX - 1 }>(index);
        // SAFETY: masked, so inside the array; one aligned 2-byte load, as the agent stores it.
        RingSlot::from_word(unsafe { read_volatile(rings.cast::<u16>().add(index)) })
    }

    #[inline(always)]
    fn armed(&self, index: usize) -> Slot {
        let slots = direct::element::<Slots>();
        let index = masked::<{ RING_SLOTS_MAX - 1 }>(index);
        // SAFETY: masked, so inside the array; one aligned 8-byte load, as the agent stores it.
        Slot::from_word(unsafe { read_volatile(slots.cast::<u64>().add(index)) })
    }

    #[inline(always)]
    fn target(&self, id: u16) -> Option<&Target> {
        let targets = direct::element::<Targets>();
        let index = masked::<{ TARGETS_MAX - 1 }>(usize::from(id));
        // SAFETY: both indices are masked. The agent does not write the active version before a
        // grace period has passed since it was flipped away from, so it is constant in this run.
        let target = unsafe {
            let active = (&raw const (*targets).active).cast::<u8>().add(index);
            let version = masked::<1>(usize::from(read_volatile(active)));
            &*targets.cast::<Target>().add(version * TARGETS_MAX + index)
        };
        target.is_valid().then_some(target)
    }

    #[inline(always)]
    fn recall(&self, asked: &Question) -> Answer {
        stages::recall(asked)
    }

    #[inline(always)]
    fn hash_key(&self, index: usize) -> u64 {
        settings::hash_key(index)
    }

    #[inline(always)]
    fn count_listener(&self, id: u16, traffic: Traffic) {
        if R::is_dry() {
            return;
        }
        add(maps::LISTENER_TRAFFIC.get_ptr_mut(u32::from(id)), traffic);
    }

    #[inline(always)]
    fn count_target(&self, id: u16, traffic: Traffic) {
        if R::is_dry() {
            return;
        }
        add(maps::TARGET_TRAFFIC.get_ptr_mut(u32::from(id)), traffic);
    }
}

/// Changes what a dry run has noted.
#[inline(always)]
fn explain(change: impl FnOnce(&mut Explanation)) {
    if let Some(noted) = maps::EXPLANATION.get_ptr_mut(0) {
        // SAFETY: into the map, which only this instance uses, one run after the other.
        change(unsafe { &mut *noted });
    }
}

#[inline(always)]
fn note(noted: &mut Explanation, fact: Fact) {
    noted.noted |= match fact {
        Fact::Listener(listener) => {
            (noted.listener, noted.group) = (listener.id, listener.group);
            Explanation::LISTENER
        }
        Fact::Slot(slot) => {
            noted.slot = slot;
            Explanation::SLOT
        }
        Fact::Target(target) => {
            noted.target = target;
            Explanation::TARGET
        }
        Fact::Bound(binding) => {
            noted.binding = binding;
            Explanation::BOUND
        }
        Fact::NewBinding(binding) => {
            noted.binding = binding;
            Explanation::NEW_BINDING
        }
        Fact::Reply => Explanation::REPLY,
        Fact::Remembered => Explanation::REMEMBERED,
        Fact::Home => Explanation::HOME,
    };
}

#[inline(always)]
fn add_one(counter: Option<*mut u64>) {
    if let Some(counter) = counter {
        // SAFETY: the pointer is into this CPU's part of the map, which only this run writes.
        unsafe { *counter += 1 };
    }
}

#[inline(always)]
fn add(counted: Option<*mut Traffic>, traffic: Traffic) {
    if let Some(counted) = counted {
        // SAFETY: as in `add_one`.
        unsafe { (*counted).add(traffic) };
    }
}
