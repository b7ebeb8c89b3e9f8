//! The store in the state directory: a redb database, one transaction a revision.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use lb_config::Document;
use nix::fcntl::Flock;
use redb::{
    Database, DatabaseError, ReadableDatabase as _, ReadableTable, TableDefinition,
    WriteTransaction,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Commit, GroupChange, REVISIONS_KEPT, Revision, RevisionHead, Runtime, Store, StoreError,
    files::{Opener, failed, is_of_disk, lock, opener, private},
    record::Record,
};

/// The file in the state directory.
pub(super) const DATABASE_FILE: &str = "xelb.redb";

/// The same file while it is made.
const NEW_FILE: &str = "xelb.redb.new";

/// Memory for pages of the file: it is read at the start, and by questions of people.
const CACHE_BYTES: usize = 4 << 20;

/// What this code writes. Another number is another layout of tables or records.
const FORMAT: u64 = 1;

/// The format.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Records by number of their revision, in JSON.
const REVISIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("revisions");
/// Documents by number of their revision: JSON, packed with LZ4.
const DOCUMENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("documents");
/// What is not configuration, in JSON.
const RUNTIME: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("runtime");

const FORMAT_KEY: &str = "format";
const RUNTIME_KEY: &str = "runtime";

/// A state directory, locked for this process.
pub struct Embedded {
    dir: PathBuf,
    path: PathBuf,
    opener: Opener,
    /// `None` after a failed write, until it has been opened again.
    pub(super) database: Option<Database>,
    current: Option<Revision>,
    runtime: Runtime,
    /// Held as long as an agent uses the directory.
    _lock: Option<Flock<File>>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Embedded").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the directory, making it if need be, and reads the current revision.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("create the state directory", dir))?;
        private(dir)?;
        let lock = lock(dir)?;
        let path = dir.join(DATABASE_FILE);
        if fs::symlink_metadata(&path).is_err() {
            // A file is whole before it has its name: a crash leaves it, or none.
            let new = dir.join(NEW_FILE);
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove the unfinished", &new)(error));
                }
                _ => drop(Self::with(dir, NEW_FILE, opener(&new)?)?),
            }
            fs::rename(&new, &path).map_err(failed("name", &path))?;
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))?;
        }
        let store = Self::with(dir, DATABASE_FILE, opener(&path)?)?;
        Ok(Self { _lock: Some(lock), ..store })
    }

    /// The store in whatever `opener` opens.
    pub(super) fn with(dir: &Path, name: &str, opener: Opener) -> Result<Self, StoreError> {
        let mut store = Self {
            dir: dir.to_path_buf(),
            path: dir.join(name),
            opener,
            database: None,
            current: None,
            runtime: Runtime::default(),
            _lock: None,
        };
        store.load()?;
        Ok(store)
    }

    /// Opens the database and reads what is current.
    fn load(&mut self) -> Result<(), StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let database = (self.opener)(&builder).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                StoreError::InUse { dir: self.dir.display().to_string() }
            }
            DatabaseError::Storage(redb::StorageError::Io(error)) if is_of_disk(&error) => {
                failed("read", &self.path)(error)
            }
            other => self.damaged(other),
        })?;
        self.prepare(&database)?;
        let read = database.begin_read().map_err(|error| self.unread(error))?;
        let runtime = read.open_table(RUNTIME).map_err(|error| self.unread(error))?;
        self.runtime = match runtime.get(RUNTIME_KEY).map_err(|error| self.unread(error))? {
            Some(bytes) => self.parse(bytes.value())?,
            None => Runtime::default(),
        };
        let revisions = read.open_table(REVISIONS).map_err(|error| self.unread(error))?;
        let last = revisions.last().map_err(|error| self.unread(error))?;
        let newest = last.map(|(number, _)| number.value());
        drop((read, runtime));
        self.database = Some(database);
        self.current = match newest {
            Some(number) => self.revision(number)?,
            None => None,
        };
        Ok(())
    }

    /// Makes the tables of a new file; refuses those of a newer xelb.
    fn prepare(&self, database: &Database) -> Result<(), StoreError> {
        let write = database.begin_write().map_err(|error| self.unwritten(error))?;
        let mut meta = write.open_table(META).map_err(|error| self.damaged(error))?;
        let found = meta.get(FORMAT_KEY).map_err(|error| self.unread(error))?;
        let found = found.map(|format| format.value());
        match found {
            Some(FORMAT) => return Ok(()),
            Some(found) => {
                let path = self.path.display().to_string();
                return Err(StoreError::NewerFormat { path, found, known: FORMAT });
            }
            None => meta.insert(FORMAT_KEY, FORMAT).map_err(|error| self.unwritten(error))?,
        };
        drop(meta);
        drop(write.open_table(REVISIONS).map_err(|error| self.damaged(error))?);
        drop(write.open_table(DOCUMENTS).map_err(|error| self.damaged(error))?);
        drop(write.open_table(RUNTIME).map_err(|error| self.damaged(error))?);
        write.commit().map_err(|error| self.unwritten(error))
    }

    /// The database, opened again after a failure.
    pub(super) fn database(&mut self) -> Result<&Database, StoreError> {
        if self.database.is_none() {
            self.load()?;
        }
        let missing = || failed("open", &self.dir)(io::ErrorKind::NotConnected.into());
        self.database.as_ref().ok_or_else(missing)
    }

    /// One transaction.
    pub(super) fn write(
        &mut self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let database = self.database()?;
        let outcome = database.begin_write().map_err(redb::Error::from).and_then(|write| {
            change(&write)?;
            write.commit().map_err(redb::Error::from)
        });
        outcome.map_err(|error| self.unwritten(error))
    }

    /// The document of a revision.
    fn document(&mut self, number: u64, record: &Record) -> Result<Document, StoreError> {
        let read = self.database()?.begin_read();
        let read = read.map_err(|error| self.unread(error))?;
        let documents = read.open_table(DOCUMENTS).map_err(|error| self.unread(error))?;
        let packed = documents.get(record.document).map_err(|error| self.unread(error))?;
        let missing = || self.damaged(format!("revision {number} has no document"));
        let packed = packed.ok_or_else(missing)?;
        let text = lz4_flex::decompress_size_prepended(packed.value())
            .map_err(|error| self.damaged(error))?;
        let mut document: Document = self.parse(&text)?;
        let revisions = read.open_table(REVISIONS).map_err(|error| self.unread(error))?;
        let edits =
            revisions.range(record.document + 1..=number).map_err(|error| self.unread(error))?;
        for entry in edits {
            let (_, bytes) = entry.map_err(|error| self.unread(error))?;
            let step: Record = self.parse(bytes.value())?;
            if let Some(edit) = step.edit {
                edit.apply(&mut document).map_err(|error| self.damaged(error))?;
            }
        }
        Ok(document)
    }

    fn record(&mut self, number: u64) -> Result<Option<Record>, StoreError> {
        let read = self.database()?.begin_read();
        let read = read.map_err(|error| self.unread(error))?;
        let revisions = read.open_table(REVISIONS).map_err(|error| self.unread(error))?;
        let bytes = revisions.get(number).map_err(|error| self.unread(error))?;
        bytes.map(|bytes| self.parse(bytes.value())).transpose()
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| self.damaged(error))
    }

    fn json(&self, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value).map_err(|error| self.unwritten(error))
    }

    fn damaged(&self, reason: impl fmt::Display) -> StoreError {
        let path = self.path.display().to_string();
        StoreError::Damaged { path, reason: reason.to_string() }
    }

    pub(super) fn unread(&self, reason: impl fmt::Display) -> StoreError {
        let path = self.path.display().to_string();
        StoreError::Database { action: "read", path, reason: reason.to_string() }
    }

    fn unwritten(&self, reason: impl fmt::Display) -> StoreError {
        let path = self.path.display().to_string();
        StoreError::Database { action: "write", path, reason: reason.to_string() }
    }
}

impl Store for Embedded {
    fn place(&self) -> String {
        format!("state directory {}", self.dir.display())
    }

    fn current(&self) -> Option<&Revision> {
        self.current.as_ref()
    }

    fn commit(&mut self, commit: Commit) -> Result<&Revision, StoreError> {
        self.database()?;
        if let Some(Revision { head, .. }) = &self.current
            && head.number != commit.base
        {
            let RevisionHead { number: current, who, what, .. } = head.clone();
            return Err(StoreError::Conflict { base: commit.base, current, who, what });
        }
        let newest = self.record(commit.base)?;
        let number = commit.base + 1;
        let record = Record::new(&commit, number, seconds_since_1970(), newest.as_ref());
        let whole = record.edit.is_none();
        let document = if whole { self.json(&commit.document)? } else { Vec::new() };
        let bytes = self.json(&record)?;
        let written = self.write(|write| {
            let mut revisions = write.open_table(REVISIONS)?;
            revisions.insert(number, bytes.as_slice())?;
            let mut documents = write.open_table(DOCUMENTS)?;
            if whole {
                let packed = lz4_flex::compress_prepend_size(&document);
                documents.insert(number, packed.as_slice())?;
            }
            forget(number, &mut revisions, &mut documents)
        });
        match written {
            Ok(()) => {
                let head = record.head(number);
                Ok(self.current.insert(Revision { head, document: commit.document }))
            }
            Err(error) => {
                // Whether it is on disk is known to the disk alone.
                self.database = None;
                self.load()?;
                self.current.as_ref().filter(|now| now.head.number == number).ok_or(error)
            }
        }
    }

    fn revision(&mut self, number: u64) -> Result<Option<Revision>, StoreError> {
        let Some(record) = self.record(number)? else {
            return Ok(None);
        };
        let document = self.document(number, &record)?;
        Ok(Some(Revision { head: record.head(number), document }))
    }

    fn revisions(&mut self, before: u64, most: usize) -> Result<Vec<RevisionHead>, StoreError> {
        let read = self.database()?.begin_read();
        let read = read.map_err(|error| self.unread(error))?;
        let revisions = read.open_table(REVISIONS).map_err(|error| self.unread(error))?;
        let found = revisions.range(..before).map_err(|error| self.unread(error))?;
        let mut heads = Vec::new();
        for entry in found.rev().take(most) {
            let (number, bytes) = entry.map_err(|error| self.unread(error))?;
            heads.push(self.parse::<Record>(bytes.value())?.head(number.value()));
        }
        Ok(heads)
    }

    fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn keep_runtime(&mut self, runtime: Runtime) -> Result<(), StoreError> {
        let bytes = self.json(&runtime)?;
        let written = self.write(|write| {
            write.open_table(RUNTIME)?.insert(RUNTIME_KEY, bytes.as_slice())?;
            Ok(())
        });
        if written.is_err() {
            self.database = None;
        }
        written.map(|()| self.runtime = runtime)
    }

    fn scaled_groups(&mut self) -> Result<Vec<String>, StoreError> {
        self.names_of_groups()
    }

    fn scaled_group(
        &mut self,
        name: &str,
        parts: &[&str],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.state_of_group(name, parts)
    }

    fn keep_scaled_groups(&mut self, changes: &[GroupChange<'_>]) -> Result<(), StoreError> {
        self.keep_state_of_groups(changes)
    }
}

/// Removes revisions that are too old, but none that a younger one starts from.
fn forget(
    newest: u64,
    revisions: &mut redb::Table<'_, u64, &[u8]>,
    documents: &mut redb::Table<'_, u64, &[u8]>,
) -> Result<(), redb::Error> {
    let Some(oldest) = newest.checked_sub(REVISIONS_KEPT) else {
        return Ok(());
    };
    // The document that the oldest one starts from.
    let start = documents.range(..=oldest)?.next_back().transpose()?;
    let Some(start) = start.map(|(number, _)| number.value()) else {
        return Ok(());
    };
    revisions.retain_in(..start, |_, _| false)?;
    documents.retain_in(..start, |_, _| false)?;
    Ok(())
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
