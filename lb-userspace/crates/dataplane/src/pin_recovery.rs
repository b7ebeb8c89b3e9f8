//! Opening the folder of pins, which first ends what an agent before has begun in it.

use std::{
    collections::BTreeSet,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use aya::programs::{
    links::{FdLink, PinnedLink},
    loaded_links,
};

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

/// How long to wait until the kernel has let links go, after their pins are removed: it does that a moment later.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);
const RELEASE_PAUSE: Duration = Duration::from_millis(5);

/// Removes the data path whose maps and links are pinned in `folder`, and waits until its programs are no longer
/// attached. Says whether there was one.
pub fn detach(folder: &Path) -> Result<bool, PinError> {
    if !folder.exists() {
        return Ok(false);
    }
    let pins = PinFolder::open(folder)?;
    let links = pins.links()?;
    let found = pins.has_maps()? || !links.is_empty();
    let ids: BTreeSet<u32> = links.iter().filter_map(|path| link_id(path)).collect();
    pins.remove()?;
    let begun = Instant::now();
    while !ids.is_empty() && any_is_loaded(&ids) && begun.elapsed() < RELEASE_LIMIT {
        thread::sleep(RELEASE_PAUSE);
    }
    Ok(found)
}

/// The kernel's number of a pinned link; `None` where it cannot be asked.
fn link_id(path: &Path) -> Option<u32> {
    let link = FdLink::from(PinnedLink::from_pin(path).ok()?);
    Some(link.info().ok()?.id())
}

/// Whether the kernel has one of these links still; not where it tells nobody but root.
fn any_is_loaded(ids: &BTreeSet<u32>) -> bool {
    loaded_links().filter_map(Result::ok).any(|link| ids.contains(&link.id()))
}
