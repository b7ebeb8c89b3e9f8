//! Opening one pinned map, and what goes wrong with it.

use std::{os::fd::AsFd as _, path::Path};

use aya::maps::{Map, MapData, MapError};

use super::{StoreError, mapped_array::MappedArray};

/// Opens a map that is pinned in a folder.
pub(super) fn open<M: TryFrom<Map, Error = MapError>>(
    folder: &Path,
    map: &'static str,
) -> Result<M, StoreError> {
    MapData::from_pin(folder.join(map))
        .and_then(Map::from_map_data)
        .and_then(M::try_from)
        .map_err(|source| StoreError::Map { action: "open", map, source })
}

/// The same for a map that is read and written through a mapping.
pub(super) fn open_mapping<T>(
    folder: &Path,
    map: &'static str,
) -> Result<MappedArray<T>, StoreError> {
    let data = MapData::from_pin(folder.join(map)).map_err(|source| StoreError::Map {
        action: "open",
        map,
        source,
    })?;
    MappedArray::new(data.fd().as_fd()).map_err(|source| StoreError::Mmap { map, source })
}

/// An error of a map.
pub(super) fn failed(action: &'static str, map: &'static str, source: MapError) -> StoreError {
    StoreError::Map { action, map, source }
}

/// Whether a number is an index of a map of so many entries.
pub(super) fn below(number: usize, limit: usize, what: &'static str) -> Result<usize, StoreError> {
    if number < limit { Ok(number) } else { Err(StoreError::OutOfRange { what, number }) }
}
