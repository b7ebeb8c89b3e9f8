//! The files that a configuration names. The caller checks whether they can be used, or skips the
//! check: a preview must skip it, since readers of the API may request one.

use std::collections::{HashMap, hash_map::Entry};

use super::{error::At, named_file::NamedFile, section::Findings};

/// Looks at a named file: what is wrong with it, for people.
pub type FileCheck<'a> = dyn Fn(&NamedFile) -> Result<(), String> + 'a;

/// What is wrong with a health check that runs a program, where the agent runs none.
pub const EXEC_CHECKS_OFF: &str =
    "checks may not run programs here (`xelb agent --exec-checks off`)";

/// What is wrong with it where a proxy reads a file.
const PROXY_RUNS_NONE: &str = "a proxy with a file runs no programs and starts no members: give it \
                               an agent instead (`xelb proxy --socket` or `--server`), or remove \
                               this";

/// Refuses the programs of health checks, and what runs members on this host, without a look at them.
pub(super) fn refuse_programs(named: &[(At, NamedFile)], by_proxy: bool, findings: &Findings) {
    let message = if by_proxy { PROXY_RUNS_NONE } else { EXEC_CHECKS_OFF };
    for (at, file) in named {
        if matches!(file, NamedFile::Program(_) | NamedFile::HostDriver(_)) {
            findings.error(at, message);
        }
    }
}

/// Looks at each of these files once, however often it is named.
pub(super) fn check(named: &[(At, NamedFile)], check_file: &FileCheck<'_>, findings: &Findings) {
    let mut known: HashMap<&NamedFile, Result<(), String>> = HashMap::new();
    for (at, file) in named {
        if findings.full() {
            return;
        }
        let result = match known.entry(file) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(check_file(file)),
        };
        if let Err(message) = result {
            findings.error(at, message.clone());
        }
    }
}
