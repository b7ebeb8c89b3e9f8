//! Opening the folder of pins, which first ends what an agent before has begun in it.

use std::path::Path;

use super::{
    map_migration,
    pins::{PinError, PinFolder},
};

impl PinFolder {
    /// Makes the folder if need be, locks it, and ends what an agent before has begun in it.
    pub(super) fn open(path: &Path) -> Result<Self, PinError> {
        let pins = Self::make(path)?;
        map_migration::recover(&pins)?;
        Ok(pins)
    }

    /// Makes and locks the folder again when somebody has removed it; says whether that was needed.
    pub(super) fn restore(&mut self) -> Result<bool, PinError> {
        if !self.is_gone() {
            return Ok(false);
        }
        let path = self.path().to_path_buf();
        *self = Self::open(&path)?;
        Ok(true)
    }
}

/// Removes the data path whose maps and links are pinned in `folder`. Says whether there was one.
pub fn detach(folder: &Path) -> Result<bool, PinError> {
    if !folder.exists() {
        return Ok(false);
    }
    let pins = PinFolder::open(folder)?;
    let found = pins.has_maps()? || !pins.links()?.is_empty();
    pins.remove()?;
    Ok(found)
}
