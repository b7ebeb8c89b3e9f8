//! Maps that the balancer reaches without a look-up: arrays of one element, whose address the kernel
//! writes into the program when it loads it (`BPF_PSEUDO_MAP_VALUE`).
//!
//! A look-up is written out by the kernel as a dozen instructions, and is a call to the compiler,
//! which keeps all that lives across it on the stack. The loader of programs supports only lookups
//! in named maps, so the program has a constant in place of an address, and the agent replaces it
//! by the map before it loads the program.

use crate::{
    Switches, Turns, abi::map, group::Groups, listener::Listeners, macs::Macs, memory::Seen,
    nat::Pools, ring::Rings, ring::Slots, target::Targets,
};

/// The element of a map that is addressed directly.
pub trait Direct {
    /// The map.
    const MAP: DirectMap;
}

/// A map that is addressed directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectMap {
    /// Its name.
    pub name: &'static str,
    number: u32,
}

impl DirectMap {
    /// The constant in the program in place of the address of its element: not a memory address,
    /// and not a number that a program would calculate with.
    #[must_use]
    pub const fn constant(self) -> u64 {
        0x7865_6c62_6d61_7000 | self.number as u64
    }
}

macro_rules! direct {
    ($($number:literal: $element:ty = $name:ident,)*) => {
        $(impl Direct for $element {
            const MAP: DirectMap = DirectMap { name: map::$name, number: $number };
        })*

        /// All of them.
        pub const ALL: &[DirectMap] = &[$(<$element as Direct>::MAP),*];
    };
}

direct! {
    0: Listeners = LISTENERS,
    1: Groups = GROUPS,
    2: Rings = RINGS,
    3: Slots = SLOTS,
    4: Targets = TARGETS,
    5: Switches = SWITCHES,
    6: Pools = POOLS,
    7: Seen = SEEN,
    8: Macs = MACS,
    9: Turns = TURNS,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two maps with one constant would be one map.
    #[test]
    fn every_map_has_a_constant_of_its_own() {
        for (number, one) in ALL.iter().enumerate() {
            let same = |other: &&DirectMap| other.constant() == one.constant();
            assert_eq!(ALL.iter().filter(same).count(), 1, "{}", one.name);
            assert_eq!(one.number as usize, number, "{}", one.name);
        }
    }
}
