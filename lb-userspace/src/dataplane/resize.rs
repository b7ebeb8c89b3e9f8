//! The memory of flows in another size, while packets go on: a new map in the folder for new maps
//! ([`beside`](super::beside)), beside second pins of all others, which stay as they are.
//!
//! What is remembered is carried over before the link changes its program, and once more after it:
//! what packets have written meanwhile. A flow that begins in an armed slot in the milliseconds
//! between the two may be answered by another target until then.

use std::path::Path;

use aya::maps::{MapData, MapError};
use lb_common::abi::map;

use super::{
    LoadError, StoreError, beside,
    flows::{Carried, FlowMap, Truth},
    kernel::failed,
    pins::{PinFolder, maps},
};
use crate::clock;

/// Passes before the switch at most: each finds what packets have written during the one before.
const PASSES: usize = 3;

/// Both memories.
pub(super) struct Resize {
    former: FlowMap,
    new: FlowMap,
}

/// Pins all maps but the memory of flows in the folder for new maps, too.
pub(super) fn share(pins: &PinFolder, folder: &Path) -> Result<(), LoadError> {
    for pin in maps(pins.path())? {
        let name = pin.file_name().unwrap_or_default();
        if name == map::MEMORY {
            continue;
        }
        // Only maps with names that this version knows are in maps of its layout.
        let known = map::PINNED.iter().find(|known| name == **known).copied().unwrap_or_default();
        let data = MapData::from_pin(&pin).map_err(|source| failed("open", known, source))?;
        data.pin(folder.join(name)).map_err(|error| {
            let name = Some(known.to_owned());
            failed("pin a second time", known, MapError::PinError { name, error })
        })?;
    }
    Ok(())
}

impl Resize {
    /// Opens both, and carries over what is remembered.
    pub(super) fn begin(pins: &PinFolder, folder: &Path) -> Result<Self, StoreError> {
        let open = |folder: &Path| {
            FlowMap::open(folder).map_err(|source| failed("open", map::MEMORY, source))
        };
        let resize = Self { former: open(pins.path())?, new: open(folder)? };
        for _ in 0..PASSES {
            resize.new.carry(&resize.former, Truth::Former, clock::seconds());
        }
        Ok(resize)
    }

    /// Carries over what came until the switch, and puts the new map in the place of the former one.
    pub(super) fn finish(self, pins: &PinFolder) -> Result<(), LoadError> {
        let Carried { kept, lost } = self.new.carry(&self.former, Truth::New, clock::seconds());
        if lost > 0 {
            tracing::warn!(kept, lost, "some remembered flows find no place in the smaller memory");
        } else {
            tracing::info!(kept, "the memory of flows has another size; what it held is kept");
        }
        beside::finish(pins)?;
        Ok(())
    }
}
