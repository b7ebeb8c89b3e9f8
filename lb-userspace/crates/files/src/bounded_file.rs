//! Reads files whose names come from elsewhere (a configuration, an option): regular files only, up to
//! a limit, and without ever waiting for a writer. It knows nothing of what is in them.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use thiserror::Error;

use crate::descriptor_reserve;

/// Why a file is not read. The path is the caller's to name.
#[derive(Debug, Error)]
pub enum BoundedFileError {
    /// It cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A directory, where a file is wanted.
    #[error("is a directory; name a file in it")]
    Directory,
    /// A pipe, a device or a socket: reading it may block for ever, or never end.
    #[error("is not a regular file")]
    NotRegular,
    /// More than the limit.
    #[error("is larger than {} MiB", bytes_max >> 20)]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
}

/// The content of a file of at most `bytes_max` bytes, and what the file system says of it.
pub fn read(path: &Path, bytes_max: u64) -> Result<(Vec<u8>, Metadata), BoundedFileError> {
    let too_large = BoundedFileError::TooLarge { bytes_max };
    // Opening some devices does something (a watchdog starts), so the kind is checked before that.
    regular(&fs::metadata(path)?)?;
    // Without O_NONBLOCK, the opening of a pipe that has taken the file's place waits for a writer.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags);
    let file: File = descriptor_reserve::or_reserved(|| options.open(path))?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    if metadata.len() > bytes_max {
        return Err(too_large);
    }
    // The size says nothing where the file grows meanwhile, and in /proc.
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_large) } else { Ok((bytes, metadata)) }
}

fn regular(metadata: &Metadata) -> Result<(), BoundedFileError> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(BoundedFileError::Directory),
        _ => Err(BoundedFileError::NotRegular),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    fn message_of(path: &Path) -> String {
        let path = path.to_path_buf();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // Nobody may wait for it any more.
            let _unheard = sender.send(read(&path, 1 << 20));
        });
        let read = receiver.recv_timeout(Duration::from_secs(10)).expect("nobody waits");
        read.map_or_else(|error| error.to_string(), |(bytes, _)| format!("{} bytes", bytes.len()))
    }

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("largest"), vec![b'x'; 1 << 20]).unwrap();
        fs::write(path("too large"), vec![b'x'; (1 << 20) + 1]).unwrap();
        mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
        for (path, expected) in [
            (path("largest"), "1048576 bytes"),
            (path("too large"), "is larger than 1 MiB"),
            (path("pipe"), "is not a regular file"),
            (path("link"), "is not a regular file"),
            (path(""), "is a directory; name a file in it"),
            ("/dev/zero".into(), "is not a regular file"),
            (path("missing"), "No such file or directory (os error 2)"),
        ] {
            assert_eq!(message_of(&path), expected, "{}", path.display());
        }
    }

    /// Files of /proc have the size 0 whatever is in them.
    #[test]
    fn a_file_that_hides_its_size_is_bounded() {
        assert!(message_of(Path::new("/proc/self/status")).ends_with(" bytes"));
        let error = read(Path::new("/proc/self/status"), 8).unwrap_err();
        assert!(matches!(error, BoundedFileError::TooLarge { bytes_max: 8 }), "{error}");
    }
}
