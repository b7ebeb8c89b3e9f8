//! PURE but for [`MapSizes::of`]: how large the maps are whose size the agent is told. All others are
//! as large in every xelb of an ABI number ([`lb_common::limits`]).

use std::path::Path;

use aya::maps::{MapData, MapError};
use lb_common::{
    MemoryLine,
    abi::map,
    limits::{MEMORY_LINES, MEMORY_LINES_MAX, MEMORY_LINES_MIN},
    memory::MEMORY_WORDS,
};

/// Sizes of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSizes {
    /// Lines of the memory of flows: a power of two.
    pub(super) memory_lines: u32,
}

impl Default for MapSizes {
    fn default() -> Self {
        Self::for_flows(number(MEMORY_LINES * MEMORY_WORDS))
    }
}

impl MapSizes {
    /// Flows in a line.
    pub(super) const WORDS: u32 = number(MEMORY_WORDS);

    /// The least number of flows that [`MapSizes::for_flows`] takes.
    pub const FLOWS_MIN: u32 = number(MEMORY_LINES_MIN * MEMORY_WORDS);

    /// The largest.
    pub const FLOWS_MAX: u32 = number(MEMORY_LINES_MAX * MEMORY_WORDS);

    /// Sizes for as many remembered flows, rounded up to a power of two.
    #[must_use]
    pub const fn for_flows(count: u32) -> Self {
        let count = if count < Self::FLOWS_MIN { Self::FLOWS_MIN } else { count };
        let count = if count > Self::FLOWS_MAX { Self::FLOWS_MAX } else { count };
        Self { memory_lines: count.next_power_of_two() / Self::WORDS }
    }

    /// How many flows can be remembered.
    #[must_use]
    pub const fn flows(self) -> u32 {
        self.memory_lines * Self::WORDS
    }

    /// About what all maps take, in MiB: 103 beside the memory of flows, as measured (docs/operations.md).
    #[must_use]
    pub(super) const fn memory_mib(self) -> u32 {
        103 + self.memory_lines / ((1 << 20) / number(size_of::<MemoryLine>()))
    }

    /// Sizes of the maps that are pinned in a folder.
    pub fn of(folder: &Path) -> Result<Self, MapError> {
        let memory = MapData::from_pin(folder.join(map::MEMORY))?;
        Ok(Self { memory_lines: memory.info()?.max_entries() })
    }

    /// What the program takes of a hash for a line.
    pub(super) const fn memory_mask(self) -> u32 {
        self.memory_lines.wrapping_sub(1)
    }
}

/// A size as the kernel has it.
#[expect(clippy::cast_possible_truncation, reason = "constants far below")]
const fn number(size: usize) -> u32 {
    size as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_flows_is_rounded_up_to_what_there_is() {
        for (asked, flows) in [
            (0, 65_536),
            (65_536, 65_536),
            (65_537, 131_072),
            (1_000_000, 1 << 20),
            (2 << 20, 2 << 20),
            (16 << 20, 16 << 20),
            (u32::MAX, 16 << 20),
        ] {
            let sizes = MapSizes::for_flows(asked);
            assert_eq!(sizes.flows(), flows, "{asked}");
            assert_eq!(sizes.memory_mask() + 1, flows / 4, "{asked}");
        }
        assert_eq!(MapSizes::default().flows(), 2 << 20);
        assert_eq!(MapSizes::default().memory_mib(), 135);
    }
}
