//! Every map size and every bound of a loop, with its reason.

/// Listeners. ELB allows 50 on a load balancer; a shared edge host serves many of those.
pub const LISTENERS_MAX: usize = 4096;

/// Positions for listeners: a power of two, so that the data path can mask, and four times as many
/// as listeners, so that a lookup probes one or two. 512 KiB.
pub const LISTENER_PLACES: usize = 4 * LISTENERS_MAX;

/// Listeners on a prefix or on several ports. Each costs the data path more than an exact one, and
/// represents many of those.
pub const WIDE_LISTENERS_MAX: usize = 1024;

/// Listeners on a prefix or on several ports that cover one address: the data path looks through
/// them one by one.
pub const WIDE_RANGES_MAX: usize = 16;

/// VIPs: each listener may have its own address.
pub const VIPS_MAX: usize = LISTENERS_MAX;

/// Lines of four flows each in the flow memory by default: 2 million flows in 32 MiB, so that a
/// million fills it to half.
pub const MEMORY_LINES: usize = 1 << 19;

/// Minimum of the agent's option: 64 Ki flows in 1 MiB.
pub const MEMORY_LINES_MIN: usize = 1 << 14;

/// The most: 16 Mi flows in 256 MiB. The two lines of a flow take the lowest 30 bits of its hash, and
/// its slot the 22 highest.
pub const MEMORY_LINES_MAX: usize = 1 << 22;

/// New flows that a CPU may begin to remember in a second (and at once, after a second without
/// any). More than an edge host gets in its armed slots, and little enough that a flood takes a
/// minute to fill the memory.
pub const REMEMBER_RATE: u32 = 25_000;

/// Fragmented packets whose first fragment is remembered; the oldest goes first.
pub const FRAGMENTS_MAX: usize = 16_384;

/// Prefixes that tunnel packets to a target may come from.
pub const SOURCES_MAX: usize = 1024;

/// Target groups, number 0 not used. ELB allows 100 on a load balancer.
pub const GROUPS_MAX: usize = 2048;

/// Targets, number 0 not used. ELB allows 3,000 on a network load balancer. A power of two, so
/// that the data path can mask an id instead of comparing it. Every target costs 257 bytes of map.
pub const TARGETS_MAX: usize = 16_384;

/// Slots of all rings together: 32 MiB. Enough for 512 groups of 40 targets (4,096 slots each) at
/// half use, so that each can grow. A power of two, so that the data path can mask.
pub const RING_SLOTS_MAX: usize = 1 << 22;

/// Smallest ring, as log2 of its slots (DESIGN: 4,096).
pub const RING_BITS_MIN: u8 = 12;

/// Largest ring, as log2 of its slots: 100 slots a target for [`TARGETS_MAX`] targets.
pub const RING_BITS_MAX: u8 = 21;

/// Slots of a ring for each target in it, at least: shares then are within 1 % of the weights.
pub const RING_SLOTS_PER_TARGET: usize = 100;

/// Largest weight of a target.
pub const WEIGHT_MAX: u32 = 1000;

/// Interfaces that packets can leave by.
pub const DEVICES_MAX: usize = 64;

/// VLAN tags in front of a packet: a customer tag inside a service tag (IEEE 802.1ad).
pub const VLAN_TAGS_MAX: usize = 2;

/// IPv6 extension headers before the transport header. RFC 8200 lists six kinds, one of which may
/// come twice; the Linux kernel accepts eight options headers by default.
pub const EXTENSION_HEADERS_MAX: usize = 7;

const _: () = assert!(TARGETS_MAX.is_power_of_two() && TARGETS_MAX <= 1 << 16);
const _: () = assert!(MEMORY_LINES.is_power_of_two());
const _: () = assert!(MEMORY_LINES_MIN.is_power_of_two() && MEMORY_LINES_MIN <= MEMORY_LINES);
const _: () = assert!(MEMORY_LINES_MAX.is_power_of_two() && MEMORY_LINES_MAX >= MEMORY_LINES);
const _: () = assert!(GROUPS_MAX.is_power_of_two());
const _: () = assert!(LISTENER_PLACES.is_power_of_two());
const _: () = assert!(RING_SLOTS_MAX.is_power_of_two());
const _: () = assert!(TARGETS_MAX * RING_SLOTS_PER_TARGET <= 1 << RING_BITS_MAX);

/// log2 of the slots that a ring for so many targets has: at least [`RING_SLOTS_PER_TARGET`] slots
/// a target, inside [`RING_BITS_MIN`] to [`RING_BITS_MAX`]. Never less than `previous_bits`: rings
/// only grow, since shrinking would merge slots whose flows belong to different targets.
#[must_use]
pub fn ring_bits(targets: usize, previous_bits: Option<u8>) -> u8 {
    let wanted = targets.saturating_mul(RING_SLOTS_PER_TARGET);
    let mut bits = RING_BITS_MIN;
    while bits < RING_BITS_MAX && 1_usize << bits < wanted {
        bits += 1;
    }
    bits.max(previous_bits.unwrap_or(0)).min(RING_BITS_MAX)
}
