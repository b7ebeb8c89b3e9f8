//! The files of a state directory, and what they must be: an agent, which is root, writes and believes
//! nothing that another user has put there.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{
    fcntl::{Flock, FlockArg},
    unistd::geteuid,
};
use redb::{Builder, Database, DatabaseError, backends::FileBackend};

use super::StoreError;

/// Held by the agent that uses the directory.
const LOCK_FILE: &str = "lock";

/// The message if it is not a regular file.
const NOT_REGULAR: &str = "it is not a regular file; remove it";

/// How the database is opened; other than as a file in tests.
pub(super) type Opener = Box<dyn Fn(&Builder) -> Result<Database, DatabaseError> + Send>;

/// Refuses a directory that others could put files into: the agent would write and believe them.
pub(super) fn private(dir: &Path) -> Result<(), StoreError> {
    let found = fs::metadata(dir).map_err(failed("inspect the state directory", dir))?;
    let reason = if ![0, geteuid().as_raw()].contains(&found.uid()) {
        format!(
            "is owned by uid {}, neither by root nor by this user; use another --state-dir",
            found.uid()
        )
    } else if found.mode() & 0o022 != 0 {
        format!(
            "has mode {:04o}: only its owner may write it; `chmod go-w {}`",
            found.mode() & 0o7777,
            dir.display()
        )
    } else {
        return Ok(());
    };
    Err(StoreError::Unsafe { path: dir.display().to_string(), reason })
}

/// A symbolic link instead of the file is an error: its destination is not the agent's.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other(NOT_REGULAR)) }
}

/// Opens a file, and says at once if that is not possible.
pub(super) fn opener(path: &Path) -> Result<Opener, StoreError> {
    drop(open_file(path).map_err(failed("open", path))?);
    let path = path.to_path_buf();
    Ok(Box::new(move |builder| {
        let file = open_file(&path).map_err(redb::StorageError::Io)?;
        builder.create_with_backend(FileBackend::new(file)?)
    }))
}

/// Locks the directory for this process.
pub(super) fn lock(dir: &Path) -> Result<Flock<File>, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = open_file(&path).map_err(failed("open", &path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::Error::EWOULDBLOCK)) => {
            Err(StoreError::InUse { dir: dir.display().to_string() })
        }
        Err((_, error)) => Err(failed("lock", &path)(error.into())),
    }
}

/// Whether an error says something of the disk, and not of what is in the file.
pub(super) fn is_of_disk(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// The error of a failed step.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| match source.raw_os_error() {
        Some(libc::ELOOP) => {
            StoreError::Unsafe { path, reason: "is a symbolic link; remove it".to_owned() }
        }
        _ => StoreError::Io { action, path, error: source },
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt as _, chown, symlink},
    };

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use crate::Embedded;

    use super::*;

    fn message_of(dir: &Path) -> String {
        Embedded::open(dir).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, refused) in [(0o755, false), (0o700, false), (0o775, true), (0o1777, true)] {
            fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            let message_of = message_of(dir.path());
            assert_eq!(
                message_of.contains("only its owner may write it; `chmod go-w"),
                refused,
                "{message_of}"
            );
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        if geteuid().is_root() {
            chown(dir.path(), Some(65_534), None).unwrap();
            let message_of = message_of(dir.path());
            assert!(
                message_of.contains("is owned by uid 65534, neither by root nor"),
                "{message_of}"
            );
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        for name in ["lock", "xelb.redb"] {
            let dir = tempfile::tempdir().unwrap();
            let elsewhere = dir.path().join("elsewhere");
            symlink(&elsewhere, dir.path().join(name)).unwrap();
            let message_of = message_of(dir.path());
            assert!(
                message_of.ends_with(&format!("{name} is a symbolic link; remove it")),
                "{message_of}"
            );
            assert!(!elsewhere.exists(), "{name}");
        }
        let dir = tempfile::tempdir().unwrap();
        mkfifo(&dir.path().join("lock"), Mode::S_IRWXU).unwrap();
        let message_of = message_of(dir.path());
        assert!(message_of.contains("not a regular file"), "{message_of}");
    }
}
