//! The balancer is two programs, for plain packets and for all others: loads both, and puts the second
//! where the first goes on.
//!
//! Programs of two versions may meet for a moment, or after a crash: an agent replaces the second
//! program before the first. What the first leaves to the second is part of the ABI.

use std::{io, path::Path};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, MapError, ProgramArray},
    programs::{ProgramError, ProgramFd, Xdp},
};
use lb_common::{
    abi::{
        map,
        program::{self, Instance},
    },
    direct::DirectMap,
    settings,
};
use lb_ebpf::flow_hash;

use super::{
    LoadError, MapSizes, OBJECT, direct,
    load::{load_program, not_opened},
    pins::{PinFolder, io_error},
};

/// The balancer's maps and programs.
#[derive(Debug)]
pub struct Balancer {
    ebpf: Ebpf,
    instance: Instance,
    /// What its programs name by their file descriptors when they are loaded.
    direct: Vec<(DirectMap, MapData)>,
}

/// A map in either of its forms.
enum Pinned<'a> {
    Direct(&'a MapData),
    Other(&'a Map),
}

impl Balancer {
    /// Makes its maps, or takes those pinned in `folder`, which must have these sizes; its programs
    /// are still to be loaded.
    pub fn open(
        folder: &Path,
        hash_seed: [u64; 2],
        sizes: MapSizes,
        instance: Instance,
    ) -> Result<Self, LoadError> {
        let dry_run = u32::from(instance == Instance::DryRun);
        let (keys, memory_mask) = (flow_hash::keys(hash_seed), sizes.memory_mask());
        let mut loader = EbpfLoader::new();
        loader
            .default_map_pin_directory(folder)
            .override_global(settings::HASH_KEYS.name, &keys, true)
            .override_global(settings::DRY_RUN.name, &dry_run, true)
            .override_global(settings::MEMORY_MASK.name, &memory_mask, true)
            .map_max_entries(map::MEMORY, sizes.memory_lines);
        let mut open =
            |object: &[u8]| loader.load(object).map_err(|error| not_opened(error, sizes));
        // Once for the maps, then for programs that know them.
        let maps = direct::take(&mut open(OBJECT)?).map_err(LoadError::Direct)?;
        let ebpf = open(bytemuck::cast_slice(&direct::link(OBJECT, &maps)))?;
        Ok(Self { ebpf, instance, direct: maps })
    }

    /// Loads its programs into the kernel, and gives the one for all packets.
    pub fn load(&mut self) -> Result<&mut Xdp, LoadError> {
        let rest = load_program(&mut self.ebpf, program::REST)?;
        let rest = rest.fd().map_err(|source| refused(program::REST, source))?;
        let rest = rest.try_clone().map_err(|error| refused(program::REST, error.into()))?;
        // Before the second is in its place, so that a program that cannot be loaded changes nothing.
        load_program(&mut self.ebpf, self.instance.first())?;
        place(&mut self.ebpf, self.instance, &rest).map_err(LoadError::Join)?;
        load_program(&mut self.ebpf, self.instance.first())
    }

    /// Pins its maps again where somebody has removed their pins; gives their names.
    pub(super) fn restore_pins(&self, pins: &PinFolder) -> Result<Vec<String>, LoadError> {
        let direct = self.direct.iter().map(|(map, data)| (map.name, Pinned::Direct(data)));
        let others = self.ebpf.maps().map(|(name, map)| (name, Pinned::Other(map)));
        let mut restored = Vec::new();
        for (name, map) in others.chain(direct).filter(|(name, _)| map::PINNED.contains(name)) {
            let path = pins.path().join(name);
            if path.exists() {
                continue;
            }
            let pinned = match map {
                Pinned::Direct(data) => data.pin(&path),
                Pinned::Other(map) => map.pin(&path),
            };
            pinned.map_err(|error| io_error("pin", &path)(io::Error::other(error)))?;
            restored.push(name.to_owned());
        }
        Ok(restored)
    }

    /// The object that they are from.
    pub const fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
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
