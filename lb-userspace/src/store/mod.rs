//! The desired state of an agent without a configuration file: one revision in the state directory,
//! written atomically. History and rollback are not here yet.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::Document;

/// The file of the current revision.
const STATE_FILE: &str = "state.json";

/// What is written before it takes that file's place.
const NEW_FILE: &str = "state.json.new";

/// Held as long as an agent uses the directory.
const LOCK_FILE: &str = "lock";

/// What goes wrong with the state directory.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Another agent uses the directory.
    #[error(
        "another xelb agent uses the state directory {dir}; stop it first, or name another one with \
         --state-dir"
    )]
    InUse {
        /// The directory.
        dir: String,
    },
    /// The file is not what an agent writes.
    #[error("{path} is damaged ({reason}); restore it from a backup, or remove it and apply anew")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// One desired state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number, from 1.
    pub number: u64,
    /// When it was written, seconds since 1970.
    pub written_at: u64,
    /// What changed, for people.
    pub what: String,
    /// The configuration.
    pub document: Document,
}

/// A state directory, locked for this process.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    current: Option<Revision>,
    _lock: Flock<File>,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Io { action, path, source }
}

impl Store {
    /// Opens the directory, making it if need be, and reads the current revision.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("make the state directory", dir))?;
        let lock = lock(dir)?;
        let path = dir.join(STATE_FILE);
        let current = match fs::read(&path) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| {
                StoreError::Damaged { path: path.display().to_string(), reason: error.to_string() }
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        Ok(Self { dir: dir.to_path_buf(), current, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The current revision, if anything has been applied.
    #[must_use]
    pub const fn current(&self) -> Option<&Revision> {
        self.current.as_ref()
    }

    /// Makes a document the current revision, on disk before it returns. A power cut at any moment
    /// leaves the old revision or the new one.
    pub fn commit(&mut self, document: &Document, what: &str) -> Result<u64, StoreError> {
        let number = self.current.as_ref().map_or(0, |revision| revision.number) + 1;
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
        let revision = Revision {
            number,
            written_at: elapsed.map_or(0, |elapsed| elapsed.as_secs()),
            what: what.to_owned(),
            document: document.clone(),
        };
        self.write(&revision)?;
        self.current = Some(revision);
        Ok(number)
    }

    fn write(&self, revision: &Revision) -> Result<(), StoreError> {
        let (new, state) = (self.dir.join(NEW_FILE), self.dir.join(STATE_FILE));
        let mut bytes = serde_json::to_vec_pretty(revision)
            .map_err(|error| failed("write", &new)(error.into()))?;
        bytes.push(b'\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(failed("make", &new))?;
        file.write_all(&bytes).map_err(failed("write", &new))?;
        file.sync_all().map_err(failed("sync", &new))?;
        fs::rename(&new, &state).map_err(failed("replace", &state))?;
        let dir = File::open(&self.dir).map_err(failed("open", &self.dir))?;
        dir.sync_all().map_err(failed("sync", &self.dir))
    }
}

fn lock(dir: &Path) -> Result<Flock<File>, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::Error::EWOULDBLOCK)) => {
            Err(StoreError::InUse { dir: dir.display().to_string() })
        }
        Err((_, error)) => Err(failed("lock", &path)(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn document(text: &str) -> Document {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_revision_survives_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/state");
        let mut store = Store::open(&path).unwrap();
        assert_eq!(store.current(), None);
        assert_eq!(store.commit(&document(r#"{"a": [1, "b"]}"#), "first").unwrap(), 1);
        assert_eq!(store.commit(&document(r#"{"a": [2]}"#), "second").unwrap(), 2);
        drop(store);
        // What a crash between write and rename leaves does not matter.
        fs::write(path.join(NEW_FILE), "half a rev").unwrap();
        let store = Store::open(&path).unwrap();
        let current = store.current().unwrap();
        assert_eq!((current.number, current.what.as_str()), (2, "second"));
        assert_eq!(current.document, document(r#"{"a": [2]}"#));
    }

    #[test]
    fn two_agents_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let error = Store::open(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("another xelb agent uses the state directory"), "{error}");
        drop(store);
        Store::open(dir.path()).unwrap();
    }

    /// Names of targets and the seed of the hash are nobody else's business.
    #[test]
    fn only_the_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let mut store = Store::open(&path).unwrap();
        store.commit(&document("{}"), "first").unwrap();
        store.commit(&document("{}"), "second").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(format!("{:o}", mode(&path)), "700");
        for name in [STATE_FILE, LOCK_FILE] {
            assert_eq!(format!("{:o}", mode(&path.join(name))), "600", "{name}");
        }
        assert!(!path.join(NEW_FILE).exists());
    }

    /// What could not be written is not the current revision, and the next try has the same number.
    #[test]
    fn a_failed_commit_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.commit(&document("{}"), "first").unwrap();
        let new = dir.path().join(NEW_FILE);
        fs::create_dir(&new).unwrap();
        let error = store.commit(&document("[]"), "second").unwrap_err().to_string();
        let expected = format!("cannot make {}: Is a directory (os error 21)", new.display());
        assert_eq!(error, expected);
        assert_eq!(store.current().unwrap().what, "first");
        fs::remove_dir(&new).unwrap();
        assert_eq!(store.commit(&document("[]"), "second").unwrap(), 2);
    }

    #[test]
    fn a_directory_that_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let error = Store::open(&path).unwrap_err().to_string();
        let expected = format!(
            "cannot make the state directory {}: File exists (os error 17)",
            path.display()
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(STATE_FILE), "{\"number\": 1,").unwrap();
        let error = Store::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("state.json is damaged"), "{error}");
        assert!(error.contains("restore it from a backup"), "{error}");
    }
}
