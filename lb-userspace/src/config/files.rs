//! The files that a configuration names, and whether they can be used. All else that reads a
//! configuration touches no file: a preview must not, since readers of the API may ask for one.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::PathBuf,
};

use super::{error::At, section::Findings, seed};
use crate::health::{self, ProgramError, Programs};

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
    fn check(&self, programs: &Programs) -> Result<(), String> {
        match self {
            Self::Authorities(path) => health::tls::authorities(path).map(drop),
            Self::Program(path) => programs.find(path).map(drop).map_err(|error| error.to_string()),
            Self::Seed(path) => seed::read(path).map(drop),
        }
    }
}

/// Refuses the programs of health checks, without a look at them.
pub(super) fn refuse_programs(named: &[(At, NamedFile)], findings: &Findings) {
    for (at, file) in named {
        if matches!(file, NamedFile::Program(_)) {
            findings.error(at, ProgramError::Off.to_string());
        }
    }
}

/// Looks at each of these files once, however often it is named. Programs must lie where they may.
pub(super) fn check(named: &[(At, NamedFile)], programs: &Programs, findings: &Findings) {
    let mut known: HashMap<&NamedFile, Result<(), String>> = HashMap::new();
    for (at, file) in named {
        if findings.full() {
            return;
        }
        if *programs == Programs::Off && matches!(file, NamedFile::Program(_)) {
            // That is said without a look at it.
            continue;
        }
        let result = match known.entry(file) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(file.check(programs)),
        };
        if let Err(message) = result {
            findings.error(at, message.clone());
        }
    }
}
