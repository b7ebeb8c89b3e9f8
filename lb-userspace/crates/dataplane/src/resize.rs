//! Resizes the flow memory, or the bindings of modes nat and fullnat, while packets are forwarded:
//! new maps in the folder for new maps ([`map_migration`]), together with second pins of all other
//! maps, which stay unchanged.
//!
//! What they hold is carried over before the link changes its program, and once more after it:
//! what packets have written meanwhile. Between the two, in milliseconds, a flow that begins in an armed slot
//! may be answered by another target, and one of modes nat and fullnat gets two bindings.

use std::path::Path;

use aya::maps::{MapData, MapError};
use lb_common::abi::map;
use lb_ebpf::flow_hash::{self, KEYS};

use super::{
    LoadError, MapSizes, StoreError,
    bindings::BindingMaps,
    flows::{Carried, FlowMap, Precedence},
    map_migration,
    pinned_map::failed,
    pins::{PinFolder, maps},
};
use crate::clock;

/// Maximum number of passes before the switch: each copies what packets have written during the
/// previous one.
const PASSES: usize = 3;

/// What is carried over.
pub(super) struct Resize {
    /// The old flow memory and the new one, if its size differs.
    memory: Option<[FlowMap; 2]>,
    /// The same for bindings.
    bindings: Option<[BindingMaps; 2]>,
    keys: [u64; KEYS],
}

/// Pins all maps but those of other sizes in the folder for new maps, too.
pub(super) fn share(
    pins: &PinFolder,
    folder: &Path,
    [previous, wanted]: [MapSizes; 2],
) -> Result<(), LoadError> {
    for pin in maps(pins.path())? {
        let name = pin.file_name().unwrap_or_default();
        if changed(previous, wanted).iter().any(|changed| name == *changed) {
            continue;
        }
        // Only maps with names that this version knows are in maps of its layout.
        let known = map::PINNED.iter().find(|known| name == **known).copied().unwrap_or_default();
        let data = MapData::from_pin(&pin).map_err(|source| failed("open", known, source))?;
        data.pin(folder.join(name)).map_err(|error| {
            let name = Some(known.to_owned());
            failed("pin a second time", known, MapError::PinError { name, error })
        })?;
    }
    Ok(())
}

/// The maps of other sizes.
fn changed(previous: MapSizes, wanted: MapSizes) -> Vec<&'static str> {
    let mut changed = Vec::new();
    if previous.memory_lines != wanted.memory_lines {
        changed.push(map::MEMORY);
    }
    if previous.bindings != wanted.bindings {
        // What says which bindings are free belongs to them.
        changed.extend([map::BINDINGS, map::FLOWS, map::FREE, map::TURNS]);
    }
    changed
}

impl Resize {
    /// Opens both, and carries over what they hold.
    pub(super) fn begin(
        pins: &PinFolder,
        folder: &Path,
        [previous, wanted]: [MapSizes; 2],
        hash_seed: [u64; 2],
    ) -> Result<Self, StoreError> {
        let changed = changed(previous, wanted);
        let (previous, new) = (pins.path(), folder);
        let memory = |folder: &Path| {
            FlowMap::open(folder).map_err(|source| failed("open", map::MEMORY, source))
        };
        let has = |name| changed.contains(&name);
        let memory =
            has(map::MEMORY).then(|| Ok::<_, StoreError>([memory(previous)?, memory(new)?]));
        let bindings = has(map::BINDINGS)
            .then(|| Ok::<_, StoreError>([BindingMaps::open(previous)?, BindingMaps::open(new)?]));
        let mut resize = Self {
            memory: memory.transpose()?,
            bindings: bindings.transpose()?,
            keys: flow_hash::keys(hash_seed),
        };
        for _ in 0..PASSES {
            resize.carry(Precedence::PreviousMaps);
        }
        Ok(resize)
    }

    fn carry(&mut self, precedence: Precedence) -> [Option<Carried>; 2] {
        let memory = self
            .memory
            .as_ref()
            .map(|[previous, new]| new.carry(previous, precedence, clock::seconds()));
        let bindings = self
            .bindings
            .as_mut()
            .map(|[previous, new]| new.carry(previous, precedence, &self.keys));
        [memory, bindings]
    }

    /// Copies what was written until the switch, and replaces the old maps by the new ones.
    pub(super) fn finish(mut self, pins: &PinFolder) -> Result<(), LoadError> {
        let [memory, bindings] = self.carry(Precedence::New);
        match memory {
            Some(Carried { kept, lost: 0 }) => {
                tracing::info!(kept, "the flow memory has another size; all its flows are kept");
            }
            Some(Carried { kept, lost }) => {
                tracing::warn!(
                    kept,
                    lost,
                    "some remembered flows do not fit the smaller flow memory and are forgotten"
                );
            }
            None => {}
        }
        match bindings {
            Some(Carried { kept, lost: 0 }) => {
                tracing::info!(kept, "the number of bindings has changed; all flows keep theirs");
            }
            Some(Carried { kept, lost }) => {
                tracing::warn!(kept, lost, "there are too few bindings: some flows break");
            }
            None => {}
        }
        map_migration::finish(pins)?;
        Ok(())
    }
}
