//! The last thing that an agent said, in a file: a proxy starts from it when there is no agent.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use lb_agent::ProxySnapshot;
use lb_files::bounded_file;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

/// Its name in the state directory.
const NAME: &str = "proxy.json";
/// Another number: the file is of no use to this version.
const FORMAT: u32 = 1;
/// Largest file that is read.
const BYTES_MAX: u64 = 64 << 20;

/// A file, which need not be there.
#[derive(Clone, Debug)]
pub(super) struct KeptFile {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept<T> {
    format: u32,
    /// When the agent said it, seconds since 1970.
    told_at: u64,
    snapshot: T,
}

impl KeptFile {
    /// The file of a state directory, which is made if it is not there. Others could write what is
    /// served into a directory that they may write, so such a one is an error.
    pub(super) fn in_dir(dir: &Path) -> anyhow::Result<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.with_context(|| format!("cannot make the state directory {}", dir.display()))?;
        let found = fs::metadata(dir)
            .with_context(|| format!("cannot inspect the state directory {}", dir.display()))?;
        let dir = dir.display();
        if ![0, geteuid().as_raw()].contains(&found.uid()) {
            bail!(
                "the state directory {dir} is owned by uid {}, neither by root nor by this user; use \
                 another --state-dir",
                found.uid()
            );
        }
        if found.mode() & 0o022 != 0 {
            bail!(
                "the state directory {dir} has mode {:04o}: only its owner may write it; `chmod go-w \
                 {dir}`",
                found.mode() & 0o7777
            );
        }
        Ok(Self { path: PathBuf::from(dir.to_string()).join(NAME) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds, and how old that is; `None` if there is no file.
    pub(super) fn read(&self) -> anyhow::Result<Option<(ProxySnapshot, Duration)>> {
        let bytes = match bounded_file::read(&self.path, BYTES_MAX) {
            Ok((bytes, _)) => bytes,
            Err(bounded_file::BoundedFileError::Io(error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            Err(error) => bail!("cannot read {}: {error}", self.path.display()),
        };
        let kept: Kept<ProxySnapshot> = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is damaged: remove it", self.path.display()))?;
        if kept.format != FORMAT {
            bail!("{} is of another version of xelb: remove it", self.path.display());
        }
        let age = now().saturating_sub(kept.told_at);
        Ok(Some((kept.snapshot, Duration::from_secs(age))))
    }

    /// Replaces it as a whole: after a power cut it holds this, or what it held.
    pub(super) fn write(&self, snapshot: &ProxySnapshot) -> io::Result<()> {
        let kept = Kept { format: FORMAT, told_at: now(), snapshot };
        let draft = self.path.with_extension("new");
        // One that was left behind by a crash may be a link that somebody put there.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        let file = KeptFile::in_dir(&dir).unwrap();
        assert!(file.read().unwrap().is_none());
        for version in [1, 2] {
            let digest = "abc".to_owned();
            let snapshot = ProxySnapshot { version, digest, ..ProxySnapshot::default() };
            file.write(&snapshot).unwrap();
            let (read, age) = file.read().unwrap().unwrap();
            assert!(read == snapshot && age < Duration::from_mins(1));
        }
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeptFile::in_dir(folder.path()).unwrap();
        for (text, part) in [
            ("{", "is damaged"),
            (
                r#"{"format":9,"told_at":1,"snapshot":{"version":1,"digest":"","revision":null,"document":null,"targets":[]}}"#,
                "another version",
            ),
        ] {
            fs::write(file.path(), text).unwrap();
            let error = format!("{:#}", file.read().unwrap_err());
            assert!(error.contains(part), "{error}");
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let error = KeptFile::in_dir(folder.path()).unwrap_err().to_string();
        assert!(error.contains("only its owner may write it"), "{error}");
    }
}
