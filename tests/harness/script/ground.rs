//! What scripts are played on: maps in memory, or the kernel's.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use lb_common::{ListenerKey, abi::program::Instance};
use lb_dataplane::{Balancer, KernelStore, LoadError, MapSizes, StoreError, clock};
use lb_plan::{
    MapOp, MapStore, Tables,
    fake::{FakeMaps, FakeStore},
};

/// Maps, which outlive agents.
pub trait Ground {
    /// How an agent sees them.
    type Store: MapStore;

    /// What an agent opens.
    fn open(&self) -> Result<Self::Store, <Self::Store as MapStore>::Error>;

    /// The second in which the script begins.
    fn begins(&self) -> u32;

    /// Errors that packets could have met, if that is detectable.
    fn hazards(&self) -> Vec<String>;
}

/// Maps in memory.
#[derive(Debug, Default)]
pub struct Fake(FakeMaps);

impl Ground for Fake {
    type Store = FakeStore;

    fn open(&self) -> Result<FakeStore, <FakeStore as MapStore>::Error> {
        Ok(self.0.open())
    }

    fn begins(&self) -> u32 {
        1_000_000
    }

    fn hazards(&self) -> Vec<String> {
        self.0.hazards()
    }
}

/// The kernel's maps, pinned in a folder of a sandbox; they go when it is dropped.
#[derive(Debug)]
pub struct Kernel {
    folder: PathBuf,
    _maps: Balancer,
}

impl Kernel {
    /// Makes maps in a new folder. No program is loaded.
    pub fn new(folder: &Path) -> Result<Self, LoadError> {
        const SEED: [u64; 2] = [1, 2];
        fs::create_dir(folder).map_err(LoadError::Seed)?;
        let maps = Balancer::open(folder, SEED, MapSizes::default(), Instance::Live)?;
        Ok(Self { folder: folder.to_path_buf(), _maps: maps })
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("cannot remove {}: {error}", self.folder.display());
        }
    }
}

impl Ground for Kernel {
    type Store = KernelStore;

    fn open(&self) -> Result<KernelStore, StoreError> {
        KernelStore::open(&self.folder)
    }

    fn begins(&self) -> u32 {
        clock::seconds()
    }

    fn hazards(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The script's clock, and when each armed slot was written: no packet comes that would say more.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) now: u32,
    seen: BTreeMap<u32, u32>,
}

impl Marks {
    pub(super) fn at(now: u32) -> Self {
        Self { now, ..Self::default() }
    }
}

/// A store whose marks of slots are those of the script's clock.
pub(super) struct Clocked<S> {
    pub(super) store: S,
    pub(super) marks: Rc<RefCell<Marks>>,
}

impl<S: MapStore> MapStore for Clocked<S> {
    type Error = S::Error;

    fn read(&self, known: Option<&Tables>) -> Result<Tables, S::Error> {
        self.store.read(known)
    }

    fn seen(&self, slot: u32) -> u32 {
        self.marks.borrow().seen.get(&slot).copied().unwrap_or(0)
    }

    fn first_overflow<'keys>(&self, new: &'keys [ListenerKey]) -> Option<&'keys ListenerKey> {
        self.store.first_overflow(new)
    }

    fn apply(&mut self, operation: &MapOp) -> Result<(), S::Error> {
        if let MapOp::WriteSlots(slots) = operation {
            let mut marks = self.marks.borrow_mut();
            let now = marks.now;
            let armed = slots.iter().filter(|(_, slot)| slot.is_armed());
            marks.seen.extend(armed.map(|(index, _)| (index, now)));
        }
        self.store.apply(operation)
    }
}
