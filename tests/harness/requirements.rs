//! What a lab needs of the machine. It checks and says what is missing; it installs nothing.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

/// Programs that the harness starts.
pub const TOOLS: &[&str] = &["ip", "ethtool", "nginx"];

/// Programs that only some network tests start.
pub const TEST_TOOLS: &[&str] = &["curl", "iperf3", "wrk", "tcpdump", "ping"];

/// Fails unless this process is root and every one of `tools` is installed.
pub fn check(tools: &[&str]) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let missing: Vec<&str> = tools.iter().copied().filter(|tool| !is_installed(tool)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::ToolsMissing(missing.join(", "))) }
}

/// Debian keeps administrators' programs in directories that are not in everyone's `PATH`.
fn is_installed(tool: &str) -> bool {
    find_program(tool).is_some()
}

/// Where a program is, in [`search_path`].
#[must_use]
pub fn find_program(tool: &str) -> Option<PathBuf> {
    let path = search_path();
    env::split_paths(&path).map(|directory| directory.join(tool)).find(|path| path.is_file())
}

/// `PATH` and the directories of administrators' programs.
#[must_use]
pub fn search_path() -> String {
    let own = env::var("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].into_iter().filter(|directory| {
        Path::new(directory).is_dir() && !own.split(':').any(|one| one == *directory)
    });
    [own.as_str()]
        .into_iter()
        .filter(|own| !own.is_empty())
        .chain(system)
        .collect::<Vec<_>>()
        .join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program"));
    }
}
