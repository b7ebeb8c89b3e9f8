//! Programs for comparison, each of which does one step that other balancers, or all, need.

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    helpers::generated::bpf_xdp_adjust_head,
    macros::{map, xdp},
    maps::LruHashMap,
    programs::XdpContext,
};
use lb_common::generate::FRAME_LENGTH;

use super::failed;

/// What others remember flows in. User space says how many.
#[map]
static LRU: LruHashMap<[u32; 4], u64> = LruHashMap::with_max_entries(1, 0);

/// EtherType of IPv4 in memory order.
const IPV4: u16 = 0x0800_u16.to_be();

/// Length of the Ethernet header, and of the IPv4 header without options.
const ETHERNET: usize = 14;
const IP: usize = 20;

/// An outer header that is right for frames of [`FRAME_LENGTH`] bytes: 172.16.0.1 to 10.200.0.1.
const OUTER: [u16; IP / 2] = {
    const TOTAL: u16 = (FRAME_LENGTH - ETHERNET + IP) as u16;
    let words = [0x4500, TOTAL, 0, 0, 0x4004, 0, 0xac10, 1, 0x0ac8, 1_u16];
    let (mut sum, mut number) = (0_u32, 0);
    while number < words.len() {
        sum += words[number] as u32;
        number += 1;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    let [a, b, c, d, e, _, f, g, h, i] = words;
    let words = [a, b, c, d, e, checksum, f, g, h, i];
    let mut swapped = [0; IP / 2];
    let mut number = 0;
    while number < words.len() {
        swapped[number] = words[number].to_be();
        number += 1;
    }
    swapped
};

/// MACs of the frame that leaves: to 02:00:00:00:00:03, from 02:00:00:00:00:01.
const MACS: [u16; 6] = [0x0200_u16.to_be(), 0, 3_u16.to_be(), 0x0200_u16.to_be(), 0, 1_u16.to_be()];

/// The least program under test: what the generator costs by itself.
#[xdp(frags)]
fn xelb_reflect(_context: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

#[inline(always)]
fn swap(context: &XdpContext) -> Option<()> {
    let start = context.data();
    if start + ETHERNET > context.data_end() {
        return None;
    }
    // SAFETY: long enough, as compared above; frames are at even addresses.
    unsafe {
        let macs = start as *mut [[u16; 3]; 2];
        let [destination, source] = *macs;
        *macs = [source, destination];
    }
    Some(())
}

/// Sends a frame back: swaps its MACs.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_swap(context: XdpContext) -> u32 {
    match swap(&context) {
        Some(()) => xdp_action::XDP_TX,
        None => failed(),
    }
}

/// Reads a packet as a balancer must, and puts the same header before each.
#[inline(always)]
fn encapsulate(context: &XdpContext) -> Option<()> {
    const HEADERS: usize = ETHERNET + IP + 4;
    let start = context.data();
    if start + HEADERS > context.data_end() {
        return None;
    }
    // SAFETY: long enough, as compared above; frames are at even addresses.
    let words = unsafe { *(start as *const [u16; HEADERS / 2]) };
    let [version, protocol] = [words[7].to_ne_bytes()[0], words[11].to_ne_bytes()[1]];
    let [source_port, destination_port] = [words[17], words[18]];
    let known = words[6] == IPV4 && version == 0x45 && (protocol == 6 || protocol == 17);
    if !known || source_port == 0 || destination_port == 0 {
        return None;
    }
    // SAFETY: the context of this run.
    if unsafe { bpf_xdp_adjust_head(context.as_ptr().cast(), -(IP as i32)) } != 0 {
        return None;
    }
    let start = context.data();
    if start + ETHERNET + IP > context.data_end() {
        return None;
    }
    // SAFETY: long enough, as compared above.
    unsafe {
        *(start as *mut [u16; 6]) = MACS;
        *((start + 12) as *mut u16) = IPV4;
        *((start + ETHERNET) as *mut [u16; IP / 2]) = OUTER;
    }
    Some(())
}

/// The least that a balancer with IP-in-IP can do: the same header for all.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_constant(context: XdpContext) -> u32 {
    match encapsulate(&context) {
        Some(()) => xdp_action::XDP_TX,
        None => failed(),
    }
}

/// Looks a packet's flow up in [`LRU`], and enters it when it is not there.
#[inline(always)]
fn look_up(context: &XdpContext) -> Option<()> {
    let start = context.data();
    if start + ETHERNET + IP + 4 > context.data_end() {
        return None;
    }
    // SAFETY: long enough, as compared above; IPv4 addresses and ports are at even addresses.
    let words = unsafe { *((start + 26) as *const [u16; 6]) };
    let word = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
    let [from, from_low, to, to_low, from_port, to_port] = words;
    let key = [word(from, from_low), word(to, to_low), word(from_port, to_port), 6_u32];
    if LRU.get_ptr(key).is_none() {
        return LRU.insert(key, 1_u64, 0).ok();
    }
    Some(())
}

/// A program under test that does nothing but remember flows as others do.
#[expect(clippy::needless_pass_by_value, reason = "the macro calls it so")]
#[xdp(frags)]
fn xelb_lru(context: XdpContext) -> u32 {
    match look_up(&context) {
        Some(()) => xdp_action::XDP_TX,
        None => failed(),
    }
}
