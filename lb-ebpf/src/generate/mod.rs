//! The generator. [`ORDER`] has its parameters, so that one instance serves all cases.

mod connect;
mod reference;

use core::{arch::asm, hint::black_box};

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    helpers::generated::bpf_xdp_adjust_head,
    macros::{map, xdp},
    maps::{Array, PerCpuArray, ProgramArray},
    programs::XdpContext,
};
use lb_common::generate::{FRAME_LENGTH, FRAME_OFFSET, Order};

/// What to make.
#[map]
static ORDER: Array<Order> = Array::with_max_entries(1, 0);

/// The program under test.
#[map]
static UNDER_TEST: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// State of the random numbers, and the number of the next flow where they come in order.
#[map]
static STATE: PerCpuArray<[u64; 2]> = PerCpuArray::with_max_entries(1, 0);

/// Packets that did not come as far as they should have. What goes well is not counted: it would
/// cost time.
#[map]
static FAILURES: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Counts a packet that went wrong.
#[inline(never)]
fn failed() -> u32 {
    if let Some(count) = FAILURES.get_ptr_mut(0) {
        // SAFETY: into this CPU's part of the map.
        unsafe { *count += 1 };
    }
    xdp_action::XDP_ABORTED
}

/// The frame behind [`FRAME_OFFSET`] bytes, of the right length; `None` when it cannot be made so.
#[inline(always)]
fn room(context: &XdpContext) -> Option<usize> {
    // Hidden from LLVM, which else subtracts the length from the pointer: not allowed (6.18).
    let length = black_box(context.data_end() - context.data());
    let surplus = length as i32 - FRAME_LENGTH as i32;
    // SAFETY: the context of this run.
    if surplus != 0 && unsafe { bpf_xdp_adjust_head(context.as_ptr().cast(), surplus) } != 0 {
        return None;
    }
    let start = context.data();
    if start + FRAME_LENGTH > context.data_end() { None } else { Some(start) }
}

/// Number of the next flow.
#[inline(always)]
fn next_flow(order: &Order) -> Option<u32> {
    let state = STATE.get_ptr_mut(0)?;
    // SAFETY: into this CPU's part of the map.
    let [random, number] = unsafe { &mut *state };
    if order.in_order != 0 {
        let flow = *number as u32 & order.flow_mask;
        *number = number.wrapping_add(1);
        return Some(flow);
    }
    // xorshift64 (Marsaglia 2003), with a start that is not zero.
    let mut next = *random | 1 << 63;
    next ^= next << 13;
    next ^= next >> 7;
    next ^= next << 17;
    *random = next;
    Some((next >> 20) as u32 & order.flow_mask)
}

/// The last four bytes of the source address, in their place in a word: 10, and the flow's number, its
/// highest byte first, then its lowest one.
#[inline(always)]
const fn address(order: &Order, flow: u32) -> u64 {
    let [low, middle, high, _] = flow.to_le_bytes();
    let bytes = u32::from_le_bytes([10, high, low, middle]) as u64;
    (bytes << (order.address_shift & 0x3f)).to_le()
}

/// Stores a word at an even address; in assembler, since LLVM would store two bytes at a time.
#[inline(always)]
unsafe fn store(address: usize, word: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("*(u64 *)({0} + 0) = {1}", in(reg) address, in(reg) word, options(nostack)) };
}

#[inline(always)]
fn generate(context: &XdpContext) -> Option<()> {
    let order = ORDER.get_ptr(0)?;
    // SAFETY: user space writes it between the runs only.
    let order = unsafe { &*order };
    let flow = next_flow(order)?;
    let start = room(context)?;
    let address = address(order, flow);
    let [first, words @ ..] = &order.frame;
    let first = u64::from_le(*first) >> (8 * FRAME_OFFSET);
    // SAFETY: long enough, as `room` has compared. Volatile, since LLVM makes a loop over bytes of a copy;
    // and each word is written once: a CPU waits with a load of what several stores have written
    // until they are done, which would be taken for the cost of whoever reads the packet.
    unsafe {
        (start as *mut u32).write_volatile((first as u32).to_le());
        ((start + 4) as *mut u16).write_volatile(((first >> 32) as u16).to_le());
        for (number, word) in (1..).zip(words) {
            let word =
                if number == usize::from(order.address_word) { word | address } else { *word };
            store(start + number * 8 - FRAME_OFFSET as usize, word);
        }
    }
    Some(())
}

/// Makes the next packet and hands it to the program under test.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_generate(context: XdpContext) -> u32 {
    if generate(&context).is_none() {
        return failed();
    }
    // SAFETY: a tail call returns only when it fails.
    unsafe { UNDER_TEST.tail_call(&context, 0) };
    failed()
}
