//! Programs that the kernel holds: their names, and how often they ran.

use std::os::fd::OwnedFd;

use aya::sys::{Stats, enable_stats};

/// Name of the BPF program with this id; `None` if it is gone or this process may not look.
#[must_use]
pub fn program_name(id: u32) -> Option<String> {
    aya::programs::loaded_programs()
        .map_while(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
}

/// Makes the kernel count how often programs run, for as long as the result lives: it costs each run some
/// 20 ns. `None` where this process may not.
#[must_use]
pub fn count_runs() -> Option<OwnedFd> {
    enable_stats(Stats::RunTime).ok()
}

/// How often the program with this id ran while that was counted.
#[must_use]
pub fn program_runs(id: u32) -> Option<u64> {
    aya::programs::loaded_programs()
        .map_while(Result::ok)
        .find(|program| program.id() == id)
        .map(|program| program.run_count())
}
