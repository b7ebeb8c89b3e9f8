//! The files of a directory that make one configuration: those that end in `.yaml`, in the order of
//! their names. It does not read them.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Entries of a directory that are looked at.
const ENTRIES_MAX: usize = 4096;

/// Why a directory cannot be used. The path is the caller's to name.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It cannot be listed.
    #[error("cannot list the directory: {0}")]
    Io(#[from] io::Error),
    /// It has more entries than are looked at.
    #[error("has more than {ENTRIES_MAX} entries")]
    TooMany,
}

/// What a directory has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files that end in `.yaml` and are not hidden, in the order of their names' bytes.
    pub files: Vec<PathBuf>,
    /// Files that end in `.yml` or `.json`, which a person may take for a part of it.
    pub left_out: Vec<PathBuf>,
}

/// Lists a directory. Subdirectories are not entered. What is called `.yaml` is listed whatever it is:
/// who reads it finds out.
pub fn list(directory: &Path) -> Result<Listing, DirectoryError> {
    let mut listing = Listing::default();
    for (number, entry) in fs::read_dir(directory)?.enumerate() {
        if number >= ENTRIES_MAX {
            return Err(DirectoryError::TooMany);
        }
        let name = entry?.file_name();
        if is_part(&name) {
            listing.files.push(directory.join(name));
        } else if !is_hidden(&name) && ends_in(&name, &[".yml", ".json"]) {
            listing.left_out.push(directory.join(name));
        }
    }
    listing.files.sort_unstable();
    listing.left_out.sort_unstable();
    Ok(listing)
}

/// Whether a file of this name is a part of the configuration.
pub(crate) fn is_part(name: &OsStr) -> bool {
    !is_hidden(name) && ends_in(name, &[".yaml"])
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

fn ends_in(name: &OsStr, suffixes: &[&str]) -> bool {
    suffixes.iter().any(|suffix| name.as_bytes().ends_with(suffix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_backup_files_are_no_part_and_the_order_is_that_of_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "b.yaml",
            "a.yaml",
            "10.yaml",
            "9.yaml",
            "B.yaml",
            ".hidden.yaml",
            ".a.yaml.swp",
            "a.yaml~",
            "a.yaml.bak",
            "a.yaml.dpkg-old",
            "#a.yaml#",
            "c.yml",
            "d.json",
            "README",
        ] {
            fs::write(path(name), "").unwrap();
        }
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("sub/x.yaml"), "").unwrap();
        let listing = list(folder.path()).unwrap();
        let wanted = ["10.yaml", "9.yaml", "B.yaml", "a.yaml", "b.yaml"].map(path);
        assert_eq!(listing.files, wanted);
        assert_eq!(listing.left_out, ["c.yml", "d.json"].map(path));
    }

    #[test]
    fn a_directory_of_very_many_entries_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=ENTRIES_MAX {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        let error = list(folder.path()).unwrap_err().to_string();
        assert_eq!(error, "has more than 4096 entries");
        let missing = list(&folder.path().join("missing")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot list the directory: No such file"), "{missing}");
    }
}
