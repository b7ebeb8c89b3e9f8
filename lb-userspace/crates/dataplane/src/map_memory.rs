//! What the pinned maps take of the kernel's memory, as the kernel itself counts it. What the agent's
//! process takes is not here: see `metrics::Process`.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _},
    path::{Path, PathBuf},
};

use aya::maps::MapData;
use thiserror::Error;

use super::{map_migration, pins};

/// Errors of reading the memory of maps.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// The folder of pins.
    #[error(transparent)]
    Pins(#[from] pins::PinError),
    /// One of its maps.
    #[error("cannot get the size of the map {map} from the kernel")]
    Map {
        /// Its pin.
        map: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Bytes of each map that is pinned in `folder`, by name. Maps of a migration in progress are
/// counted with the old ones: both need memory.
///
/// The number is `memlock` of the map's fdinfo: since Linux 6.4 what the map has allocated
/// (`map_mem_usage`), before that the size of all its entries, whether there are any or not.
pub(super) fn of_maps(folder: &Path) -> Result<BTreeMap<String, u64>, MemoryError> {
    let mut bytes = BTreeMap::new();
    for pin in pinned(folder)? {
        let name = pin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let size = of_map(&pin).map_err(|source| MemoryError::Map { map: name.clone(), source })?;
        *bytes.entry(name).or_default() += size;
    }
    Ok(bytes)
}

fn pinned(folder: &Path) -> Result<Vec<PathBuf>, pins::PinError> {
    let mut pins = pins::maps(folder)?;
    let written = map_migration::written(folder);
    if written != folder {
        pins.extend(pins::maps(&written)?);
    }
    Ok(pins)
}

fn of_map(pin: &Path) -> io::Result<u64> {
    let map = MapData::from_pin(pin).map_err(io::Error::other)?;
    let number = map.fd().as_fd().as_raw_fd();
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
    memlock(&text).ok_or_else(|| io::Error::other("the kernel does not say it"))
}

/// From the fdinfo of a map (`bpf_map_show_fdinfo` in kernel/bpf/syscall.c).
fn memlock(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_fdinfo() {
        let cases = [
            ("pos:\t0\nmap_type:\t2\nmemlock:\t33554752\nmap_id:\t5\n", Some(33_554_752)),
            ("memlock:\tmuch\n", None),
            ("memlock:\t-1\n", None),
            ("pos:\t0\n", None),
        ];
        for (fdinfo, expected) in cases {
            assert_eq!(memlock(fdinfo), expected, "{fdinfo:?}");
        }
    }
}
