//! The decapsulator's BPF binary, for targets; apart from the balancer's, so that a target holds no
//! rings. The logic is in the library.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "map sizes, interface indices and header lengths are small by construction"
)]

#[path = "kernel/frame.rs"]
mod frame;

use core::ptr::read_volatile;

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, xdp_action},
    macros::{map, xdp},
    maps::{HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::XdpContext,
};
use lb_common::{
    Be16, Family, VipKey, WideKey,
    counter::COUNTERS_MAX,
    limits::{SOURCES_MAX, VIPS_MAX},
};
use lb_ebpf::{
    Verdict, decap,
    tables::{Count, DecapTables},
};

/// The host's own addresses.
#[map]
static ADDRESSES: HashMap<VipKey, u32> = HashMap::with_max_entries(VIPS_MAX as u32, 0);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS_MAX as u32, 0);

/// VIPs of the host, each a whole address.
#[map]
static DECAP_VIPS: HashMap<VipKey, u32> = HashMap::with_max_entries(VIPS_MAX as u32, 0);

/// Prefixes of VIPs of the host; asked when the address is not in [`DECAP_VIPS`].
#[map]
static DECAP_PREFIXES: LpmTrie<WideKey, u32> =
    LpmTrie::with_max_entries(SOURCES_MAX as u32, BPF_F_NO_PREALLOC);

/// Who may send tunnel packets; asked when [`CHECK_SOURCES`] is set.
#[map]
static SOURCES: LpmTrie<WideKey, u32> =
    LpmTrie::with_max_entries(SOURCES_MAX as u32, BPF_F_NO_PREALLOC);

/// See [`lb_common::settings::CHECK_SOURCES`].
#[unsafe(no_mangle)]
static CHECK_SOURCES: u32 = 0;

/// See [`lb_common::settings::GUE_PORT`].
#[unsafe(no_mangle)]
static GUE_PORT: u16 = 0;

/// The maps of the decapsulator.
struct KernelTables;

impl Count for KernelTables {
    #[inline(always)]
    fn count(&self, index: u32) {
        if let Some(counter) = COUNTERS.get_ptr_mut(index) {
            // SAFETY: the pointer is into this CPU's part of the map, which only this run writes.
            unsafe { *counter += 1 };
        }
    }
}

impl DecapTables for KernelTables {
    #[inline(always)]
    fn is_local(&self, key: &VipKey) -> bool {
        ADDRESSES.get_ptr(key).is_some()
    }

    #[inline(always)]
    fn is_allowed(&self, key: &VipKey) -> bool {
        // SAFETY: a static; volatile, since it is set before the program is loaded.
        if unsafe { read_volatile(&raw const CHECK_SOURCES) } == 0 {
            return true;
        }
        SOURCES.get(prefix(key)).is_some()
    }

    #[inline(always)]
    fn may_receive(&self, key: &VipKey) -> bool {
        DECAP_VIPS.get_ptr(key).is_some() || DECAP_PREFIXES.get(prefix(key)).is_some()
    }

    #[inline(always)]
    fn gue_port(&self) -> Be16 {
        // SAFETY: as above.
        Be16::new(unsafe { read_volatile(&raw const GUE_PORT) })
    }
}

/// An address as the longest of prefixes.
#[inline(always)]
fn prefix(key: &VipKey) -> Key<WideKey> {
    let family = if key.family == Family::V4 as u64 { Family::V4 } else { Family::V6 };
    Key::new(WideKey::FAMILY_BITS + 128, WideKey::new(family, key.address))
}

/// Attached to the interface of a target that tunnel packets arrive at.
#[xdp(frags)]
fn xelb_decap(context: XdpContext) -> u32 {
    match decap::process(&mut frame::Frame::new(context), &KernelTables) {
        Verdict::Pass => xdp_action::XDP_PASS,
        _ => xdp_action::XDP_DROP,
    }
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel only allows some helpers to programs with a GPL-compatible licence; MIT is one.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
