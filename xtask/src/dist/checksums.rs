//! SHA-256 of files, as `sha256sum --check` reads them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// The name of the file that has them.
pub(super) const FILE: &str = "SHA256SUMS";

/// A line for each file of a folder but [`FILE`] itself.
pub(super) fn of(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for (name, path) in super::files_of(folder)? {
        if name != FILE {
            writeln!(text, "{}  {name}", sha256_of(&path)?)?;
        }
    }
    Ok(text)
}

/// The digest of a file, in hexadecimal digits.
pub(super) fn sha256_of(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(sha256(&bytes))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::output;

    #[test]
    fn sha256sum_agrees() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a", FILE] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let sums = of(folder.path()).unwrap();
        assert_eq!(sums.lines().count(), 2, "{sums}");
        assert!(sums.lines().next().unwrap().ends_with("  a"), "{sums}");
        fs::write(folder.path().join(FILE), &sums).unwrap();
        let mut check = std::process::Command::new("sha256sum");
        check.current_dir(folder.path()).args(["--check", FILE]);
        assert_eq!(output(&mut check).unwrap(), "a: OK\nb: OK\n");
        fs::write(folder.path().join("a"), "other").unwrap();
        assert!(output(&mut check).is_err());
    }
}
