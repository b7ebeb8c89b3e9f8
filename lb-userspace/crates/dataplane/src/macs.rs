//! The map of MAC addresses that interfaces take frames for. It belongs to no plan: the agent writes it as
//! the kernel tells of interfaces.

use std::path::Path;

use lb_common::{
    InterfaceMacs, Mac,
    abi::map,
    macs::{MAC_ROWS, Macs},
};

use super::{StoreError, mapped_array, mapped_array::MappedArray, pinned_map::open_mapping};

/// The rows of the map, in this process's memory.
pub struct MacRows(MappedArray<Macs>);

impl std::fmt::Debug for MacRows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MacRows").finish_non_exhaustive()
    }
}

impl MacRows {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        open_mapping(folder, map::MACS).map(Self)
    }

    /// Makes the map hold what these interfaces take, by index, and nothing else.
    pub fn write(&self, interfaces: &[(u32, Vec<Mac>)]) {
        for (number, row) in rows(interfaces).into_iter().enumerate() {
            // SAFETY: inside the array; each word is stored at once. Between two addresses every frame
            // is taken.
            unsafe {
                let place = self.0.element().cast::<InterfaceMacs>().add(number);
                if place.read_volatile() != row {
                    let (words, [first, rest @ ..]) = (place.cast::<u64>(), row.words);
                    mapped_array::publish(words, 0);
                    for (at, word) in (1..).zip(rest) {
                        mapped_array::publish(words.add(at), word);
                    }
                    mapped_array::publish(words, first);
                }
            }
        }
    }
}

/// What the rows are to hold. Interfaces that share one take every frame.
fn rows(interfaces: &[(u32, Vec<Mac>)]) -> [InterfaceMacs; MAC_ROWS] {
    let mut rows = [InterfaceMacs::ANY; MAC_ROWS];
    let row = |index: u32| index as usize % MAC_ROWS;
    for (index, macs) in interfaces {
        let shared = interfaces.iter().filter(|(other, _)| row(*other) == row(*index)).count() > 1;
        if let Some(place) = rows.get_mut(row(*index)).filter(|_| !shared) {
            *place = InterfaceMacs::of(macs);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_its_row_unless_two_share_one() {
        let mac = |last| vec![Mac::new([2, 0, 0, 0, 0, last])];
        let rows = rows(&[(2, mac(2)), (3, mac(3)), (259, mac(4))]);
        assert_eq!(rows[2], InterfaceMacs::of(&mac(2)));
        assert_eq!(rows[3], InterfaceMacs::ANY);
        assert_eq!(rows[4], InterfaceMacs::ANY);
    }
}
