//! The number of the map layout, and the record that carries it in the pinned maps.

use crate::{
    Binding, Bucket, ClientLink, FlowLine, FragmentFlow, FragmentKey, Group, InterfaceMacs, Life,
    Listener, ListenerKey, ListenerPlace, Memory, MemoryLine, Owner, Pool, PortRange, Sequence,
    Slot, Switches, Target, Traffic, Turns, VipKey, WideKey, WideListeners,
    explain::Explanation,
    shared,
    shared::{Layout, Shared as _},
};

/// The number of the layout of all pinned maps. It changes whenever a shared type, a map's name or
/// a map's size changes; an agent that finds maps with another number builds new ones, while the
/// old ones forward.
pub const ABI: u32 = 10;

/// Longest name that the kernel keeps of a map; that of a longer one is cut there.
pub const MAP_NAME_MAX: usize = 15;

/// The part of the pinned maps that never changes between versions: an `Array` pinned as
/// [`map::META`] whose first element begins with the ABI number at offset 0 and the seed of the
/// flow hash at offset 8, in the byte order of the host. Whatever else is in the maps may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// [`ABI`] of the agent that made the maps; 0 in maps that were never finished.
    pub abi: u32,
    /// The seed of the flow hash.
    pub hash_seed: [u64; 2],
}

impl Head {
    /// Bytes that are never moved.
    pub const LENGTH: usize = 24;

    /// The head of an element, however long that is; `None` when it is too short to have one.
    #[must_use]
    pub fn parse(element: &[u8]) -> Option<Self> {
        let abi = element.first_chunk()?;
        let (first, rest) = element.get(8..)?.split_first_chunk()?;
        let second = rest.first_chunk()?;
        Some(Self {
            abi: u32::from_ne_bytes(*abi),
            hash_seed: [u64::from_ne_bytes(*first), u64::from_ne_bytes(*second)],
        })
    }
}

// The head of `Meta` is that of every version: these lines do not change with the ABI number.
const _: () = assert!(core::mem::offset_of!(Meta, abi) == 0);
const _: () = assert!(core::mem::offset_of!(Meta, hash_seed) == 8);
const _: () = assert!(size_of::<Meta>() >= Head::LENGTH);

/// Whether a pin with this name may be a map of any version of xelb: capital letters, digits and
/// underscores only. This rule never changes.
#[must_use]
pub fn may_be_map(name: &str) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    !name.is_empty() && name.as_bytes().iter().all(allowed)
}

shared! {
    /// The only element of the map `META`: whose maps these are. It begins with the [`Head`], which
    /// no version changes.
    pub struct Meta: 32 {
        /// [`ABI`] of the agent that made the maps; 0 in maps that were never finished.
        pub abi: u32,
        /// Zero.
        pub reserved: u32,
        /// The seed of the flow hash; see [`crate::settings`].
        pub hash_seed: [u64; 2],
        /// Zero.
        pub reserved_tail: u64,
    }
}

/// Every type in the pinned maps; `tests/abi` compares it with its golden file.
pub const LAYOUTS: &[Layout] = &[
    Meta::LAYOUT,
    ListenerKey::LAYOUT,
    ListenerPlace::LAYOUT,
    Listener::LAYOUT,
    VipKey::LAYOUT,
    Group::LAYOUT,
    Slot::LAYOUT,
    Target::LAYOUT,
    Traffic::LAYOUT,
    Switches::LAYOUT,
    Bucket::LAYOUT,
    WideKey::LAYOUT,
    PortRange::LAYOUT,
    WideListeners::LAYOUT,
    FragmentKey::LAYOUT,
    FragmentFlow::LAYOUT,
    Binding::LAYOUT,
    ClientLink::LAYOUT,
    Sequence::LAYOUT,
    Life::LAYOUT,
    FlowLine::LAYOUT,
    Pool::LAYOUT,
    Turns::LAYOUT,
    Explanation::LAYOUT,
    Memory::LAYOUT,
    MemoryLine::LAYOUT,
    Owner::LAYOUT,
    InterfaceMacs::LAYOUT,
];

/// Names of the maps; the pins in bpffs have the same names.
pub mod map {
    /// `Array` of one [`super::Meta`].
    pub const META: &str = "META";
    /// `ProgramArray`: tail calls of the balancer, by [`super::program::Instance::place`].
    pub const PROGRAMS: &str = "PROGRAMS";
    /// `PerCpuArray` of `u64`, by [`super::program::Instance`]: what it leaves to that program.
    pub const LEFT: &str = "LEFT";
    /// Mmapable `Array` of one [`crate::listener::Listeners`].
    pub const LISTENERS: &str = "LISTENERS";
    /// `HashMap` from [`crate::VipKey`] to the number of listeners that have the address.
    pub const VIPS: &str = "VIPS";
    /// Mmapable `Array` of one [`crate::group::Groups`].
    pub const GROUPS: &str = "GROUPS";
    /// Mmapable `Array` of one [`crate::ring::Rings`].
    pub const RINGS: &str = "RINGS";
    /// Mmapable `Array` of one [`crate::ring::Slots`].
    pub const SLOTS: &str = "SLOTS";
    /// Mmapable `Array` of one [`crate::target::Targets`].
    pub const TARGETS: &str = "TARGETS";
    /// `DevMapHash` from interface index to interface index.
    pub const DEVICES: &str = "DEVICES";
    /// `PerCpuArray` of [`crate::Traffic`], by listener id.
    pub const LISTENER_TRAFFIC: &str = "LISTENER_TRAFFIC";
    /// `PerCpuArray` of [`crate::Traffic`], by target id.
    pub const TARGET_TRAFFIC: &str = "TARGET_TRAFFIC";
    /// `PerCpuArray` of `u64`, by [`crate::counter`] index.
    pub const COUNTERS: &str = "COUNTERS";

    /// Mmapable `Array` of one [`crate::Switches`].
    pub const SWITCHES: &str = "SWITCHES";
    /// `PerCpuArray` of [`crate::Bucket`], by [`crate::Limit`].
    pub const LIMITS: &str = "LIMITS";
    /// `LpmTrie` from [`crate::WideKey`] to [`crate::WideListeners`].
    pub const WIDE_LISTENERS: &str = "WIDE_LISTENERS";
    /// `LruHashMap` from [`crate::FragmentKey`] to [`crate::FragmentFlow`].
    pub const FRAGMENTS: &str = "FRAGMENTS";

    /// Mmapable `Array` of one [`crate::nat::Pools`].
    pub const POOLS: &str = "POOLS";
    /// Mmapable `Array` of [`crate::Binding`].
    pub const BINDINGS: &str = "BINDINGS";
    /// Mmapable `Array` of [`crate::FlowLine`].
    pub const FLOWS: &str = "FLOWS";
    /// `Queue` of `u32`: bindings that were used before and are free now.
    pub const FREE: &str = "FREE";
    /// Mmapable `Array` of one [`crate::Turns`].
    pub const TURNS: &str = "TURNS";
    /// `PerCpuArray` of one `u32`: where each CPU's next look at bindings starts.
    pub const HANDS: &str = "HANDS";

    /// Mmapable `Array` of one [`crate::macs::Macs`].
    pub const MACS: &str = "MACS";

    /// Mmapable `Array` of one [`crate::memory::Seen`].
    pub const SEEN: &str = "SEEN";
    /// Mmapable `Array` of [`crate::MemoryLine`].
    pub const MEMORY: &str = "MEMORY";

    /// `Array` of one [`crate::explain::Explanation`], of each loaded program; not pinned.
    pub const EXPLANATION: &str = "EXPLANATION";
    /// `LpmTrie` of [`crate::WideKey`]: who may send tunnel packets to a target, in the
    /// decapsulator's object; not pinned.
    pub const SOURCES: &str = "SOURCES";
    /// `HashMap` of [`crate::VipKey`]: the addresses of a target, in the decapsulator's object; not
    /// pinned.
    pub const ADDRESSES: &str = "ADDRESSES";
    /// `HashMap` of [`crate::VipKey`]: the VIPs of a target, in the decapsulator's object; not pinned.
    pub const DECAP_VIPS: &str = "DECAP_VIPS";
    /// `LpmTrie` of [`crate::WideKey`]: prefixes of VIPs of a target, in the decapsulator's object; not
    /// pinned.
    pub const DECAP_PREFIXES: &str = "DECAP_PREFIXES";

    /// The balancer's maps, all pinned.
    pub const PINNED: &[&str] = &[
        META,
        PROGRAMS,
        LEFT,
        LISTENERS,
        VIPS,
        GROUPS,
        RINGS,
        SLOTS,
        TARGETS,
        DEVICES,
        LISTENER_TRAFFIC,
        TARGET_TRAFFIC,
        COUNTERS,
        SWITCHES,
        LIMITS,
        WIDE_LISTENERS,
        FRAGMENTS,
        POOLS,
        BINDINGS,
        FLOWS,
        FREE,
        TURNS,
        HANDS,
        MACS,
        SEEN,
        MEMORY,
    ];
}

/// Names of the programs. All but the last are in one BPF object.
pub mod program {
    /// The balancer: plain packets.
    pub const BALANCE: &str = "xelb_balance";
    /// The same as a dry run, for `xelb explain`.
    pub const EXPLAIN: &str = "xelb_explain";
    /// Tail call of the balancer for all other packets.
    pub const REST: &str = "xelb_rest";
    /// Tail call of both for packets that may need translation (modes nat and fullnat).
    pub const TRANSLATE: &str = "xelb_translate";
    /// The target side's decapsulator.
    pub const DECAP: &str = "xelb_decap";

    /// A program that is a tail call of another one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(u32)]
    pub enum Next {
        /// [`REST`].
        Rest = 0,
        /// [`TRANSLATE`].
        Translate = 1,
    }

    impl Next {
        /// How many there are.
        pub const COUNT: u32 = 2;
    }

    /// Whose programs they are.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(u32)]
    pub enum Instance {
        /// The balancer's that forwards packets.
        Live = 0,
        /// That of an instance that writes nothing, for `xelb explain`.
        DryRun = 1,
    }

    impl Instance {
        /// How many there are.
        pub const COUNT: u32 = 2;

        /// Index of its tail call in the map `PROGRAMS`.
        #[must_use]
        pub const fn place(self, next: Next) -> u32 {
            next as u32 * Self::COUNT + self as u32
        }

        /// The program that its packets come to first.
        #[must_use]
        pub const fn first(self) -> &'static str {
            match self {
                Self::Live => BALANCE,
                Self::DryRun => EXPLAIN,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head as bytes, written by hand: it is that of maps that exist.
    #[test]
    fn the_head_of_meta_never_moves() {
        let mut element = [0xff_u8; 4096];
        element[0..4].copy_from_slice(&7_u32.to_ne_bytes());
        element[8..16].copy_from_slice(&11_u64.to_ne_bytes());
        element[16..24].copy_from_slice(&13_u64.to_ne_bytes());
        let head = Head { abi: 7, hash_seed: [11, 13] };
        for length in [24, 25, 32, 4096] {
            assert_eq!(Head::parse(&element[..length]), Some(head), "{length} bytes");
        }
        for length in 0..Head::LENGTH {
            assert_eq!(Head::parse(&element[..length]), None, "{length} bytes");
        }
        let meta = Meta { abi: 7, hash_seed: [11, 13], ..Meta::default() };
        assert_eq!(Head::parse(bytemuck::bytes_of(&meta)), Some(head));
    }

    #[test]
    fn names_of_maps_keep_to_their_alphabet() {
        for name in map::PINNED {
            assert!(may_be_map(name), "{name}");
        }
        assert_eq!(map::META, "META", "every version finds the head under this name");
        for name in ["", "link_2_native", "next", "cilium_lb4", "A-B"] {
            assert!(!may_be_map(name), "{name}");
        }
    }
}
