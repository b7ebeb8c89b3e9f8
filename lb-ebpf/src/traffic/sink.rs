//! What arrives, by tunnel, family and protocol; and, if wanted, of how many flows it is. Packets are
//! not changed.

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    helpers::generated::bpf_xdp_get_buff_len,
    macros::map,
    maps::{Array, PerCpuArray},
    programs::XdpContext,
};

use crate::setting;

/// Kinds of packets: tunnel (none, IP in IP, GUE) x family (IPv4, IPv6) x protocol (TCP, UDP, ICMP,
/// other), and the last one: no IP.
const KINDS: u32 = 3 * 2 * 4 + 1;
const NO_IP: u32 = KINDS - 1;

/// Bits in a word of [`FLOWS_SEEN`].
const WORD_BITS: u64 = 64;
/// Words of [`FLOWS_SEEN`]; may be made fewer at load.
const WORDS: u32 = 1 << 21;

/// What was counted of a kind.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tally {
    packets: u64,
    /// From the Ethernet header on.
    bytes: u64,
    /// Bits of [`FLOWS_SEEN`] that were set for the first time.
    new_bits: u64,
}

#[map]
static TALLIES: PerCpuArray<Tally> = PerCpuArray::with_max_entries(KINDS, 0);

/// A bit for each hash of a flow.
#[map]
static FLOWS_SEEN: Array<u64> = Array::with_max_entries(WORDS, 0);

/// UDP port of GUE.
#[unsafe(no_mangle)]
static SINK_GUE_PORT: u32 = 6080;
/// Whether TCP and UDP packets end here; everything else always passes.
#[unsafe(no_mangle)]
static DROPS: u32 = 0;
/// Number of bits of [`FLOWS_SEEN`] less one, a power of two less one; 0: flows are not counted.
#[unsafe(no_mangle)]
static FLOW_MASK: u64 = 0;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;

/// Part of the frame, when it is that long.
#[inline(always)]
fn read<const N: usize>(context: &XdpContext, offset: usize) -> Option<[u8; N]> {
    // No header is so far behind; the verifier needs the bound.
    if offset > 512 {
        return None;
    }
    let start = context.data() + offset;
    if start + N > context.data_end() {
        return None;
    }
    // SAFETY: inside the frame, as compared above; bytes may be anywhere.
    Some(unsafe { *(start as *const [u8; N]) })
}

/// Mixes a word into a hash (the steps of splitmix64; Steele, Lea and Flood 2014).
#[inline(always)]
const fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 27)
}

/// An IP header.
struct Ip {
    v6: bool,
    protocol: u8,
    /// Where it ends.
    end: usize,
    /// Of its addresses.
    hash: u64,
    /// Whether the transport header follows: no fragment but the first.
    whole: bool,
}

#[inline(always)]
fn ipv4(context: &XdpContext, offset: usize) -> Option<Ip> {
    // In one piece: piecemeal reads are merged by LLVM into ones that the verifier cannot follow.
    let head: [u8; 20] = read(context, offset)?;
    let [first, _, _, _, _, _, high, low, _, protocol, _, _, addresses @ ..] = head;
    let length = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || length < 20 {
        return None;
    }
    Some(Ip {
        v6: false,
        protocol,
        end: offset + length,
        hash: mix(0, u64::from_be_bytes(addresses)),
        // No offset (13 bits).
        whole: u16::from_be_bytes([high, low]) << 3 == 0,
    })
}

#[inline(always)]
fn ipv6(context: &XdpContext, offset: usize) -> Option<Ip> {
    let [first, _, _, _, _, _, protocol, _] = read::<8>(context, offset)?;
    if first >> 4 != 6 {
        return None;
    }
    let mut hash = 1;
    let mut place = offset + 8;
    while place < offset + 40 {
        hash = mix(hash, u64::from_be_bytes(read(context, place)?));
        place += 8;
    }
    Some(Ip { v6: true, protocol, end: offset + 40, hash, whole: true })
}

#[inline(always)]
fn ip(context: &XdpContext, offset: usize, v6: bool) -> Option<Ip> {
    if v6 { ipv6(context, offset) } else { ipv4(context, offset) }
}

/// The IP header behind the Ethernet header and up to two VLAN tags.
#[inline(always)]
fn outermost(context: &XdpContext) -> Option<Ip> {
    let mut end = 14;
    let mut kind = u16::from_be_bytes(read(context, 12)?);
    if kind == 0x8100 || kind == 0x88a8 {
        kind = u16::from_be_bytes(read(context, 16)?);
        end = 18;
    }
    if kind == 0x8100 {
        kind = u16::from_be_bytes(read(context, 20)?);
        end = 22;
    }
    match kind {
        0x0800 => ipv4(context, end),
        0x86dd => ipv6(context, end),
        _ => None,
    }
}

/// Where the inner header of a GUE packet starts, and whether it is IPv6 (draft-ietf-intarea-gue, both
/// variants).
#[inline(always)]
fn in_gue(context: &XdpContext, outer: &Ip) -> Option<(usize, bool)> {
    let [_, _, high, low] = read::<4>(context, outer.end)?;
    if u32::from(u16::from_be_bytes([high, low])) != setting(&SINK_GUE_PORT) {
        return None;
    }
    let start = outer.end + 8;
    let [first, protocol] = read::<2>(context, start)?;
    match first >> 4 {
        4 => Some((start, false)),
        6 => Some((start, true)),
        0 | 1 => {
            let end = start + 4 + usize::from(first & 0x1f) * 4;
            match protocol {
                IPV4_IN_IP => Some((end, false)),
                IPV6_IN_IP => Some((end, true)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Number of the packet's kind and hash of its flow, zero where it has no ports.
#[inline(always)]
fn classify(context: &XdpContext) -> Option<(u32, u64)> {
    let outer = outermost(context)?;
    let inside = match outer.protocol {
        IPV4_IN_IP => Some((1, outer.end, false)),
        IPV6_IN_IP => Some((1, outer.end, true)),
        UDP if outer.whole => in_gue(context, &outer).map(|(start, v6)| (2, start, v6)),
        _ => None,
    };
    let (tunnel, packet) = match inside {
        Some((tunnel, start, v6)) => (tunnel, ip(context, start, v6)?),
        None => (0, outer),
    };
    let protocol = match packet.protocol {
        TCP => 0,
        UDP => 1,
        ICMP | ICMP_V6 => 2,
        _ => 3,
    };
    let kind = (tunnel * 2 + u32::from(packet.v6)) * 4 + protocol;
    if protocol > 1 || !packet.whole {
        return Some((kind, 0));
    }
    let ports = u64::from(u32::from_be_bytes(read(context, packet.end)?));
    Some((kind, mix(packet.hash, ports << 8 | u64::from(packet.protocol))))
}

/// Sets the bit of a flow; 1 when it was not set before.
#[inline(always)]
fn remember(hash: u64) -> u64 {
    let bit = hash & setting(&FLOW_MASK);
    let Some(word) = FLOWS_SEEN.get_ptr_mut((bit / WORD_BITS) as u32) else { return 0 };
    let flag = 1 << (bit % WORD_BITS);
    // SAFETY: inside the map, aligned.
    if unsafe { core::ptr::read_volatile(word) } & flag != 0 {
        // Most packets are of known flows: reading first spares them the locked operation.
        return 0;
    }
    // SAFETY: as above.
    u64::from(unsafe { fetch_or(word, flag) } & flag == 0)
}

/// Sets bits at once and returns what was there before. In assembler, since the compiler does not know
/// that BPF has it.
///
/// # Safety
/// `place` is aligned and inside a map.
#[inline(always)]
unsafe fn fetch_or(place: *mut u64, bits: u64) -> u64 {
    let before: u64;
    // SAFETY: the caller's promise.
    unsafe {
        core::arch::asm!("{bits} = atomic_fetch_or((u64 *)({place} + 0), {bits})",
            place = in(reg) place, bits = inout(reg) bits => before, options(nostack));
    }
    before
}

#[inline(always)]
pub(crate) fn count(context: &XdpContext) -> u32 {
    let (kind, hash) = classify(context).unwrap_or((NO_IP, 0));
    let new_bits = if setting(&FLOW_MASK) != 0 && hash != 0 { remember(hash) } else { 0 };
    // SAFETY: the context of this run.
    let length = unsafe { bpf_xdp_get_buff_len(context.as_ptr().cast()) };
    if let Some(tally) = TALLIES.get_ptr_mut(kind) {
        // SAFETY: into this CPU's part of the map, which only this run writes.
        let tally = unsafe { &mut *tally };
        tally.packets += 1;
        tally.bytes += length;
        tally.new_bits += new_bits;
    }
    // Other packets than TCP and UDP must pass: without ARP and neighbour discovery nothing
    // arrives.
    if setting(&DROPS) != 0 && kind != NO_IP && kind % 4 < 2 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}
