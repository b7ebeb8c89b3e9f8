//! Opening the folder of pins, which first ends what an agent before has begun in it.

use std::{io, path::Path};

use super::{
    map_migration,
    pins::{PinError, PinFolder, io_error},
    xdp_link,
};

impl PinFolder {
    /// Makes the folder if need be, locks it, and ends what an agent before has begun in it.
    pub(super) fn open(path: &Path) -> Result<Self, PinError> {
        let mut pins = Self::make(path)?;
        map_migration::recover(&mut pins)?;
        Ok(pins)
    }

    /// Creates and locks the folder again if it was removed; returns whether that was needed.
    pub(super) fn restore(&mut self) -> Result<bool, PinError> {
        if !self.is_gone() {
            return Ok(false);
        }
        let path = self.path().to_path_buf();
        *self = Self::open(&path)?;
        Ok(true)
    }
}

/// Removes the data path whose maps and links are pinned in `folder`. Its programs are no longer attached
/// then. Says whether there was one.
pub fn detach(folder: &Path) -> Result<bool, PinError> {
    if !folder.exists() {
        return Ok(false);
    }
    let pins = PinFolder::open(folder)?;
    let links = pins.links()?;
    let found = pins.has_maps()? || !links.is_empty();
    for path in &links {
        detach_link(path).map_err(io_error("detach", path))?;
    }
    pins.remove()?;
    Ok(found)
}

/// One whose interface is gone is detached already.
fn detach_link(path: &Path) -> io::Result<()> {
    match xdp_link::detach(&xdp_link::pinned(path)?) {
        Err(error) if error.raw_os_error() != Some(libc::ENOLINK) => Err(error),
        _ => Ok(()),
    }
}
