//! The balancer's BPF binary: entry point, statics and the two adapters. The logic is in the
//! library.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "map sizes, interface indices and header lengths are small by construction"
)]

mod kernel;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    macros::xdp,
    programs::XdpContext,
};
use aya_log_ebpf::warn;
use lb_common::DropReason;
use lb_ebpf::{Datagram, Stages, Step, Verdict, stage};

use kernel::{frame::Frame, maps::DEVICES, tables::KernelTables};

/// The balancer; attached to the interfaces that clients' packets arrive at.
#[xdp(frags)]
fn xelb_balance(context: XdpContext) -> u32 {
    let mut frame = Frame::new(context);
    match lb_ebpf::process(&mut frame, &KernelTables) {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop(reason) => dropped(&frame, reason),
        Verdict::Transmit => xdp_action::XDP_TX,
        Verdict::Redirect(interface) => match DEVICES.redirect(interface, 0) {
            Ok(action) | Err(action) => action,
        },
    }
}

/// The stages as global functions; see `lb_ebpf::stage`.
impl Stages<Frame> for KernelTables {
    #[inline(always)]
    fn balance(&self, packet: &mut Frame) -> Step {
        Step::from_word(xelb_common(packet.context()))
    }

    #[inline(always)]
    fn exception(&self, packet: &mut Frame) -> Step {
        Step::from_word(xelb_exception(packet.context()))
    }

    #[inline(always)]
    fn deliver(&self, packet: &mut Frame, flow: &Datagram) -> Step {
        Step::from_word(xelb_deliver(packet.context(), flow))
    }

    #[inline(always)]
    fn too_big(&self, packet: &mut Frame, room: u16) -> Verdict {
        match Step::from_word(xelb_too_big(packet.context(), u32::from(room))) {
            Step::Done(verdict) => verdict,
            _ => Verdict::Drop(DropReason::PacketTooBig),
        }
    }

    #[inline(always)]
    fn clamp(&self, packet: &mut Frame, offset: u32, mss: u16) {
        xelb_clamp(packet.context(), offset, u32::from(mss));
    }
}

/// See [`stage::balance`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_common(context: *mut xdp_md) -> u64 {
    stage::balance(&mut Frame::of(context), &KernelTables).to_word()
}

/// See [`stage::exception`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_exception(context: *mut xdp_md) -> u64 {
    stage::exception(&mut Frame::of(context), &KernelTables).to_word()
}

/// See [`stage::deliver`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_deliver(context: *mut xdp_md, flow: *const Datagram) -> u64 {
    // SAFETY: the caller has a reference; the verifier takes a global function's argument for null
    // until it has been asked.
    match unsafe { flow.as_ref() } {
        Some(flow) => stage::deliver(&mut Frame::of(context), flow, &KernelTables).to_word(),
        None => Step::Done(Verdict::Pass).to_word(),
    }
}

/// See [`stage::too_big`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_too_big(context: *mut xdp_md, room: u32) -> u64 {
    let verdict = stage::too_big(&mut Frame::of(context), room as u16, &KernelTables);
    Step::Done(verdict).to_word()
}

/// See [`stage::clamp`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_clamp(context: *mut xdp_md, offset: u32, mss: u32) -> u64 {
    stage::clamp(&mut Frame::of(context), offset & 0x1ff, mss as u16);
    0
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
