//! The store on a disk that dies at each of its writes. Synced data is there afterwards; of other
//! data, some sectors are and some are not.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::StorageBackend;

use super::{
    embedded::{DATABASE_FILE, Embedded},
    tests::{addition, document},
    *,
};

/// A sector is written whole or not at all.
const SECTOR: usize = 512;

/// The same tosses in every run (Knuth's linear congruential generator).
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 63 == 0
    }
}

#[derive(Debug)]
struct Disk {
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// What the process sees.
    seen: Vec<u8>,
    /// Writes since the last sync.
    pending: Vec<(usize, Vec<u8>)>,
    /// Operations before it dies.
    left: u64,
    /// Whether it only fails once, and has not yet.
    recovers: bool,
}

#[derive(Clone, Debug)]
struct Backend(Arc<Mutex<Disk>>);

impl Backend {
    fn new(bytes: Vec<u8>, left: u64) -> Self {
        let disk = Disk {
            durable: bytes.clone(),
            seen: bytes,
            pending: Vec::new(),
            left,
            recovers: false,
        };
        Self(Arc::new(Mutex::new(disk)))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// The disk, one operation older; an error once it is dead.
    fn step(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk();
        if let Some(left) = disk.left.checked_sub(1) {
            disk.left = left;
            return Ok(disk);
        }
        if disk.recovers {
            disk.left = u64::MAX;
            disk.recovers = false;
        }
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn store(&self) -> Result<Embedded, StoreError> {
        let backend = self.clone();
        Embedded::with(
            Path::new("/disk"),
            DATABASE_FILE,
            Box::new(move |builder| builder.create_with_backend(backend.clone())),
        )
    }

    /// What is on the disk after the power cut.
    fn remains(&self, random: &mut Coin) -> Vec<u8> {
        let disk = self.disk();
        let mut bytes = disk.durable.clone();
        for (offset, written) in &disk.pending {
            for (number, sector) in written.chunks(SECTOR).enumerate() {
                let start = offset + number * SECTOR;
                if random.toss() {
                    bytes.resize(bytes.len().max(start + sector.len()), 0);
                    bytes[start..start + sector.len()].copy_from_slice(sector);
                }
            }
        }
        bytes
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let disk = self.disk();
        let bytes = disk.seen.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.step()?;
        let len = usize::try_from(len).unwrap();
        disk.seen.resize(len, 0);
        // Journaled by file systems: in order with a later sync, and never torn.
        disk.durable.resize(len, 0);
        disk.pending.retain(|(offset, written)| offset + written.len() <= len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.step()?;
        disk.durable = disk.seen.clone();
        disk.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let mut disk = self.step()?;
        disk.seen[offset..offset + bytes.len()].copy_from_slice(bytes);
        disk.pending.push((offset, bytes.to_vec()));
        Ok(())
    }
}

/// What the store acknowledged: targets of the current revision, and drains.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    targets: Vec<u8>,
    drained: usize,
}

fn kept(store: &Embedded) -> Kept {
    let documents = (0..9).map(|count| (1..=count).collect::<Vec<u8>>());
    let current = store.current();
    Kept {
        targets: documents
            .into_iter()
            .find(|targets| current.is_some_and(|now| now.document == document(targets)))
            .unwrap_or_default(),
        drained: store.runtime().drained.len(),
    }
}

/// Step `number` of the life of a store.
fn act(store: &mut Embedded, number: u8) -> Result<(), StoreError> {
    match number {
        0 => {
            let (who, what) = ("ann".to_owned(), "apply".to_owned());
            let commit = Commit {
                base: 0,
                who,
                what,
                message: String::new(),
                document: document(&[1]),
                edit: None,
            };
            store.commit(commit).map(|_| ())
        }
        3 | 6 => {
            let target = |port| TargetKey { group: "web".into(), address: [10; 4].into(), port };
            let drained = (0..u16::from(number)).map(target).collect();
            store.keep_runtime(Runtime { drained, ..Runtime::default() })
        }
        _ => {
            let current = store.current().cloned();
            let targets = kept(store).targets.len();
            let next = u8::try_from(targets).unwrap() + 1;
            store.commit(addition(&current.unwrap(), next)).map(|_| ())
        }
    }
}

const STEPS: u8 = 9;

/// Runs until the power cut; the last acknowledged change, and the one in progress.
fn live(backend: &Backend) -> (Kept, Kept, bool) {
    let mut acknowledged = Kept::default();
    let Ok(mut store) = backend.store() else {
        return (acknowledged.clone(), acknowledged, false);
    };
    for number in 0..STEPS {
        let mut wanted = acknowledged.clone();
        match number {
            3 | 6 => wanted.drained = usize::from(number),
            _ => wanted.targets.push(u8::try_from(wanted.targets.len()).unwrap() + 1),
        }
        if act(&mut store, number).is_err() {
            return (acknowledged, wanted, false);
        }
        acknowledged = wanted;
        assert_eq!(kept(&store), acknowledged);
    }
    (acknowledged.clone(), acknowledged, true)
}

/// A file as it is when it gets its name.
fn made() -> Vec<u8> {
    let backend = Backend::new(Vec::new(), u64::MAX);
    drop(backend.store().unwrap());
    let disk = backend.disk();
    assert!(disk.pending.is_empty(), "it is synced");
    disk.durable.clone()
}

#[test]
fn the_disk_dies_at_every_write() {
    let made = made();
    let mut random = Coin(7);
    let mut deaths = 0;
    for left in 0.. {
        let backend = Backend::new(made.clone(), left);
        let (acknowledged, wanted, done) = live(&backend);
        // Several power cuts at this moment, and one end of the process without one.
        for cut in 0..6 {
            let bytes =
                if cut == 0 { backend.disk().seen.clone() } else { backend.remains(&mut random) };
            let place = format!("after {left} operations, cut {cut}");
            let again = Backend::new(bytes, u64::MAX);
            let mut store = again.store().unwrap_or_else(|error| panic!("{place}: {error}"));
            let found = kept(&store);
            assert!(found == acknowledged || found == wanted, "{place}: {found:?} {wanted:?}");
            // It can be written to, and read again.
            let base = store.current().map_or(0, |current| current.head.number);
            let (who, what) = ("bob".to_owned(), "after".to_owned());
            let commit = Commit {
                base,
                who,
                what,
                message: String::new(),
                document: document(&[99]),
                edit: None,
            };
            store.commit(commit).unwrap();
            drop(store);
            let store = again.store().unwrap();
            assert_eq!(store.current().unwrap().document, document(&[99]), "{place}");
        }
        deaths += 1;
        if done {
            break;
        }
    }
    assert!(deaths > 50, "the disk died only {deaths} times");
}

/// A disk that was full for a moment: the refused change is not stored, and the next try succeeds.
#[test]
fn the_disk_fails_once_at_every_write() {
    let made = made();
    for left in 0.. {
        let backend = Backend::new(made.clone(), left);
        backend.disk().recovers = true;
        let Ok(mut store) = backend.store() else {
            continue;
        };
        let mut refused = 0;
        for number in 0..STEPS {
            let before = kept(&store);
            while let Err(error) = act(&mut store, number) {
                assert_eq!(kept(&store), before, "{left} operations, step {number}: {error}");
                refused += 1;
                assert!(refused < 3, "{left} operations, step {number}: {error}");
            }
            assert_ne!(kept(&store), before, "{left} operations, step {number}");
        }
        drop(store);
        let never = std::mem::replace(&mut backend.disk().recovers, false);
        backend.disk().left = u64::MAX;
        let all = Kept { targets: (1..=STEPS - 2).collect(), drained: 6 };
        assert_eq!(kept(&backend.store().unwrap()), all, "{left} operations");
        if never {
            assert!(left > 50, "only {left} operations");
            break;
        }
    }
}
