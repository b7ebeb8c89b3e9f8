//! The balancer is two programs, for plain packets and for all others: loads both, and puts the second
//! where the first goes on.
//!
//! Programs of two versions may meet for a moment, or after a crash: an agent replaces the second
//! program before the first. What the first leaves to the second is part of the ABI.

use std::path::Path;

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapError, ProgramArray},
    programs::{ProgramError, ProgramFd, Xdp},
};
use lb_common::{
    abi::{
        map,
        program::{self, Instance},
    },
    settings,
};
use lb_ebpf::flow_hash;

use super::{LoadError, MapSizes, OBJECT, load::load_program};

/// Makes the balancer's maps, or takes those pinned in `folder`, which must have these sizes; its
/// programs are still to be loaded.
pub fn open_balancer(
    folder: &Path,
    hash_seed: [u64; 2],
    sizes: MapSizes,
    instance: Instance,
) -> Result<Ebpf, LoadError> {
    let dry_run = u32::from(instance == Instance::DryRun);
    EbpfLoader::new()
        .default_map_pin_directory(folder)
        .override_global(settings::HASH_KEYS.name, &flow_hash::keys(hash_seed), true)
        .override_global(settings::DRY_RUN.name, &dry_run, true)
        .override_global(settings::MEMORY_MASK.name, &sizes.memory_mask(), true)
        .map_max_entries(map::MEMORY, sizes.memory_lines)
        .load(OBJECT)
        .map_err(|error| LoadError::Object(Box::new(error)))
}

/// Loads both programs into the kernel, and gives the one for all packets.
pub fn load_balancer(ebpf: &mut Ebpf, instance: Instance) -> Result<&mut Xdp, LoadError> {
    let rest = load_program(ebpf, program::REST)?;
    let rest = rest.fd().map_err(|source| refused(program::REST, source))?;
    let rest = rest.try_clone().map_err(|error| refused(program::REST, error.into()))?;
    // Before the second is in its place, so that a program that cannot be loaded changes nothing.
    load_program(ebpf, program::BALANCE)?;
    place(ebpf, instance, &rest).map_err(LoadError::Join)?;
    load_program(ebpf, program::BALANCE)
}

fn refused(name: &'static str, source: ProgramError) -> LoadError {
    LoadError::Program { name, source: Box::new(source) }
}

fn place(ebpf: &mut Ebpf, instance: Instance, rest: &ProgramFd) -> Result<(), MapError> {
    let programs = ebpf
        .map_mut(map::PROGRAMS)
        .ok_or_else(|| MapError::InvalidName { name: map::PROGRAMS.to_owned() })?;
    ProgramArray::try_from(programs)?.set(instance as u32, rest, 0)
}
