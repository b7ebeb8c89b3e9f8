//! Loads one program of an object into the kernel.

use aya::{Ebpf, programs::Xdp};

use super::load_error::{LoadError, not_loaded};

/// The XDP program with this name, loaded into the kernel.
pub(super) fn load_program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut Xdp, LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::NoProgram { name })?;
    let program: &mut Xdp = program.try_into().map_err(|_| LoadError::NoProgram { name })?;
    if program.fd().is_err() {
        program.load().map_err(|source| not_loaded(name, source))?;
    }
    Ok(program)
}
