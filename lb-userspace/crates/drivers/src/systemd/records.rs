//! What is known of members besides their units: an environment file for each, which the unit reads,
//! too. It is written before the unit is started and removed after it has ended.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Mutex,
};

use lb_members::{CallError, ErrorClass};

use crate::settings::AddressPool;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) group: String,
    pub(super) template: String,
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) stopped: bool,
}

/// All of a directory.
#[derive(Debug)]
pub(super) struct Records {
    directory: PathBuf,
    pool: AddressPool,
    /// One address at a time is chosen in this process; a lock of the directory keeps others out.
    choosing: Mutex<()>,
}

impl Records {
    pub(super) fn new(directory: PathBuf, pool: AddressPool) -> Self {
        Self { directory, pool, choosing: Mutex::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.env"))
    }

    fn failed(&self, error: &io::Error) -> CallError {
        let message = format!("{}: {error}", self.directory.display());
        CallError::new(ErrorClass::Transient, message)
    }

    /// The record of a member, which gets an address if it has none.
    pub(super) fn ensure(
        &self,
        name: &str,
        group: &str,
        template: &str,
    ) -> Result<Record, CallError> {
        let _here = self.choosing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _everywhere = self.lock().map_err(|error| self.failed(&error))?;
        let records = self.all()?;
        if let Some((_, record)) = records.iter().find(|(other, _)| other == name) {
            return Ok(record.clone());
        }
        let is_free = |&(address, port): &(IpAddr, u16)| {
            records.iter().all(|(_, record)| (record.address, record.port) != (address, port))
        };
        let Some((address, port)) = self.pool.pairs().find(is_free) else {
            let message = format!("all {} addresses and ports are used", self.pool.pairs().count());
            return Err(CallError::new(ErrorClass::Quota, message));
        };
        let (group, template) = (group.to_owned(), template.to_owned());
        let record = Record { group, template, address, port, stopped: false };
        self.write(name, &record)?;
        Ok(record)
    }

    /// Closing the file unlocks it.
    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let file = File::create(self.directory.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<Record>, CallError> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// All, by name.
    pub(super) fn all(&self) -> Result<Vec<(String, Record)>, CallError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(&error)),
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| self.failed(&error))?.path();
            let name = path.extension().filter(|end| *end == "env").and(path.file_stem());
            let Some(name) = name.and_then(|name| name.to_str()) else { continue };
            // It may have been removed meanwhile.
            if let Some(record) = self.read(name)? {
                records.push((name.to_owned(), record));
            }
        }
        records.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(records)
    }

    /// A crash leaves the old file or the new one.
    pub(super) fn write(&self, name: &str, record: &Record) -> Result<(), CallError> {
        let (new, path) = (self.directory.join(format!("{name}.new")), self.path(name));
        write(&new, &path, &text(record)).map_err(|error| self.failed(&error))
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), CallError> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }
}

fn write(new: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// As `EnvironmentFile=` of systemd reads it: names and digests need no quotes.
fn text(record: &Record) -> String {
    let Record { group, template, address, port, stopped } = record;
    format!(
        "XELB_GROUP={group}\nXELB_TEMPLATE={template}\nXELB_ADDRESS={address}\nXELB_PORT={port}\n\
         XELB_STOPPED={stopped}\n"
    )
}

fn parse(text: &str) -> Option<Record> {
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    Some(Record {
        group: value("XELB_GROUP")?.to_owned(),
        template: value("XELB_TEMPLATE")?.to_owned(),
        address: value("XELB_ADDRESS")?.parse().ok()?,
        port: value("XELB_PORT")?.parse().ok()?,
        stopped: value("XELB_STOPPED")? == "true",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_an_environment_file() {
        let record = Record {
            group: "web".to_owned(),
            template: "9c1e".to_owned(),
            address: "2001:db8::5".parse().unwrap(),
            port: 9000,
            stopped: true,
        };
        assert_eq!(parse(&text(&record)), Some(record));
        assert_eq!(parse("XELB_GROUP=web\n"), None);
    }

    #[test]
    fn addresses_are_assigned_once_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let pool = AddressPool { addresses: vec![[10, 0, 0, 5].into()], ports: [80, 81] };
        let records = Records::new(folder.path().join("members"), pool);
        let port = |name| records.ensure(name, "web", "t").map(|record| record.port);
        assert_eq!((port("a"), port("b"), port("a")), (Ok(80), Ok(81), Ok(80)));
        assert_eq!(port("c").unwrap_err().class, ErrorClass::Quota);
        records.remove("a").unwrap();
        records.remove("a").unwrap();
        assert_eq!(port("c"), Ok(80));
        let names: Vec<String> = records.all().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "c"]);
    }
}
