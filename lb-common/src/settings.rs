//! Load-time globals of the BPF programs: constants of `.rodata` that the agent sets before it
//! loads them.

/// One load-time global.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the symbol in the BPF object.
    pub name: &'static str,
    /// Its type.
    pub type_name: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// Key of the flow hash.
pub const HASH_KEYS: Setting = Setting {
    name: "HASH_KEYS",
    type_name: "[u64; 11]",
    why: "Key of the hash over the five-tuple, made of the seed: secret, so that nobody can choose flows that all \
          meet one target; the same on every host of a fleet, so that all choose the same target",
};

/// Whether the decapsulator asks who sends tunnel packets.
pub const CHECK_SOURCES: Setting = Setting {
    name: "CHECK_SOURCES",
    type_name: "u32",
    why: "0: tunnel packets are unwrapped whoever sends them; 1: only those from prefixes in SOURCES",
};

/// Where the decapsulator takes GUE.
pub const GUE_PORT: Setting = Setting {
    name: "GUE_PORT",
    type_name: "u16",
    why: "UDP port at which GUE is unwrapped, in host byte order; 0 for none",
};

/// Whether the balancer writes nothing.
pub const DRY_RUN: Setting = Setting {
    name: "DRY_RUN",
    type_name: "u32",
    why: "1: a second instance for `xelb explain`, which counts and remembers nothing on the maps \
          and notes in EXPLANATION what it finds",
};

/// How large the memory of flows is.
pub const MEMORY_MASK: Setting = Setting {
    name: "MEMORY_MASK",
    type_name: "u32",
    why: "Lines of the map MEMORY, a power of two, less one: the map is as large as the agent is told",
};

/// How many bindings there are.
pub const BINDING_MASK: Setting = Setting {
    name: "BINDING_MASK",
    type_name: "u32",
    why: "Bindings of the map BINDINGS, a power of two, less one: the map is as large as the agent is told, and so \
          are FLOWS and FREE",
};

/// All of them.
pub const ALL: &[Setting] =
    &[HASH_KEYS, DRY_RUN, MEMORY_MASK, BINDING_MASK, CHECK_SOURCES, GUE_PORT];
