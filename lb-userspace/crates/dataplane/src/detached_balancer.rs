//! The balancer with its own maps that nothing is attached to, for measurements; and the tables of
//! a running one, to fill them with. What runs is only read.

use std::path::Path;

use aya::programs::{ProgramError, ProgramFd};
use lb_common::{
    Owner,
    abi::{ABI, map, program},
};
use lb_ebpf::memory;
use lb_plan::MapStore;
use lb_plan::Tables;
use thiserror::Error;

use super::{
    Balancer, KernelStore, LoadError, MapSizes, StoreError, flows::FlowMap, load::load_object,
    map_header, map_migration, pinned_map::failed,
};

/// The tables of a running data path cannot be had.
#[derive(Debug, Error)]
pub enum LiveError {
    /// There are none.
    #[error(
        "no data path is pinned in {folder}; start `xelb agent`, or set its folder with --bpffs"
    )]
    Missing {
        /// Where it was looked for.
        folder: String,
    },
    /// They have another layout.
    #[error("the maps in {folder} belong to another version of xelb (layout {found}, not {ABI})")]
    Foreign {
        /// Where they are.
        folder: String,
        /// Their number.
        found: u32,
    },
    /// They cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A loaded balancer that no packets come to. Its maps stay pinned until they are removed
/// explicitly.
#[derive(Debug)]
pub struct DetachedBalancer {
    balancer: Balancer,
    memory: FlowMap,
}

impl DetachedBalancer {
    /// Loads it as the agent does, and pins its maps in `folder`, which must have none.
    pub fn load(
        folder: &Path,
        hash_seed: [u64; 2],
        sizes: MapSizes,
    ) -> Result<(Self, KernelStore), LoadError> {
        let (balancer, store) = load_object(folder, hash_seed, sizes)?;
        let memory = FlowMap::open(folder).map_err(|source| failed("open", map::MEMORY, source))?;
        Ok((Self { balancer, memory }, store))
    }

    /// The program that interfaces get.
    pub fn program(&mut self) -> Result<&ProgramFd, LoadError> {
        self.balancer.load()?.fd().map_err(refused)
    }

    /// Bytes of machine code that it was compiled to, its functions included; 0 without a compiler.
    pub fn machine_code(&mut self) -> Result<u32, LoadError> {
        Ok(self.balancer.load()?.info().map_err(refused)?.size_jitted())
    }

    /// Remembers flows, given by hash and owner, in the entries that the data path would use;
    /// returns how many did not fit. To be used before any packet.
    pub fn remember(&mut self, flows: impl Iterator<Item = (u64, Owner)>, now: u32) -> usize {
        flows.filter(|(hash, owner)| !memory::insert(*hash, *owner, now, 0, &self.memory)).count()
    }
}

fn refused(source: ProgramError) -> LoadError {
    LoadError::Program { name: program::BALANCE, source: Box::new(source) }
}

/// What a running data path works with.
#[derive(Debug)]
pub struct LiveTables {
    /// The seed of its flow hash.
    pub hash_seed: [u64; 2],
    /// Its maps except counters, remembered flows and bindings.
    pub tables: Tables,
}

impl LiveTables {
    /// Reads the maps that an agent has pinned in `folder`.
    pub fn read(folder: &Path) -> Result<Self, LiveError> {
        let shown = || folder.display().to_string();
        let written = map_migration::written(folder);
        let head =
            map_header::read(&written).ok_or_else(|| LiveError::Missing { folder: shown() })?;
        if head.abi != ABI {
            return Err(LiveError::Foreign { folder: shown(), found: head.abi });
        }
        let tables = KernelStore::open(&written)?.read(None)?;
        Ok(Self { hash_seed: head.hash_seed, tables })
    }
}
