//! The balancer's BPF binary: entry point, statics and the two adapters. The logic is in the
//! library.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "map sizes, interface indices and header lengths are small by construction"
)]

mod kernel;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::warn;
use lb_common::DropReason;
use lb_ebpf::Verdict;

use kernel::{
    frame::Frame,
    maps::DEVICES,
    programs,
    run::{AsLoaded, Dry, KernelTables, Live, Run},
};

/// The balancer; attached to the interfaces that clients' packets arrive at.
#[xdp(frags)]
#[inline(always)]
fn xelb_balance(context: XdpContext) -> u32 {
    balance::<Live>(context)
}

/// The same as a dry run, for `xelb explain`.
#[xdp(frags)]
#[inline(always)]
fn xelb_explain(context: XdpContext) -> u32 {
    balance::<Dry>(context)
}

#[inline(always)]
fn balance<R: Run>(context: XdpContext) -> u32 {
    let mut frame = Frame::new(context);
    let verdict = lb_ebpf::process(&mut frame, &KernelTables::<R>::new());
    action(&frame, verdict)
}

/// Tail call for packets that the balancer does not handle itself.
#[xdp(frags)]
#[inline(always)]
fn xelb_rest(context: XdpContext) -> u32 {
    let mut frame = Frame::new(context);
    let tables = KernelTables::<AsLoaded>::new();
    let verdict = lb_ebpf::process_rest(&mut frame, programs::left::<AsLoaded>(), &tables);
    action(&frame, verdict)
}

/// Tail call of modes nat and fullnat.
#[xdp(frags)]
#[inline(always)]
fn xelb_translate(context: XdpContext) -> u32 {
    let mut frame = Frame::new(context);
    let verdict = lb_ebpf::process_translated(&mut frame, &KernelTables::<AsLoaded>::new());
    action(&frame, verdict)
}

/// The verdict in XDP's words.
#[inline(always)]
fn action(frame: &Frame, verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop(reason) => dropped(frame, reason),
        Verdict::Transmit => xdp_action::XDP_TX,
        Verdict::Redirect(interface) => match DEVICES.redirect(interface, 0) {
            Ok(action) | Err(action) => action,
        },
    }
}

/// A fault of the agent is worth a line in its log; drops that packets cause are only counted.
#[inline(always)]
fn dropped(frame: &Frame, reason: DropReason) -> u32 {
    if matches!(reason, DropReason::TargetMissing | DropReason::ModeUnknown) {
        warn!(&frame.0, "dropped a packet: reason {}", reason as u32);
    }
    xdp_action::XDP_DROP
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
