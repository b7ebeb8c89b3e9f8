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

/// Seed of the flow hash.
pub const HASH_SEED: Setting = Setting {
    name: "HASH_SEED",
    type_name: "[u64; 2]",
    why: "Key of SipHash-1-3 over the five-tuple: secret, so that nobody can choose flows that all \
          meet one target; the same on every host of a fleet, so that all choose the same target",
};

/// All of them.
pub const ALL: &[Setting] = &[HASH_SEED];
