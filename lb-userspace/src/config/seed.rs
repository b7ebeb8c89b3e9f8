//! The seed of the flow hash from a file of its own, which readers of the API never see.

use std::path::Path;

use super::{model::Config, values};
use crate::private_file::read_private;

/// The seed that a configuration names, itself or in a file; `None` when it names none.
pub fn hash_seed(config: &Config) -> Result<Option<[u64; 2]>, String> {
    match (&config.hash_seed, &config.hash_seed_file) {
        (Some(seed), _) => Ok(Some(*seed)),
        (None, Some(path)) => read(path).map(Some),
        (None, None) => Ok(None),
    }
}

/// The seed in a file that only its owner and its group can read.
pub(super) fn read(path: &Path) -> Result<[u64; 2], String> {
    let text = read_private(path).map_err(|error| error.to_string())?;
    let seed = values::seed_of(text.trim());
    seed.ok_or_else(|| format!("{} must hold {}", path.display(), values::SEED))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    #[test]
    fn a_seed_is_read_from_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        for (text, mode, says) in [
            ("0123456789abcdef0123456789ABCDEF\n", 0o600, None),
            ("0123456789abcdef0123456789ABCDEF", 0o640, None),
            ("0123456789abcdef0123456789ABCDEF", 0o644, Some("others may not read it")),
            ("0123456789abcdef\n0123456789ABCDEF", 0o600, Some("must hold 32 hexadecimal digits")),
            ("", 0o600, Some("must hold 32 hexadecimal digits")),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match (read(&path), says) {
                (Ok(seed), None) => {
                    assert_eq!(seed, [0x0123_4567_89ab_cdef; 2], "{text}");
                }
                (Err(error), Some(says)) => assert!(error.contains(says), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }
}
