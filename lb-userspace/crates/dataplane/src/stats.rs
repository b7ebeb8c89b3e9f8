//! Reads counters from the pinned maps.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use aya::maps::{MapData, MapError, PerCpuArray};
use lb_common::{Counter, DropReason, ListenerKey, Owner, Traffic, abi::map};
use thiserror::Error;

use super::{
    Explainer, KernelStore, MapSizes, MemoryError, StoreError, bindings::BindingMaps,
    flows::FlowMap, map_memory, map_migration,
};
use crate::clock;
use lb_plan::MapStore as _;

/// Errors of reading counters.
#[derive(Debug, Error)]
#[error("cannot read the map {map} pinned in {folder}; is the data path loaded?")]
pub struct StatsError {
    map: &'static str,
    folder: String,
    #[source]
    source: MapError,
}

/// Counters at one moment, summed over the CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Traffic by listener id.
    pub listeners: BTreeMap<u16, Traffic>,
    /// Traffic by target id.
    pub targets: BTreeMap<u16, Traffic>,
    /// Dropped packets by reason, zeros included.
    pub drops: Vec<(DropReason, u64)>,
    /// The other counters, zeros included.
    pub counters: Vec<(Counter, u64)>,
    /// Flows that are remembered, and how many can be; read on demand only.
    pub remembered: (usize, u32),
    /// Flows of modes nat and fullnat, and how many there can be; read on demand only.
    pub translated: (u32, u32),
}

/// Where the counters are.
#[derive(Clone, Debug)]
pub struct StatsSource {
    folder: PathBuf,
}

impl StatsSource {
    /// The counters pinned in this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The data path whose counters these are, for questions.
    #[must_use]
    pub fn explainer(&self) -> Explainer {
        Explainer::new(&self.folder)
    }

    /// Bytes of kernel memory that each map takes, by its name; none before there are maps.
    pub fn memory(&self) -> Result<BTreeMap<String, u64>, MemoryError> {
        if self.folder.is_dir() { map_memory::of_maps(&self.folder) } else { Ok(BTreeMap::new()) }
    }

    /// Reads the counters of these ids, and all the named ones.
    pub fn read(&self, listeners: &[u16], targets: &[u16]) -> Result<Stats, StatsError> {
        let counters: PerCpuArray<MapData, u64> = self.open(map::COUNTERS)?;
        let named = |index: u32| -> Result<u64, StatsError> {
            let values =
                counters.get(&index, 0).map_err(|error| self.fail(map::COUNTERS, error))?;
            Ok(values.iter().sum())
        };
        Ok(Stats {
            listeners: self.traffic(map::LISTENER_TRAFFIC, listeners)?,
            targets: self.traffic(map::TARGET_TRAFFIC, targets)?,
            drops: DropReason::ALL
                .iter()
                .map(|reason| Ok((*reason, named(reason.index())?)))
                .collect::<Result<_, _>>()?,
            counters: Counter::ALL
                .iter()
                .map(|counter| Ok((*counter, named(counter.index())?)))
                .collect::<Result<_, _>>()?,
            remembered: (0, 0),
            translated: (0, 0),
        })
    }

    /// The number of remembered flows, and its maximum. It reads the whole flow memory, which takes
    /// some milliseconds.
    pub fn remembered(&self) -> Result<(usize, u32), StatsError> {
        let mut count = 0;
        self.each_remembered(|_, _| count += 1)?;
        Ok((count, self.sizes()?.flows()))
    }

    /// The number of flows of modes nat and fullnat, and its maximum. It reads all bindings that
    /// were ever used, which takes some milliseconds.
    pub fn translated(&self) -> Result<(u32, u32), StatsError> {
        let folder = map_migration::written(&self.folder);
        let live = BindingMaps::open(&folder).map(|maps| maps.live());
        let live = live.map_err(|error| {
            self.fail(map::BINDINGS, MapError::IoError(std::io::Error::other(error)))
        })?;
        Ok((live, self.sizes()?.bindings()))
    }

    /// The number of flows of modes nat and fullnat that a packet may still belong to, by target id. It
    /// reads all bindings that were ever used.
    pub fn translated_by_target(&self) -> Result<BTreeMap<u16, u64>, StatsError> {
        let folder = map_migration::written(&self.folder);
        let flows = BindingMaps::open(&folder).map(|maps| maps.by_target(clock::seconds()));
        flows.map_err(|error| {
            self.fail(map::BINDINGS, MapError::IoError(std::io::Error::other(error)))
        })
    }

    /// How large the maps are whose size can be chosen.
    pub fn sizes(&self) -> Result<MapSizes, StatsError> {
        let folder = map_migration::written(&self.folder);
        MapSizes::of(&folder).map_err(|source| self.fail(map::MEMORY, source))
    }

    /// Shows every flow that is remembered now: its hash, and the id of its target.
    pub fn each_remembered(&self, mut show: impl FnMut(u64, u16)) -> Result<(), StatsError> {
        let memory = FlowMap::open(&map_migration::written(&self.folder))
            .map_err(|source| self.fail(map::MEMORY, source))?;
        memory.each(clock::seconds(), |hash, word| show(hash, Owner::from_word(word).target));
        Ok(())
    }

    /// See [`MapStore::first_overflow`].
    pub fn first_overflow(&self, new: &[ListenerKey]) -> Result<Option<ListenerKey>, StoreError> {
        let store = KernelStore::open(&map_migration::written(&self.folder))?;
        Ok(store.first_overflow(new).copied())
    }

    fn traffic(
        &self,
        map: &'static str,
        ids: &[u16],
    ) -> Result<BTreeMap<u16, Traffic>, StatsError> {
        let array: PerCpuArray<MapData, Traffic> = self.open(map)?;
        ids.iter()
            .map(|id| {
                let values =
                    array.get(&u32::from(*id), 0).map_err(|error| self.fail(map, error))?;
                let sum = values.iter().fold(Traffic::default(), |sum, one| Traffic {
                    packets: sum.packets + one.packets,
                    bytes: sum.bytes + one.bytes,
                });
                Ok((*id, sum))
            })
            .collect()
    }

    fn open<V: aya::Pod>(&self, map: &'static str) -> Result<PerCpuArray<MapData, V>, StatsError> {
        MapData::from_pin(self.pin(map))
            .and_then(aya::maps::Map::from_map_data)
            .and_then(PerCpuArray::try_from)
            .map_err(|error| self.fail(map, error))
    }

    pub(super) fn pin(&self, map: &'static str) -> PathBuf {
        map_migration::written(&self.folder).join(map)
    }

    fn fail(&self, map: &'static str, source: MapError) -> StatsError {
        StatsError { map, folder: self.folder.display().to_string(), source }
    }
}
