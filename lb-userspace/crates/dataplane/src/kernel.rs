//! The pinned maps as a [`MapStore`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use aya::maps::{
    Array, DevMapHash, HashMap, LpmTrie, MapData, MapError, PerCpuArray, PerCpuValues,
    lpm_trie::Key,
};
use imbl::OrdMap;
use lb_common::{
    Group, ListenerKey, RingRef, Switches, Target, Traffic, VipKey, WideKey, WideListeners,
    abi::{Meta, map},
    group::Groups,
    limits::{GROUPS_MAX, RING_BITS_MAX, RING_SLOTS_MAX, TARGETS_MAX},
    target::Targets,
};
use lb_plan::MapStore;
use lb_plan::{GroupTable, MapOp, Tables, WidePrefix};

use super::{
    StoreError,
    bindings::BindingMaps,
    listeners::ListenerMap,
    macs::MacRows,
    mapped_array,
    mapped_array::MappedArray,
    pinned_map::{below, failed, open, open_mapping},
    slots::SlotMaps,
};

/// Ids of removed targets, and until when they must not be reused.
type Resting = BTreeMap<u16, u32>;

/// The maps pinned in one folder.
pub struct KernelStore {
    meta: Array<MapData, Meta>,
    listeners: ListenerMap,
    vips: HashMap<MapData, VipKey, u32>,
    devices: DevMapHash<MapData>,
    listener_traffic: PerCpuArray<MapData, Traffic>,
    target_traffic: PerCpuArray<MapData, Traffic>,
    wide: LpmTrie<MapData, WideKey, WideListeners>,
    switches: MappedArray<Switches>,
    macs: MacRows,
    bindings: BindingMaps,
    groups: MappedArray<Groups>,
    slots: SlotMaps,
    targets: MappedArray<Targets>,
    /// Targets whose inactive version packets may still read.
    flipped: BTreeSet<u16>,
}

impl KernelStore {
    /// Opens the maps that are pinned in `folder`.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            meta: open(folder, map::META)?,
            listeners: ListenerMap::open(folder)?,
            vips: open(folder, map::VIPS)?,
            devices: open(folder, map::DEVICES)?,
            listener_traffic: open(folder, map::LISTENER_TRAFFIC)?,
            target_traffic: open(folder, map::TARGET_TRAFFIC)?,
            wide: open(folder, map::WIDE_LISTENERS)?,
            switches: open_mapping(folder, map::SWITCHES)?,
            macs: MacRows::open(folder)?,
            bindings: BindingMaps::open(folder)?,
            groups: open_mapping(folder, map::GROUPS)?,
            slots: SlotMaps::open(folder)?,
            targets: open_mapping(folder, map::TARGETS)?,
            flipped: BTreeSet::new(),
        })
    }

    /// Whose maps these are.
    pub fn meta(&self) -> Result<Meta, StoreError> {
        self.meta.get(&0, 0).map_err(|source| failed("read", map::META, source))
    }

    /// Says whose maps these are.
    pub fn set_meta(&mut self, meta: Meta) -> Result<(), StoreError> {
        self.meta.set(0, meta, 0).map_err(|source| failed("write", map::META, source))
    }

    /// Which frames interfaces take.
    #[must_use]
    pub const fn macs(&self) -> &MacRows {
        &self.macs
    }

    fn group(&self, id: u16) -> Result<*mut Group, StoreError> {
        let index = below(id.into(), GROUPS_MAX, "target group")?;
        // SAFETY: inside the array.
        Ok(unsafe { self.groups.element().cast::<Group>().add(index) })
    }

    /// The flag that says which version of a target is active.
    fn active(&self, id: u16) -> Result<*mut u8, StoreError> {
        let index = below(id.into(), TARGETS_MAX, "target")?;
        // SAFETY: inside the array.
        Ok(unsafe { (&raw mut (*self.targets.element()).active).cast::<u8>().add(index) })
    }

    /// One of the two versions of a target.
    fn version(&self, id: u16, version: u8) -> Result<*mut Target, StoreError> {
        let index = below(id.into(), TARGETS_MAX, "target")?;
        let index = usize::from(version & 1) * TARGETS_MAX + index;
        // SAFETY: inside the array.
        Ok(unsafe { self.targets.element().cast::<Target>().add(index) })
    }

    fn put_target(&mut self, id: u16, target: Target) -> Result<(), StoreError> {
        if self.flipped.contains(&id) {
            self.quiesce();
        }
        let active = self.active(id)?;
        // SAFETY: `active` and `version` give places inside the mapping; no packet reads the
        // inactive version, since a grace period has passed after it was last active.
        unsafe {
            let other = 1 - (active.read_volatile() & 1);
            self.version(id, other)?.write_volatile(target);
            mapped_array::publish(active, other);
        }
        self.flipped.insert(id);
        Ok(())
    }

    fn put_group(&self, id: u16, name: &str, ring: RingRef) -> Result<(), StoreError> {
        let named = Group::new(name, ring)
            .ok_or(StoreError::OutOfRange { what: "length of a name", number: name.len() })?;
        let group = self.group(id)?;
        // SAFETY: inside the mapping; packets read only the ring, which is one word.
        unsafe {
            (&raw mut (*group).name).write_volatile(named.name);
            mapped_array::publish(&raw mut (*group).ring, named.ring);
        }
        Ok(())
    }

    fn remove_group(&self, id: u16) -> Result<(), StoreError> {
        let group = self.group(id)?;
        // SAFETY: as in `put_group`.
        unsafe {
            mapped_array::publish(&raw mut (*group).ring, RingRef::NONE.to_word());
            (&raw mut (*group).name).write_volatile(Group::default().name);
        }
        Ok(())
    }

    fn put_wide(
        &mut self,
        prefix: &WidePrefix,
        listeners: &WideListeners,
        fresh: &[u16],
    ) -> Result<(), StoreError> {
        for id in fresh {
            Self::zero(&mut self.listener_traffic, map::LISTENER_TRAFFIC, *id)?;
        }
        self.wide
            .insert(&Key::new(prefix.length, prefix.key), listeners, 0)
            .map_err(|source| failed("write", map::WIDE_LISTENERS, source))
    }

    fn put_switches(&self, switches: Switches) {
        // SAFETY: the only element of the mapping, one word.
        unsafe { mapped_array::publish(self.switches.element().cast(), switches.to_word()) };
    }

    fn read_wide(&self) -> Result<BTreeMap<WidePrefix, WideListeners>, StoreError> {
        let entries = self.wide.iter().map(|entry| {
            entry.map(|(key, listeners)| {
                (WidePrefix { length: key.prefix_len(), key: key.data() }, listeners)
            })
        });
        entries
            .collect::<Result<_, _>>()
            .map_err(|source| failed("read", map::WIDE_LISTENERS, source))
    }

    fn zero(
        traffic: &mut PerCpuArray<MapData, Traffic>,
        map: &'static str,
        id: u16,
    ) -> Result<(), StoreError> {
        let cpus = aya::util::nr_cpus().map_err(|(_, source)| StoreError::Mmap { map, source })?;
        let zeros = PerCpuValues::try_from(vec![Traffic::default(); cpus])
            .map_err(|source| StoreError::Mmap { map, source })?;
        traffic.set(id.into(), zeros, 0).map_err(|source| failed("write", map, source))
    }

    /// Waits until every run of the program that began before has ended.
    fn quiesce(&mut self) {
        grace_period();
        self.flipped.clear();
        self.listeners.clear_deleted();
    }

    fn read_groups(&self, known: Option<&Tables>) -> Result<BTreeMap<u16, GroupTable>, StoreError> {
        let mut groups = BTreeMap::new();
        for id in 1..u16::try_from(GROUPS_MAX).unwrap_or(u16::MAX) {
            // SAFETY: inside the mapping; only the agent writes groups.
            let group = unsafe { self.group(id)?.read_volatile() };
            if let Some(name) = group.name() {
                let ring = sane(group.ring());
                let known = known.and_then(|known| known.groups.get(&id)).map(|group| &group.slots);
                let slots = self.slots.read(ring, known);
                let table = GroupTable { name: name.into(), ring, slots };
                groups.insert(id, table);
            }
        }
        Ok(groups)
    }

    /// The targets, and the removed ones whose ids must not be reused yet.
    fn read_targets(&self) -> Result<(OrdMap<u16, Target>, Resting), StoreError> {
        let (mut targets, mut resting) = (OrdMap::new(), BTreeMap::new());
        for id in 1..u16::try_from(TARGETS_MAX).unwrap_or(u16::MAX) {
            // SAFETY: inside the mapping; only the agent writes targets.
            let target =
                unsafe { self.version(id, self.active(id)?.read_volatile())?.read_volatile() };
            if target.is_valid() {
                targets.insert(id, target);
            } else if target.until != 0 {
                resting.insert(id, target.until);
            }
        }
        Ok((targets, resting))
    }
}

impl MapStore for KernelStore {
    type Error = StoreError;

    fn read(&self, known: Option<&Tables>) -> Result<Tables, StoreError> {
        let vips = self.vips.keys().collect::<Result<_, _>>();
        let devices = self.devices.keys().collect::<Result<_, _>>();
        let (targets, resting) = self.read_targets()?;
        Ok(Tables {
            listeners: self.listeners.read().collect(),
            vips: vips.map_err(|source| failed("read", map::VIPS, source))?,
            devices: devices.map_err(|source| failed("read", map::DEVICES, source))?,
            wide: self.read_wide()?,
            pools: self.bindings.read().collect(),
            // SAFETY: inside the mapping; only the agent writes it.
            switches: unsafe { self.switches.element().read_volatile() },
            groups: self.read_groups(known)?,
            targets,
            resting,
        })
    }

    fn seen(&self, slot: u32) -> u32 {
        self.slots.seen(slot)
    }

    fn first_overflow<'keys>(&self, new: &'keys [ListenerKey]) -> Option<&'keys ListenerKey> {
        self.listeners.first_overflow(new)
    }

    fn apply(&mut self, operation: &MapOp) -> Result<(), StoreError> {
        match operation {
            MapOp::PutDevice(index) => self
                .devices
                .insert(*index, *index, None, 0)
                .map_err(|error| failed("write", map::DEVICES, devmap_error(error))),
            MapOp::RemoveDevice(index) => removed(map::DEVICES, self.devices.remove(*index)),
            MapOp::PutTarget { id, target, fresh } => {
                if *fresh {
                    Self::zero(&mut self.target_traffic, map::TARGET_TRAFFIC, *id)?;
                }
                self.put_target(*id, *target)
            }
            MapOp::RemoveTarget { id, until } => {
                self.put_target(*id, Target { until: *until, ..Target::default() })
            }
            MapOp::WriteSlots(slots) => self.slots.write(slots),
            MapOp::PutGroup { id, name, ring } => self.put_group(*id, name, *ring),
            MapOp::RemoveGroup(id) => self.remove_group(*id),
            MapOp::PutListener { key, listener, fresh } => {
                if *fresh {
                    Self::zero(&mut self.listener_traffic, map::LISTENER_TRAFFIC, listener.id)?;
                }
                let flipped = &mut self.flipped;
                self.listeners.put(*key, *listener, || {
                    grace_period();
                    flipped.clear();
                })
            }
            MapOp::RemoveListener(key) => {
                self.listeners.remove(key);
                Ok(())
            }
            MapOp::PutVip(key) => {
                self.vips.insert(key, 1, 0).map_err(|source| failed("write", map::VIPS, source))
            }
            MapOp::RemoveVip(key) => removed(map::VIPS, self.vips.remove(key)),
            MapOp::PutWide { prefix, listeners, fresh } => self.put_wide(prefix, listeners, fresh),
            MapOp::RemoveWide(prefix) => {
                removed(map::WIDE_LISTENERS, self.wide.remove(&Key::new(prefix.length, prefix.key)))
            }
            MapOp::PutPool { number, pool } => self.bindings.put(*number, pool, grace_period),
            MapOp::RemovePool(number) => self.bindings.remove(*number, grace_period),
            MapOp::PutSwitches(switches) => {
                self.put_switches(*switches);
                Ok(())
            }
            MapOp::Quiesce => {
                self.quiesce();
                Ok(())
            }
        }
    }
}

/// Removing a missing entry is a success: a retry after a failure may not find it any more.
fn removed(map: &'static str, result: Result<(), MapError>) -> Result<(), StoreError> {
    match result {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.raw_os_error() == Some(libc::ENOENT) =>
        {
            Ok(())
        }
        other => other.map_err(|source| failed("remove from", map, source)),
    }
}

fn devmap_error(error: aya::maps::xdp::XdpMapError) -> MapError {
    match error {
        aya::maps::xdp::XdpMapError::MapError(error) => error,
        aya::maps::xdp::XdpMapError::ChainedProgramNotSupported => {
            MapError::OutOfBounds { index: 0, max_entries: 0 }
        }
    }
}

/// A ring that ends inside the array; any other word counts as no ring.
fn sane(ring: RingRef) -> RingRef {
    let end = ring.base() as usize + ring.len();
    if ring.bits() <= RING_BITS_MAX && end <= RING_SLOTS_MAX { ring } else { RingRef::NONE }
}

/// Waits for an RCU grace period: runs of XDP programs are read-side sections.
///
/// `MEMBARRIER_CMD_GLOBAL` is `synchronize_rcu` (kernel/sched/membarrier.c). A kernel booted with
/// `nohz_full` refuses it; a tenth of a second is then far longer than any run of a program.
fn grace_period() {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: a system call without pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
}
