//! The files of the host that say how names are resolved, read again when they have changed.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::SystemTime,
};

use lb_names::system::{Servers, hosts};

/// More of a file is not read.
const BYTES_MAX: u64 = 1024 * 1024;

/// Both files.
#[derive(Debug)]
pub struct SystemFiles {
    resolv_conf: Kept<Servers>,
    hosts: Kept<BTreeMap<String, Vec<IpAddr>>>,
}

impl Default for SystemFiles {
    /// Those of this host.
    fn default() -> Self {
        Self::at(Path::new("/etc/resolv.conf"), Path::new("/etc/hosts"))
    }
}

impl SystemFiles {
    /// Files in other places.
    #[must_use]
    pub fn at(resolv_conf: &Path, hosts_file: &Path) -> Self {
        Self {
            resolv_conf: Kept::new(resolv_conf, Servers::read),
            hosts: Kept::new(hosts_file, hosts),
        }
    }

    /// Whom to ask.
    pub(crate) fn servers(&mut self) -> Servers {
        self.resolv_conf.now().clone()
    }

    /// The addresses that the hosts file has for a name.
    pub(crate) fn addresses(&mut self, name: &str) -> Vec<IpAddr> {
        self.hosts.now().get(name).cloned().unwrap_or_default()
    }
}

/// A file, and what was read from it.
#[derive(Debug)]
struct Kept<T> {
    path: PathBuf,
    read: fn(&str) -> T,
    /// Of what was read; `None` of a file that is not there.
    stamp: Option<(SystemTime, u64)>,
    value: T,
}

impl<T> Kept<T> {
    fn new(path: &Path, read: fn(&str) -> T) -> Self {
        Self { path: path.to_owned(), read, stamp: None, value: read("") }
    }

    /// What the file says now. One that cannot be read says what it said last.
    fn now(&mut self) -> &T {
        let stamp = fs::metadata(&self.path).and_then(|data| Ok((data.modified()?, data.len())));
        match stamp {
            Ok(stamp) if self.stamp != Some(stamp) => match text(&self.path) {
                Ok(text) => {
                    (self.stamp, self.value) = (Some(stamp), (self.read)(&text));
                }
                Err(error) => self.warn(&error),
            },
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (self.stamp, self.value) = (None, (self.read)(""));
            }
            Err(error) => self.warn(&error),
        }
        &self.value
    }

    fn warn(&self, error: &io::Error) {
        tracing::warn!("cannot read {}: {error}; what it said before holds", self.path.display());
    }
}

fn text(path: &Path) -> io::Result<String> {
    use io::Read as _;

    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_when_they_change() {
        let dir = tempfile::tempdir().unwrap();
        let [conf, hosts] = ["resolv.conf", "hosts"].map(|name| dir.path().join(name));
        let mut files = SystemFiles::at(&conf, &hosts);
        assert_eq!(files.servers().addresses, ["127.0.0.1:53".parse().unwrap()]);
        assert!(files.addresses("web").is_empty());
        fs::write(&conf, "nameserver 10.0.0.1\n").unwrap();
        fs::write(&hosts, "10.0.0.2 web\n").unwrap();
        assert_eq!(files.servers().addresses, ["10.0.0.1:53".parse().unwrap()]);
        assert_eq!(files.addresses("web"), [IpAddr::from([10, 0, 0, 2])]);
        fs::write(&conf, "nameserver 10.0.0.1\nnameserver 10.0.0.3\n").unwrap();
        assert_eq!(files.servers().addresses.len(), 2);
        fs::remove_file(&hosts).unwrap();
        assert!(files.addresses("web").is_empty());
    }
}
