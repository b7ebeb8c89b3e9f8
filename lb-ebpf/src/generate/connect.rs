//! A generator of whole connections through mode fullnat: it sends what the client sends, and answers in
//! the target's name to the address and port that the program under test has chosen. It finds those in the frame:
//! a run of packets leaves each as the program under test has written it.

use aya_ebpf::{
    macros::{map, xdp},
    maps::PerCpuArray,
    programs::XdpContext,
};
use lb_common::generate::{CONNECTION_PACKETS, FRAME_OFFSET, Order};

use super::{ORDER, STATE, UNDER_TEST, failed, room, store};

/// State of the connection, its client's address, then the addresses and ports that its target
/// sees, each as in the frame.
#[map]
static LIFE: PerCpuArray<[u64; 4]> = PerCpuArray::with_max_entries(1, 0);

/// Words of the frame, with [`FRAME_OFFSET`] before it: the source is in the second half of this
/// one.
const SOURCE: usize = 3;
/// Destination and ports.
const ENDS: usize = 4;
/// Sequence and acknowledgement number.
const NUMBERS: usize = 5;
/// The flags, in its second byte.
const FLAGS: usize = 6;

/// Sequence numbers: the client's first, and the target's.
const CLIENT: u32 = 1000;
const TARGET: u32 = 5_000_000;

const SYN: u64 = 0x02;
const ACK: u64 = 0x10;
const FIN: u64 = 0x01;

/// Flags of each packet, whether the target sends it, and its numbers.
#[inline(always)]
const fn packet(step: u64) -> (u64, bool, [u32; 2]) {
    match step {
        0 => (SYN, false, [CLIENT, 0]),
        1 => (SYN | ACK, true, [TARGET, CLIENT + 1]),
        2 => (ACK, false, [CLIENT + 1, TARGET + 1]),
        3 => (FIN | ACK, false, [CLIENT + 1, TARGET + 1]),
        4 => (FIN | ACK, true, [TARGET + 1, CLIENT + 2]),
        _ => (ACK, false, [CLIENT + 2, TARGET + 2]),
    }
}

#[inline(always)]
fn connect(context: &XdpContext) -> Option<()> {
    let order = ORDER.get_ptr(0)?;
    // SAFETY: user space writes it between the runs only.
    let order: &Order = unsafe { &*order };
    let (life, state) = (LIFE.get_ptr_mut(0)?, STATE.get_ptr_mut(0)?);
    // SAFETY: into this CPU's parts of the maps.
    let ([step, client, addresses, ports], [_, number]) = unsafe { (&mut *life, &mut *state) };
    let start = room(context)?;
    if *step == 0 {
        *client = super::address(order, *number as u32 & order.flow_mask) >> 32;
        *number = number.wrapping_add(1);
    }
    if *step == 1 {
        let half = |at: usize| {
            // SAFETY: inside the frame, at an even address.
            let [low, high] =
                unsafe { [*((start + at) as *const u16), *((start + at + 2) as *const u16)] };
            u64::from(low) | u64::from(high) << 16
        };
        (*addresses, *ports) = (half(26) | half(30) << 32, half(34));
    }
    let (flags, is_answer, [sent, received]) = packet(*step);
    *step = if *step + 1 >= u64::from(CONNECTION_PACKETS) { 0 } else { *step + 1 };
    let [first, words @ ..] = &order.frame;
    let first = *first >> (8 * FRAME_OFFSET);
    let numbers = u64::from(sent.to_be()) | u64::from(received.to_be()) << 32;
    // SAFETY: long enough, as `room` has compared. Each word is written once: see `generate`.
    unsafe {
        (start as *mut u32).write_volatile(first as u32);
        ((start + 4) as *mut u16).write_volatile((first >> 32) as u16);
        for (number, word) in (1..).zip(words) {
            let word = match number {
                // What the target answers comes from where it was sent to.
                SOURCE if is_answer => *word & 0xffff_ffff | *addresses >> 32 << 32,
                SOURCE => *word & 0xffff_ffff | *client << 32,
                ENDS if is_answer => {
                    *addresses & 0xffff_ffff | *ports >> 16 << 32 | (*ports & 0xffff) << 48
                }
                NUMBERS => numbers,
                FLAGS => *word & !0xff00 | flags << 8,
                _ => *word,
            };
            store(start + number * 8 - FRAME_OFFSET as usize, word);
        }
    }
    Some(())
}

/// Makes the next packet and hands it to the program under test.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_connect(context: XdpContext) -> u32 {
    if connect(&context).is_none() {
        return failed();
    }
    // SAFETY: a tail call returns only when it fails.
    unsafe { UNDER_TEST.tail_call(&context, 0) };
    failed()
}
