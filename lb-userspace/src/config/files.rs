//! The files that a configuration names, and whether they can be used. All else that reads a
//! configuration touches no file: a preview must not, since readers of the API may ask for one.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::PathBuf,
};

use super::{error::At, section::Findings, seed};
use crate::health;

/// A file that a configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NamedFile {
    /// CA certificates to trust.
    Authorities(PathBuf),
    /// The program of a health check.
    Program(PathBuf),
    /// The seed of the flow hash.
    Seed(PathBuf),
}

impl NamedFile {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Authorities(path) => health::tls::authorities(path).map(drop),
            Self::Program(path) => health::exec::usable(path),
            Self::Seed(path) => seed::read(path).map(drop),
        }
    }
}

/// Looks at each of these files once, however often it is named.
pub(super) fn check(named: &[(At, NamedFile)], findings: &Findings) {
    let mut known: HashMap<&NamedFile, Result<(), String>> = HashMap::new();
    for (at, file) in named {
        if findings.full() {
            return;
        }
        let result = match known.entry(file) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(file.check()),
        };
        if let Err(message) = result {
            findings.error(at, message.clone());
        }
    }
}
