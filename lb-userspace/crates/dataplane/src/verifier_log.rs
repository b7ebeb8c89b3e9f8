//! What the kernel says when it refuses a program, in a sentence: the log of its verifier, thousands of
//! lines, goes to a file. It does not guess what is wrong with the program.

use std::{
    env, fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

/// Where logs are kept, if there is such a folder: that of the agent's socket. Else in that for
/// temporary files.
const FOLDER: &str = "/run/xelb";

/// The result of saving the verifier's log.
#[derive(Debug)]
pub enum VerifierLog {
    /// It is in this file.
    Kept(PathBuf),
    /// It could not be written.
    Lost(io::Error),
    /// There is none.
    Empty,
}

impl fmt::Display for VerifierLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(path) => write!(
                formatter,
                "its verifier's log is {}; please report this with that file",
                path.display()
            ),
            Self::Lost(error) => {
                write!(formatter, "its verifier's log cannot be saved: {error}")
            }
            Self::Empty => formatter.write_str("its verifier gives no reason"),
        }
    }
}

impl VerifierLog {
    /// Keeps a log of the program with this name, readable for its owner only: it has addresses of the kernel.
    pub(super) fn keep(name: &str, text: &str) -> Self {
        if text.trim().is_empty() {
            return Self::Empty;
        }
        let folder = Path::new(FOLDER);
        let folder = if folder.is_dir() { folder.to_owned() } else { env::temp_dir() };
        let path = folder.join(format!("verifier-{name}-{}.log", process::id()));
        match write_new(&path, text) {
            Ok(()) => Self::Kept(path),
            Err(error) => Self::Lost(error),
        }
    }
}

/// Never through a symbolic link of another user.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;
    use crate::LoadError;

    #[test]
    fn a_log_is_for_its_owner_only_and_replaces_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("log"), folder.path().join("other"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, &path).unwrap();
        for text in ["first", "second"] {
            write_new(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o600);
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    }

    #[test]
    fn the_message_is_a_sentence_that_names_the_file() {
        let log = VerifierLog::keep("test", "func#0 @0\nmath is not allowed\n");
        let VerifierLog::Kept(path) = &log else { panic!("{log}") };
        let error = LoadError::Refused {
            name: "test",
            release: "6.1.0".to_owned(),
            log: VerifierLog::Kept(path.clone()),
            source: io::Error::from_raw_os_error(22),
        };
        let message = error.to_string();
        assert!(message.contains("Linux 6.1.0 refuses the BPF program test"), "{message}");
        assert!(message.contains(&*path.to_string_lossy()), "{message}");
        assert!(!message.contains("math") && message.len() < 300, "{message}");
        fs::remove_file(path).unwrap();
        assert!(matches!(VerifierLog::keep("test", "\n"), VerifierLog::Empty));
    }
}
