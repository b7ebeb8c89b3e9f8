//! The balancer is three programs: for plain packets, for all others, and for modes nat and
//! fullnat. Loads them, and installs the others as tail calls of the first.
//!
//! Programs of two versions may meet for a moment, or after a crash: an agent replaces the first
//! program last. Values that one passes to another are part of the ABI.

use std::{io, path::Path};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, MapError, ProgramArray},
    programs::{ProgramError, ProgramFd, Xdp},
};
use lb_common::{
    abi::{
        map,
        program::{self, Instance, Next},
    },
    direct::DirectMap,
    settings,
};
use lb_ebpf::flow_hash;

use super::{
    LoadError, MapSizes, OBJECT, direct_maps,
    load_error::not_opened,
    load_program::load_program,
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

/// The tail calls of the first program, callees first.
pub(super) const OTHERS: [(Next, &str); 2] =
    [(Next::Translate, program::TRANSLATE), (Next::Rest, program::REST)];

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
        let keys = flow_hash::keys(hash_seed);
        let (memory_mask, binding_mask) = (sizes.memory_mask(), sizes.binding_mask());
        let mut loader = EbpfLoader::new();
        loader
            .default_map_pin_directory(folder)
            .override_global(settings::HASH_KEYS.name, &keys, true)
            .override_global(settings::DRY_RUN.name, &dry_run, true)
            .override_global(settings::MEMORY_MASK.name, &memory_mask, true)
            .override_global(settings::BINDING_MASK.name, &binding_mask, true)
            .map_max_entries(map::MEMORY, sizes.memory_lines)
            .map_max_entries(map::BINDINGS, sizes.bindings)
            .map_max_entries(map::FLOWS, sizes.flow_lines())
            .map_max_entries(map::FREE, sizes.bindings);
        let mut open =
            |object: &[u8]| loader.load(object).map_err(|error| not_opened(error, sizes));
        // Once for the maps, then for programs that know them.
        let maps = direct_maps::take(&mut open(OBJECT)?).map_err(LoadError::Direct)?;
        let ebpf = open(bytemuck::cast_slice(&direct_maps::link(OBJECT, &maps)))?;
        Ok(Self { ebpf, instance, direct: maps })
    }

    /// Loads its programs into the kernel, and gives the one for all packets.
    pub fn load(&mut self) -> Result<&mut Xdp, LoadError> {
        let mut others = Vec::new();
        for (next, name) in OTHERS {
            let other = load_program(&mut self.ebpf, name)?.fd();
            let other = other.map_err(|source| refused(name, source))?;
            let other = other.try_clone().map_err(|error| refused(name, error.into()))?;
            others.push((self.instance.place(next), other));
        }
        // Before others are installed, so that a program that cannot be loaded changes nothing.
        load_program(&mut self.ebpf, self.instance.first())?;
        place(&mut self.ebpf, &others).map_err(LoadError::Join)?;
        load_program(&mut self.ebpf, self.instance.first())
    }

    /// Pins maps again whose pins were removed; returns their names.
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

fn place(ebpf: &mut Ebpf, others: &[(u32, ProgramFd)]) -> Result<(), MapError> {
    let programs = ebpf
        .map_mut(map::PROGRAMS)
        .ok_or_else(|| MapError::InvalidName { name: map::PROGRAMS.to_owned() })?;
    let mut programs = ProgramArray::try_from(programs)?;
    others.iter().try_for_each(|(place, other)| programs.set(*place, other, 0))
}
