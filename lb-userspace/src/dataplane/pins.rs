//! The folder in bpffs that holds an agent's maps and links: opening, locking, removing.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use lb_common::abi::map;
use nix::{
    fcntl::{Flock, FlockArg},
    sys::statfs::{FsType, statfs},
};
use thiserror::Error;

/// Magic number of bpffs (`BPF_FS_MAGIC`).
const BPF_FS: FsType = FsType(0xcafe_4a11);

/// Start of the name of a pinned link; interface index and mode follow.
pub(super) const LINK_PREFIX: &str = "link_";

/// What goes wrong with the folder.
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
        /// What was tried.
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
    _lock: Flock<File>,
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PinError {
    let path = path.display().to_string();
    move |source| PinError::Io { action, path, source }
}

impl PinFolder {
    /// Makes the folder if need be, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, PinError> {
        let existing = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path);
        if !statfs(existing).is_ok_and(|info| info.filesystem_type() == BPF_FS) {
            return Err(PinError::NotBpffs { folder: path.display().to_string() });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io_error("make the folder", path))?;
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, PinError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path: path.to_path_buf(), _lock: lock }),
            Err((_, nix::Error::EWOULDBLOCK)) => {
                Err(PinError::InUse { folder: path.display().to_string() })
            }
            Err((_, error)) => Err(io_error("lock", path)(error.into())),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether maps are pinned in it.
    pub(super) fn has_maps(&self) -> bool {
        map::PINNED.iter().any(|name| self.path.join(name).exists())
    }

    /// Removes what is pinned in it: first the links, so that no program runs on missing maps.
    pub(super) fn clear(&self) -> Result<(), PinError> {
        let links = self.links()?;
        let maps = map::PINNED.iter().map(|name| self.path.join(name));
        for path in links.into_iter().chain(maps).filter(|path| path.exists()) {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
        Ok(())
    }

    /// Removes the folder with what is pinned in it.
    pub(super) fn remove(&self) -> Result<(), PinError> {
        self.clear()?;
        fs::remove_dir(&self.path).map_err(io_error("remove", &self.path))
    }

    /// Paths of the pinned links.
    pub(super) fn links(&self) -> Result<Vec<PathBuf>, PinError> {
        let entries = fs::read_dir(&self.path).map_err(io_error("read", &self.path))?;
        Ok(entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(LINK_PREFIX))
            .map(|entry| entry.path())
            .collect())
    }
}

/// Removes the data path whose maps and links are pinned in `folder`. Says whether there was one.
pub fn detach(folder: &Path) -> Result<bool, PinError> {
    if !folder.exists() {
        return Ok(false);
    }
    let pins = PinFolder::open(folder)?;
    let found = pins.has_maps() || !pins.links()?.is_empty();
    pins.remove()?;
    Ok(found)
}
