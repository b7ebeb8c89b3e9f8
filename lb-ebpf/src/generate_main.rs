//! The packet generator's BPF binary, for measurements: it restores the frame, writes the next
//! flow's addresses and tail-calls the program under test.
//!
//! A repeated TEST_RUN hands each round the frame as the round before left it: without this, an
//! encapsulating program would be measured on its own output from the second round on.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "lengths of test frames and pieces of random numbers"
)]

use core::{hint::black_box, ptr::read_volatile};

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    helpers::generated::bpf_xdp_adjust_head,
    macros::{map, xdp},
    maps::{Array, LruHashMap, PerCpuArray, ProgramArray},
    programs::XdpContext,
};

/// Bytes of the frame that are restored: Ethernet, IPv4 or IPv6, TCP.
const TEMPLATE_LENGTH: usize = 80;

/// The frame; its length is that of the input of TEST_RUN.
#[map]
static TEMPLATE: Array<[u64; TEMPLATE_LENGTH / 8]> = Array::with_max_entries(1, 0);

/// The program under test.
#[map]
static UNDER_TEST: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// What others remember flows in, of the size of xelb's own memory.
#[map]
static LRU: LruHashMap<[u32; 4], u64> = LruHashMap::with_max_entries(1 << 21, 0);

/// State of the random numbers.
#[map]
static RANDOM: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Length of the frame in bytes; at least [`TEMPLATE_LENGTH`].
#[unsafe(no_mangle)]
static FRAME_LENGTH: u32 = 0;

/// Number of flows less one; the number is a power of two.
#[unsafe(no_mangle)]
static FLOW_MASK: u32 = 0;

/// Where the last four bytes of the source address start.
#[unsafe(no_mangle)]
static ADDRESS_OFFSET: u32 = 0;

/// Whether flows come one after the other instead of at random: no flow twice in 2^24 packets.
#[unsafe(no_mangle)]
static EVERY_PACKET_NEW: u32 = 0;

#[inline(always)]
fn setting(place: &'static u32) -> u32 {
    // SAFETY: a static; volatile, since it is set before the program is loaded.
    unsafe { read_volatile(place) }
}

/// Number of the next flow.
#[inline(always)]
fn next_flow() -> Option<u32> {
    let state = RANDOM.get_ptr_mut(0)?;
    // SAFETY: into this CPU's part of the map.
    let number = unsafe { &mut *state };
    if setting(&EVERY_PACKET_NEW) != 0 {
        *number = number.wrapping_add(1);
        return Some(*number as u32 & setting(&FLOW_MASK));
    }
    // xorshift64 (Marsaglia 2003), with a start that is not zero.
    let mut next = *number | 1 << 63;
    next ^= next << 13;
    next ^= next >> 7;
    next ^= next << 17;
    *number = next;
    Some((next >> 20) as u32 & setting(&FLOW_MASK))
}

#[inline(always)]
fn generate(context: &XdpContext) -> Option<()> {
    // Hidden from LLVM, which else subtracts the setting from the pointer: not allowed (6.18).
    let length = black_box(context.data_end() - context.data());
    let surplus = length as i32 - setting(&FRAME_LENGTH) as i32;
    // SAFETY: the context of this run.
    if surplus != 0 && unsafe { bpf_xdp_adjust_head(context.as_ptr().cast(), surplus) } != 0 {
        return None;
    }
    let flow = next_flow()?;
    let template = TEMPLATE.get_ptr(0)?;
    let start = context.data();
    if start + TEMPLATE_LENGTH > context.data_end() {
        return None;
    }
    let offset = setting(&ADDRESS_OFFSET) as usize & 0x3f;
    // SAFETY: both are long enough, as compared above; the offset is below 64.
    unsafe {
        *(start as *mut [u64; TEMPLATE_LENGTH / 8]) = *template;
        let address = (start + offset) as *mut u16;
        *address = 0x000a | (flow >> 8) as u16 & 0xff00;
        *address.add(1) = flow as u16;
    }
    Some(())
}

/// Makes the next packet and hands it to the program under test.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_generate(context: XdpContext) -> u32 {
    if generate(&context).is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: a tail call returns only when it fails.
    unsafe { UNDER_TEST.tail_call(&context, 0) };
    xdp_action::XDP_ABORTED
}

/// The least program under test: what the generator costs by itself.
#[xdp(frags)]
fn xelb_reflect(_context: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// Looks a packet's flow up in [`LRU`], and enters it when it is not there.
#[inline(always)]
fn look_up(context: &XdpContext) -> Option<()> {
    let start = context.data();
    if start + TEMPLATE_LENGTH > context.data_end() {
        return None;
    }
    // SAFETY: long enough, as compared above; IPv4 addresses and ports stand at even addresses.
    let words = unsafe { *((start + 26) as *const [u16; 6]) };
    let word = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
    let [from, from_low, to, to_low, from_port, to_port] = words;
    let key = [word(from, from_low), word(to, to_low), word(from_port, to_port), 6_u32];
    if LRU.get_ptr(key).is_none() {
        let _entered = LRU.insert(key, 1_u64, 0);
    }
    Some(())
}

/// A program under test that does nothing but remember flows as others do.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_lru(context: XdpContext) -> u32 {
    match look_up(&context) {
        Some(()) => xdp_action::XDP_TX,
        None => xdp_action::XDP_ABORTED,
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
