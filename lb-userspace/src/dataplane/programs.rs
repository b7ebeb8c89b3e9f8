//! Names of programs that the kernel holds.

/// Name of the BPF program with this id; `None` if it is gone or this process may not look.
#[must_use]
pub fn program_name(id: u32) -> Option<String> {
    aya::programs::loaded_programs()
        .map_while(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
}
