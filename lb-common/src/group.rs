//! Target groups as the data path sees them.

use crate::{limits::GROUPS_MAX, ring::RingRef, shared};

/// Longest name of a target group or listener, in bytes.
pub const NAME_BYTES_MAX: usize = 56;

shared! {
    /// One target group.
    pub struct Group: 64 {
        /// Word of its [`RingRef`]; changes with one store.
        pub ring: u64,
        /// Its name in UTF-8, padded with zeros; all zero when the number is free. Only the agent
        /// reads it, to find its groups again after a restart.
        pub name: [u8; 56],
    }
}

/// The only element of the map `GROUPS`.
#[repr(C)]
pub struct Groups {
    /// All groups, by id.
    pub groups: [Group; GROUPS_MAX],
}

impl Group {
    /// Position of its ring.
    #[must_use]
    #[inline(always)]
    pub const fn ring(&self) -> RingRef {
        RingRef::from_word(self.ring)
    }

    /// The group with this ring and name; `None` when the name is longer than [`NAME_BYTES_MAX`].
    #[must_use]
    pub fn new(name: &str, ring: RingRef) -> Option<Self> {
        let mut group = Self { ring: ring.to_word(), name: [0; NAME_BYTES_MAX] };
        group.name.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(group)
    }

    /// Its name; `None` when the number is free or the bytes are not UTF-8.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES_MAX);
        match self.name.get(..end) {
            None | Some([]) => None,
            Some(bytes) => core::str::from_utf8(bytes).ok(),
        }
    }
}
