//! Errors of the maps.

use std::io;

use aya::maps::MapError;
use thiserror::Error;

/// Errors of the maps.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A system call on a map.
    #[error("cannot {action} the map {map}")]
    Map {
        /// The failed action.
        action: &'static str,
        /// On which map.
        map: &'static str,
        /// Why not.
        #[source]
        source: MapError,
    },
    /// MappedArray a map into memory.
    #[error("cannot map {map} into memory")]
    Mmap {
        /// Which map.
        map: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// More listeners than the data path looks through hash to one place.
    #[error(
        "the listener on port {listener} does not fit the table: too many others hash to the same \
         one; use another port or address"
    )]
    TableOverflow {
        /// Its port.
        listener: u16,
    },
    /// A number that does not fit its table: a fault of the plan.
    #[error("{what} {number} does not fit its table")]
    OutOfRange {
        /// What kind of number.
        what: &'static str,
        /// The number.
        number: usize,
    },
}
