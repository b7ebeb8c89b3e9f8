//! The driver of targets that exist already: each member gets an address of a declared list, and
//! gives it back. Servers are neither started nor ended.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lb_members::{Answer, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};
use serde::{Deserialize, Serialize};

use super::driver::{Calling, Driver, Request};

/// A member with an address of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Assigned {
    address: SocketAddr,
    template: String,
}

/// A driver that assigns declared addresses.
#[derive(Clone, Debug)]
pub struct StaticDriver {
    addresses: Vec<SocketAddr>,
    /// Where assignments are kept, by name of the member.
    file: PathBuf,
    /// One call at a time reads and writes the file.
    lock: Arc<Mutex<()>>,
}

impl StaticDriver {
    /// A driver of these addresses. The file belongs to one group; its directory exists.
    #[must_use]
    pub fn new(addresses: Vec<SocketAddr>, file: PathBuf) -> Self {
        Self { addresses, file, lock: Arc::default() }
    }

    fn answer(&self, request: &Request) -> CallResult {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut assigned = read(&self.file).map_err(|error| self.transient(&error))?;
        let name = request.name.as_str();
        match request.verb {
            Verb::List => {
                // The file belongs to one group, and another one has nothing.
                let prefix = format!("{}-", request.group);
                let of_group = assigned.iter().filter(|(name, _)| name.starts_with(&prefix));
                let members = of_group.map(|(name, assigned)| reported(name, assigned));
                return Ok(Answer::Members(members.collect()));
            }
            Verb::Ensure if !assigned.contains_key(name) => {
                let is_free = |address: &&SocketAddr| {
                    assigned.values().all(|assigned| assigned.address != **address)
                };
                let Some(&address) = self.addresses.iter().find(is_free) else {
                    let message =
                        format!("all {} declared addresses are assigned", self.addresses.len());
                    return Err(CallError::new(ErrorClass::Capacity, message));
                };
                let template = request.template.clone();
                assigned.insert(name.to_owned(), Assigned { address, template });
                write(&self.file, &assigned).map_err(|error| self.transient(&error))?;
            }
            Verb::Ensure | Verb::Describe => {}
            Verb::End => {
                if assigned.remove(name).is_some() {
                    write(&self.file, &assigned).map_err(|error| self.transient(&error))?;
                }
                return Ok(Answer::Done);
            }
            Verb::Stop | Verb::Start => {
                let message = "static targets are neither stopped nor started";
                return Err(CallError::new(ErrorClass::Fatal, message));
            }
        }
        let member = assigned.get(name).map(|assigned| reported(name, assigned));
        member
            .map(Answer::Member)
            .ok_or_else(|| CallError::new(ErrorClass::Fatal, format!("{name} has no address")))
    }

    fn transient(&self, error: &io::Error) -> CallError {
        let message = format!("{}: {error}", self.file.display());
        CallError::new(ErrorClass::Transient, message)
    }
}

impl Driver for StaticDriver {
    fn call<'a>(&'a self, request: &'a Request, _deadline: Duration) -> Calling<'a> {
        Box::pin(async move { self.answer(request) })
    }
}

fn reported(name: &str, assigned: &Assigned) -> Reported {
    Reported {
        name: name.to_owned(),
        state: MemberState::Running,
        address: Some(assigned.address.ip()),
        port: Some(assigned.address.port()),
        template: Some(assigned.template.clone()),
        error: None,
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, Assigned>> {
    match fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// A crash leaves the old file or the new one.
fn write(file: &Path, assigned: &BTreeMap<String, Assigned>) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut written = fs::File::create(&new)?;
    written.write_all(&serde_json::to_vec(assigned)?)?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    match file.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
