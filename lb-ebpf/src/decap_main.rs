//! The decapsulator's BPF binary, for targets; apart from the balancer's, so that a target holds no
//! rings. The logic is in the library.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "map sizes, interface indices and header lengths are small by construction"
)]

#[path = "kernel/frame.rs"]
mod frame;

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{HashMap, PerCpuArray},
    programs::XdpContext,
};
use lb_common::{VipKey, counter::COUNTERS_MAX, limits::VIPS_MAX};
use lb_ebpf::{
    Verdict, decap,
    tables::{Count, DecapTables},
};

/// The host's own addresses.
#[map]
static ADDRESSES: HashMap<VipKey, u32> = HashMap::with_max_entries(VIPS_MAX as u32, 0);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS_MAX as u32, 0);

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
}

/// Attached to the interface of a target that tunnel packets arrive at.
#[xdp]
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
