//! Reads files with secrets or permissions: only those that no other user can read or change.

use std::{io, os::unix::fs::MetadataExt as _, path::Path};

use nix::unistd::geteuid;
use thiserror::Error;

use crate::bounded_file::{self, BoundedFileError};

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a file is not used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// It is not what is expected there.
    #[error("{path} {reason}")]
    Unfit {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The text of a file that belongs to root or to this user, that others cannot read, and that only
/// its owner can write. Its group may read it.
pub fn read_private(path: &Path) -> Result<String, FileError> {
    read(path, true)
}

/// The text of a file that everybody may read.
pub fn read_public(path: &Path) -> Result<String, FileError> {
    read(path, false)
}

fn read(path: &Path, private: bool) -> Result<String, FileError> {
    let shown = || path.display().to_string();
    let unfit = |reason: String| FileError::Unfit { path: shown(), reason };
    let (bytes, found) = bounded_file::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        BoundedFileError::Io(error) => FileError::Io { path: shown(), error },
        BoundedFileError::Directory => unfit("is not a regular file".to_owned()),
        other => unfit(other.to_string()),
    })?;
    let (mode, owner) = (found.mode() & 0o7777, found.uid());
    if private && mode & 0o027 != 0 {
        let reason = format!(
            "has mode {mode:04o}: others may not read it, and only its owner may write it; \
             `chmod 600 {}`",
            path.display()
        );
        return Err(unfit(reason));
    }
    if private && owner != 0 && owner != geteuid().as_raw() {
        return Err(unfit(format!("is owned by uid {owner}, neither by root nor by this user")));
    }
    String::from_utf8(bytes).map_err(|_| unfit("is not text (UTF-8)".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, chown},
    };

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn only_private_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "text").unwrap();
        for (mode, said) in [
            (0o600, None),
            (0o400, None),
            (0o640, None),
            (0o644, Some("has mode 0644: others may not read it")),
            (0o620, Some("has mode 0620: ")),
            (0o602, Some("has mode 0602: ")),
            (0o601, Some("has mode 0601: ")),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_public(&path).unwrap(), "text");
            match (read_private(&path), said) {
                (Ok(text), None) => assert_eq!(text, "text"),
                (Err(error), Some(said)) => {
                    let error = error.to_string();
                    let wanted = format!("{} {said}", path.display());
                    assert!(error.starts_with(&wanted), "{mode:o}: {error}");
                    assert!(error.contains("`chmod 600 "), "{error}");
                }
                (read, _) => panic!("{mode:o}: {read:?}"),
            }
        }
    }

    #[test]
    fn unsafe_private_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, bytes: &[u8]| {
            fs::write(path(name), bytes).unwrap();
            fs::set_permissions(path(name), Permissions::from_mode(0o600)).unwrap();
        };
        write("large", &vec![b'x'; (1 << 20) + 1]);
        write("binary", b"\xff\xfe");
        mkfifo(&path("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        fs::create_dir(path("folder")).unwrap();
        for (name, says) in [
            ("missing", "cannot read"),
            ("large", "is larger than 1 MiB"),
            ("binary", "is not text"),
            ("fifo", "is not a regular file"),
            ("folder", "is not a regular file"),
        ] {
            let error = read_private(&path(name)).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn files_of_other_users_are_refused() {
        assert!(geteuid().is_root(), "files are given away in this test; it needs root");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(65_534), None).unwrap();
        let error = read_private(&path).unwrap_err().to_string();
        assert!(error.contains("is owned by uid 65534"), "{error}");
    }
}
