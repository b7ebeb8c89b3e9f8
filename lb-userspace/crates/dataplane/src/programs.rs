//! Programs that the kernel holds: their names, and how often they ran.

use std::os::fd::OwnedFd;

use aya::{
    programs::ProgramInfo,
    sys::{Stats, enable_stats},
};

/// Name of the BPF program with this id; `None` if it is gone or this process may not look.
#[must_use]
pub fn program_name(id: u32) -> Option<String> {
    program(id)?.name_as_str().map(str::to_owned)
}

/// The kernel's numbers of the maps that this program uses; none if it is gone.
pub(super) fn map_ids_of_program(id: u32) -> Vec<u32> {
    program(id).and_then(|program| program.map_ids().ok()?).unwrap_or_default()
}

fn program(id: u32) -> Option<ProgramInfo> {
    aya::programs::loaded_programs().map_while(Result::ok).find(|program| program.id() == id)
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
    Some(program(id)?.run_count())
}
