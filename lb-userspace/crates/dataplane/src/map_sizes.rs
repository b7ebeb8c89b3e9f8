//! PURE except for [`MapSizes::of`]: sizes of the maps that options of the agent set. All others
//! are as large in every xelb of an ABI number ([`lb_common::limits`]).

use std::path::Path;

use aya::maps::{MapData, MapError};
use lb_common::{
    Binding, FlowLine, MemoryLine,
    abi::map,
    limits::{MEMORY_LINES, MEMORY_LINES_MAX, MEMORY_LINES_MIN},
    memory::MEMORY_WORDS,
    nat::{self, BINDINGS, BINDINGS_MAX, BINDINGS_MIN},
};

/// Sizes of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSizes {
    /// Lines of the memory of flows: a power of two.
    pub(super) memory_lines: u32,
    /// Bindings of modes nat and fullnat: a power of two.
    pub(super) bindings: u32,
}

impl Default for MapSizes {
    fn default() -> Self {
        Self::for_flows(number(MEMORY_LINES * MEMORY_WORDS), number(BINDINGS))
    }
}

impl MapSizes {
    /// Flows in a line.
    pub(super) const WORDS: u32 = number(MEMORY_WORDS);

    /// The least number of flows that [`MapSizes::for_flows`] takes.
    pub const FLOWS_MIN: u32 = number(MEMORY_LINES_MIN * MEMORY_WORDS);

    /// The largest.
    pub const FLOWS_MAX: u32 = number(MEMORY_LINES_MAX * MEMORY_WORDS);

    /// The least number of bindings that [`MapSizes::for_flows`] takes.
    pub const BINDINGS_MIN: u32 = number(BINDINGS_MIN);

    /// The largest.
    pub const BINDINGS_MAX: u32 = number(BINDINGS_MAX);

    /// Sizes for as many remembered flows, and as many bindings of modes nat and fullnat, each rounded up
    /// to a power of two.
    #[must_use]
    pub const fn for_flows(flows: u32, bindings: u32) -> Self {
        let flows = power_of_two(flows, Self::FLOWS_MIN, Self::FLOWS_MAX);
        let bindings = power_of_two(bindings, Self::BINDINGS_MIN, Self::BINDINGS_MAX);
        Self { memory_lines: flows / Self::WORDS, bindings }
    }

    /// The same, with so many bindings, at least the default.
    #[must_use]
    pub const fn with_bindings(self, count: u32) -> Self {
        let bindings = power_of_two(count, number(BINDINGS), Self::BINDINGS_MAX);
        Self { bindings, ..self }
    }

    /// How many flows of modes nat and fullnat can be translated at a time.
    #[must_use]
    pub const fn bindings(self) -> u32 {
        self.bindings
    }

    /// Lines of the flow table.
    #[must_use]
    pub(super) const fn flow_lines(self) -> u32 {
        number(nat::flow_lines(self.bindings as usize))
    }

    /// How many flows can be remembered.
    #[must_use]
    pub const fn flows(self) -> u32 {
        self.memory_lines * Self::WORDS
    }

    /// About the memory of all maps, in MiB: 67 without flow memory and bindings, as measured
    /// (docs/operations.md).
    #[must_use]
    pub(super) const fn memory_mib(self) -> u32 {
        const MIB: u32 = 1 << 20;
        let lines = self.flow_lines() / (MIB / number(size_of::<FlowLine>()));
        let bindings = self.bindings / (MIB / number(size_of::<Binding>()));
        let free = self.bindings / (MIB / number(size_of::<u32>()));
        67 + bindings + lines + free + self.memory_lines / (MIB / number(size_of::<MemoryLine>()))
    }

    /// Sizes of the maps that are pinned in a folder.
    pub fn of(folder: &Path) -> Result<Self, MapError> {
        let memory = MapData::from_pin(folder.join(map::MEMORY))?;
        let bindings = MapData::from_pin(folder.join(map::BINDINGS))?;
        Ok(Self {
            memory_lines: memory.info()?.max_entries(),
            bindings: bindings.info()?.max_entries(),
        })
    }

    /// What the program takes of a number for a binding.
    pub(super) const fn binding_mask(self) -> u32 {
        self.bindings.wrapping_sub(1)
    }

    /// What the program takes of a hash for a line.
    pub(super) const fn memory_mask(self) -> u32 {
        self.memory_lines.wrapping_sub(1)
    }
}

const fn power_of_two(count: u32, least: u32, most: u32) -> u32 {
    let count = if count < least { least } else { count };
    let count = if count > most { most } else { count };
    count.next_power_of_two()
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
            let sizes = MapSizes::for_flows(asked, 0);
            assert_eq!(sizes.flows(), flows, "{asked}");
            assert_eq!(sizes.memory_mask() + 1, flows / 4, "{asked}");
        }
        assert_eq!(MapSizes::default().flows(), 2 << 20);
        assert_eq!(MapSizes::default().memory_mib(), 140);
        for (asked, bindings) in [
            (0, 65_536),
            (65_537, 131_072),
            (262_144, 262_144),
            (2_097_151, 2_097_152),
            (u32::MAX, 2_097_152),
        ] {
            let sizes = MapSizes::for_flows(0, asked);
            assert_eq!(sizes.bindings(), bindings, "{asked}");
            assert_eq!(sizes.flow_lines() * 2, bindings, "{asked}");
        }
        assert_eq!(MapSizes::default().bindings(), 262_144);
        assert_eq!(MapSizes::for_flows(0, u32::MAX).memory_mib(), 67 + 1 + 256 + 64 + 8);
    }
}
