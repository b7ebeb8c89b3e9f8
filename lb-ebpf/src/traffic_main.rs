//! The BPF binary of `xelb bench traffic` and `xelb bench sink`: one program makes packets out of live
//! frames and sends them out of an interface, one counts what arrives. Neither balances anything.
//!
//! The kernel hands live frames out again after they have been sent, with the headers that other
//! programs have changed. So every header is written again each time.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "lengths of frames, and the words that numbers of flows consist of"
)]

#[path = "traffic/floor.rs"]
mod floor;
#[path = "traffic/send.rs"]
mod send;
#[path = "traffic/sink.rs"]
mod sink;

use core::ptr::read_volatile;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

/// A setting: constant from the load of the program on.
#[inline(always)]
fn setting<T: Copy>(place: &'static T) -> T {
    // SAFETY: a static; volatile, since it is set before the program is loaded.
    unsafe { read_volatile(place) }
}

/// Run by the kernel over live frames (BPF_F_TEST_XDP_LIVE_FRAMES): makes the next packet of this CPU
/// and sends it.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp]
fn xelb_send(context: XdpContext) -> u32 {
    send::next(&context).unwrap_or(xdp_action::XDP_ABORTED)
}

/// Attached where packets arrive: counts them.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_sink(context: XdpContext) -> u32 {
    sink::count(&context)
}

/// Attached where packets leave, if wanted: some drivers transmit frames of XDP only while they have
/// a program.
#[xdp(frags)]
fn xelb_pass(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// The least that a balancer on one interface does: sends packets back. Others are compared with it.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_reflect(context: XdpContext) -> u32 {
    floor::reflect(&context).unwrap_or(xdp_action::XDP_PASS)
}

/// The least that an encapsulating balancer does: the same outer header for all packets.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_constant(context: XdpContext) -> u32 {
    floor::encapsulate(&context).unwrap_or(xdp_action::XDP_PASS)
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
