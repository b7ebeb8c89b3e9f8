//! The next packet: which flow, which size, and headers with correct checksums. When a packet is due
//! is not decided here: user space asks for so many.

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    helpers::{bpf_redirect, generated::bpf_xdp_adjust_tail},
    macros::map,
    maps::{Array, PerCpuArray},
    programs::XdpContext,
};

use crate::setting;

/// Bytes that are written at the start of every IPv4 frame, and of every IPv6 frame: their headers,
/// rounded up to words of eight bytes.
const HEAD_V4: usize = 56;
const HEAD_V6: usize = 80;
/// Entries of [`SIZES`]: the mix of sizes repeats after so many packets.
const PATTERN: usize = 12;
/// Lowest source port.
const PORT_FIRST: u16 = 1024;

/// Where headers start, in bytes.
const IP: usize = 14;
const TRANSPORT_V4: usize = IP + 20;
const TRANSPORT_V6: usize = IP + 40;

/// What a CPU has done, and where it continues.
#[repr(C)]
#[derive(Clone, Copy)]
struct Progress {
    /// Number of the next flow.
    flow: u64,
    /// Packets sent.
    packets: u64,
    /// Their bytes, from the Ethernet header on.
    bytes: u64,
    /// Place in [`SIZES`].
    place: u64,
}

#[map]
static PROGRESS: PerCpuArray<Progress> = PerCpuArray::with_max_entries(1, 0);

/// The headers, with zeros where packets differ.
#[map]
static HEADERS: Array<[u64; HEAD_V6 / 8]> = Array::with_max_entries(1, 0);

/// Index of the interface that packets leave by.
#[unsafe(no_mangle)]
static INTERFACE: u32 = 0;
/// Whether packets are IPv6, else IPv4.
#[unsafe(no_mangle)]
static IS_V6: u32 = 0;
/// Whether packets are UDP, else TCP.
#[unsafe(no_mangle)]
static IS_UDP: u32 = 0;
/// Number of flows.
#[unsafe(no_mangle)]
static FLOWS: u64 = 1;
/// How far apart the flows of one CPU are; less than [`FLOWS`], unless there is one flow.
#[unsafe(no_mangle)]
static STEP: u64 = 0;
/// Number of source addresses.
#[unsafe(no_mangle)]
static ADDRESSES: u32 = 1;
/// The first of them: its last four bytes as a number.
#[unsafe(no_mangle)]
static ADDRESS_FIRST: u32 = 0;
/// Offset of the omitted address from the first one.
#[unsafe(no_mangle)]
static ADDRESS_SKIPPED: u32 = u32::MAX;
/// Bytes of the frames that the kernel hands out; the largest of [`SIZES`].
#[unsafe(no_mangle)]
static FRAME_LENGTH: u32 = 60;
/// Lengths of frames in bytes, one packet after the other.
#[unsafe(no_mangle)]
static SIZES: [u32; PATTERN] = [60; PATTERN];
/// Sum of the words of the IPv4 header as [`HEADERS`] has it.
#[unsafe(no_mangle)]
static SUM_IP: u32 = 0;
/// The same of the TCP or UDP header and its pseudo header; what follows them is zeros.
#[unsafe(no_mangle)]
static SUM_TRANSPORT: u32 = 0;

/// The Internet checksum of a sum of words (RFC 1071).
#[inline(always)]
const fn checksum(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// Writes a word in network byte order.
///
/// # Safety
/// `place` lies in the frame, at an even address, with two bytes behind it.
#[inline(always)]
unsafe fn write(place: usize, word: u16) {
    // SAFETY: the caller's promise.
    unsafe { *(place as *mut u16) = word.to_be() };
}

/// What is particular to one packet.
struct Packet {
    /// Last four bytes of its source address.
    address: u32,
    port: u16,
    /// Bytes of the frame.
    length: u32,
}

#[inline(always)]
fn choose(progress: &mut Progress) -> Packet {
    let flow = progress.flow;
    // Numbers go round without a division: the step is less than the number of flows.
    let mut next = flow + setting(&STEP);
    if next >= setting(&FLOWS) {
        next -= setting(&FLOWS);
    }
    progress.flow = next;
    // Never zero, which the compiler cannot know: a division by it would be a panic.
    let addresses = u64::from(setting(&ADDRESSES).max(1));
    let mut address = (flow % addresses) as u32;
    if address >= setting(&ADDRESS_SKIPPED) {
        address += 1;
    }
    let place = progress.place as usize;
    progress.place = if place + 1 < PATTERN { place as u64 + 1 } else { 0 };
    // Compared again here: the verifier does not know what the map holds.
    let size = if place < PATTERN { place } else { 0 };
    // SAFETY: the place is inside the array; volatile, as for every setting.
    let length = unsafe { core::ptr::read_volatile((&raw const SIZES).cast::<u32>().add(size)) };
    Packet {
        address: setting(&ADDRESS_FIRST).wrapping_add(address),
        port: PORT_FIRST.wrapping_add((flow / addresses) as u16),
        length,
    }
}

/// Writes headers of IPv4 packets.
///
/// # Safety
/// `start` is that of a frame of at least [`HEAD_V4`] bytes.
#[inline(always)]
unsafe fn head_v4(start: usize, packet: &Packet) {
    let ip_length = packet.length - IP as u32;
    let [high, low] = [(packet.address >> 16) as u16, packet.address as u16];
    let address_sum = u32::from(high) + u32::from(low);
    // SAFETY: the caller's promise; all offsets are below HEAD_V4.
    unsafe {
        write(start + IP + 2, ip_length as u16);
        write(start + IP + 10, checksum(setting(&SUM_IP) + ip_length + address_sum));
        write(start + IP + 12, high);
        write(start + IP + 14, low);
        transport(start + TRANSPORT_V4, packet, ip_length - 20, address_sum);
    }
}

/// Writes headers of IPv6 packets.
///
/// # Safety
/// `start` is that of a frame of at least [`HEAD_V6`] bytes.
#[inline(always)]
unsafe fn head_v6(start: usize, packet: &Packet) {
    let length = packet.length - TRANSPORT_V6 as u32;
    let [high, low] = [(packet.address >> 16) as u16, packet.address as u16];
    // SAFETY: the caller's promise; all offsets are below HEAD_V6.
    unsafe {
        write(start + IP + 4, length as u16);
        write(start + IP + 20, high);
        write(start + IP + 22, low);
        transport(start + TRANSPORT_V6, packet, length, u32::from(high) + u32::from(low));
    }
}

/// Writes what differs in a TCP or UDP header, `length` bytes with what follows it.
///
/// # Safety
/// `place` is that of the header, and 20 bytes of the frame lie behind it.
#[inline(always)]
unsafe fn transport(place: usize, packet: &Packet, length: u32, address_sum: u32) {
    let sum = setting(&SUM_TRANSPORT) + address_sum + u32::from(packet.port) + length;
    // SAFETY: the caller's promise.
    unsafe {
        write(place, packet.port);
        if setting(&IS_UDP) == 0 {
            write(place + 16, checksum(sum));
            return;
        }
        write(place + 4, length as u16);
        // The length is in the pseudo header and in the header; a zero means "none" (RFC 768).
        let sum = match checksum(sum + length) {
            0 => 0xffff,
            sum => sum,
        };
        write(place + 6, sum);
    }
}

#[inline(always)]
pub(crate) fn next(context: &XdpContext) -> Option<u32> {
    // SAFETY: into this CPU's part of the map, which only this run writes.
    let progress = unsafe { &mut *PROGRESS.get_ptr_mut(0)? };
    let headers = HEADERS.get_ptr(0)?;
    let packet = choose(progress);
    let surplus = packet.length as i32 - setting(&FRAME_LENGTH) as i32;
    // SAFETY: the context of this run.
    if surplus != 0 && unsafe { bpf_xdp_adjust_tail(context.as_ptr().cast(), surplus) } != 0 {
        return None;
    }
    let start = context.data();
    if setting(&IS_V6) == 0 {
        if start + HEAD_V4 > context.data_end() {
            return None;
        }
        // SAFETY: the frame is long enough, as compared above; the map's element is longer.
        unsafe {
            *(start as *mut [u64; HEAD_V4 / 8]) = *headers.cast();
            head_v4(start, &packet);
        }
    } else {
        if start + HEAD_V6 > context.data_end() {
            return None;
        }
        // SAFETY: as above.
        unsafe {
            *(start as *mut [u64; HEAD_V6 / 8]) = *headers;
            head_v6(start, &packet);
        }
    }
    progress.packets += 1;
    progress.bytes += u64::from(packet.length);
    // SAFETY: no pointers.
    let action = unsafe { bpf_redirect(setting(&INTERFACE), 0) };
    (action == i64::from(xdp_action::XDP_REDIRECT)).then_some(xdp_action::XDP_REDIRECT)
}
