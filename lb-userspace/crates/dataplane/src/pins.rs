//! The folder in bpffs that holds an agent's maps and links: opening, locking, removing.
//!
//! Maps are in the folder itself. Maps of another layout are built in a subfolder: see
//! `map_migration`. Foreign files are never touched.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use aya::maps::MapData;
use lb_common::abi::{MAP_NAME_MAX, may_be_map};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::statfs::{FsType, statfs},
};
use thiserror::Error;

/// Magic number of bpffs (`BPF_FS_MAGIC`).
const BPF_FS: FsType = FsType(0xcafe_4a11);

/// Start of the name of a pinned link; interface index and mode follow. It is that of every version,
/// so that each finds the links of the others.
pub(super) const LINK_PREFIX: &str = "link_";

/// Errors of the folder.
#[derive(Debug, Error)]
pub enum PinError {
    /// It is not in a BPF file system.
    #[error(
        "{folder} is not in a BPF file system; mount one (`mount -t bpf bpf /sys/fs/bpf`) or name \
         another folder with --bpffs"
    )]
    NotBpffs {
        /// The folder.
        folder: String,
    },
    /// Another agent holds it.
    #[error(
        "another xelb agent uses the maps in {folder}; stop it first, or give this one another \
         folder with --bpffs"
    )]
    InUse {
        /// The folder.
        folder: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// The failed action.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// The folder, locked for this process.
#[derive(Debug)]
pub(super) struct PinFolder {
    path: PathBuf,
    lock: Flock<File>,
    /// Maps that are not pinned any more, and that a program may run on until its link is switched.
    former_maps: Vec<MapData>,
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PinError {
    let path = path.display().to_string();
    move |source| PinError::Io { action, path, source }
}

impl PinFolder {
    /// Makes the folder if need be, and locks it.
    pub(super) fn make(path: &Path) -> Result<Self, PinError> {
        let existing = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path);
        if !statfs(existing).is_ok_and(|info| info.filesystem_type() == BPF_FS) {
            return Err(PinError::NotBpffs { folder: path.display().to_string() });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io_error("create the folder", path))?;
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, PinError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path: path.to_path_buf(), lock, former_maps: Vec::new() }),
            Err((_, nix::Error::EWOULDBLOCK)) => {
                Err(PinError::InUse { folder: path.display().to_string() })
            }
            Err((_, error)) => Err(io_error("lock", path)(error.into())),
        }
    }

    /// Whether somebody has removed it, and perhaps made it again, since it was locked.
    pub(super) fn is_gone(&self) -> bool {
        let id = |folder: io::Result<fs::Metadata>| folder.map(|one| (one.dev(), one.ino())).ok();
        id(fs::metadata(&self.path)) != id(self.lock.metadata())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether maps are pinned in it, of whatever version.
    pub(super) fn has_maps(&self) -> Result<bool, PinError> {
        Ok(!maps(&self.path)?.is_empty())
    }

    /// Holds maps whose pins are about to be removed. The kernel empties a program array, and with it
    /// all tail calls, when its last pin and descriptor are gone.
    pub(super) fn hold_former_maps(&mut self) -> Result<(), PinError> {
        self.former_maps = maps(&self.path)?.iter().filter_map(|path| open(path)).collect();
        Ok(())
    }

    /// Lets them go, when no link runs on them.
    pub(super) fn release_former_maps(&mut self) {
        self.former_maps.clear();
    }

    /// Removes what is pinned in it: first the links, so that no program runs on missing maps.
    pub(super) fn clear(&self) -> Result<(), PinError> {
        for path in self.links()?.into_iter().chain(maps(&self.path)?) {
            remove(&path)?;
        }
        Ok(())
    }

    /// Removes the folder with its pins; it stays if it has other files.
    pub(super) fn remove(&self) -> Result<(), PinError> {
        self.clear()?;
        remove_folder(&self.path)
    }

    /// Paths of the pinned links.
    pub(super) fn links(&self) -> Result<Vec<PathBuf>, PinError> {
        let paths = entries(&self.path)?;
        Ok(paths.into_iter().filter(|path| name(path).starts_with(LINK_PREFIX)).collect())
    }
}

/// Removes one pin.
pub(super) fn remove(path: &Path) -> Result<(), PinError> {
    fs::remove_file(path).map_err(io_error("remove", path))
}

/// Removes a folder that is empty; one that is not holds something foreign, and stays.
pub(super) fn remove_folder(folder: &Path) -> Result<(), PinError> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            let others: Vec<String> = entries(folder)?.iter().map(|path| name(path)).collect();
            tracing::warn!(
                folder = %folder.display(),
                others = others.join(", "),
                "the folder is not removed: it contains files that are not xelb's"
            );
            Ok(())
        }
        removed => removed.map_err(io_error("remove", folder)),
    }
}

/// Paths of the maps pinned in a folder that are xelb's, in whatever version.
pub(super) fn maps(folder: &Path) -> Result<Vec<PathBuf>, PinError> {
    Ok(entries(folder)?.into_iter().filter(|path| is_map(path)).collect())
}

/// The kernel's numbers of the maps pinned in a folder.
pub(super) fn map_ids(folder: &Path) -> Result<BTreeSet<u32>, PinError> {
    let maps = maps(folder)?;
    Ok(maps.iter().filter_map(|path| open(path)?.info().ok()).map(|info| info.id()).collect())
}

fn open(map: &Path) -> Option<MapData> {
    MapData::from_pin(map).ok()
}

/// A pin with a name such as xelb gives, of a map that the kernel knows by the same name. This
/// distinguishes pins of other programs, and finds maps that this version has no name for.
fn is_map(path: &Path) -> bool {
    let name = name(path);
    may_be_map(&name)
        && MapData::from_pin(path).and_then(|data| data.info()).is_ok_and(|info| {
            info.name_as_str()
                .is_some_and(|kernel| kernel == name.get(..MAP_NAME_MAX).unwrap_or(&name))
        })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PinError> {
    let entries = fs::read_dir(folder).map_err(io_error("read", folder))?;
    Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
