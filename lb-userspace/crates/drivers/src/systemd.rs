//! The driver whose members are instances of a template unit of systemd, such as
//! `app@web-3f2a-7.service`. Each gets an address and a port of a pool, in an environment file that
//! the unit reads.
//!
//! It calls `systemctl`: that is there wherever systemd is, its `show` is made for programs, and a
//! call can be bounded and killed as one of any program. A client of D-Bus would add some 30 crates
//! to do the same. systemd goes on with a job whose `systemctl` was killed.

mod records;
mod units;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lb_members::{Answer, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    driver::{Calling, Driver, Request},
    settings::{AddressPool, SettingsError},
};
use records::{Record, Records};
use units::{Systemctl, Unit};

/// Instances of a template unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemdSettings {
    /// The template unit, such as `app@.service`.
    pub unit: String,
    /// Addresses of this host. Each member gets one of them and a port, a pair that no other has.
    pub addresses: Vec<IpAddr>,
    /// The first and the last port.
    pub ports: [u16; 2],
    /// Where the environment files are: `NAME.env` for `%i`. Groups may share it; then they share
    /// its addresses and ports, too.
    #[serde(default = "default_directory")]
    pub directory: PathBuf,
}

fn default_directory() -> PathBuf {
    "/var/lib/xelb/members".into()
}

/// A driver of instances of a template unit.
#[derive(Debug)]
pub struct SystemdDriver {
    /// What stands before the name of an instance: `app@`.
    prefix: String,
    records: Records,
    systemctl: Systemctl,
    /// Calls that change something are made one at a time for each member.
    members: Mutex<Vec<(String, Arc<Mutex<()>>)>>,
}

impl SystemdDriver {
    /// The driver of these settings.
    pub fn new(settings: SystemdSettings) -> Result<Self, SettingsError> {
        Self::with_systemctl(settings, Path::new("systemctl"))
    }

    /// The same with another `systemctl`.
    pub fn with_systemctl(
        settings: SystemdSettings,
        systemctl: &Path,
    ) -> Result<Self, SettingsError> {
        let SystemdSettings { unit, addresses, ports, directory } = settings;
        let pool = AddressPool { addresses, ports };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\".contains(&byte);
        let name = unit.strip_suffix("@.service").unwrap_or_default();
        if name.is_empty() || unit.len() > 100 || !name.bytes().all(allowed) {
            let reason = format!("{unit:?} is no template unit; expected a name like app@.service");
            return Err(SettingsError::new("unit", reason));
        }
        pool.check()?;
        if !directory.is_absolute() {
            return Err(SettingsError::new("directory", "expected an absolute path"));
        }
        Ok(Self {
            prefix: format!("{name}@"),
            records: Records::new(directory, pool),
            systemctl: Systemctl::new(systemctl),
            members: Mutex::default(),
        })
    }

    fn unit(&self, name: &str) -> String {
        format!("{}{name}.service", self.prefix)
    }

    /// The lock of a member.
    async fn lock_of(&self, name: &str) -> Arc<Mutex<()>> {
        let mut members = self.members.lock().await;
        members.retain(|(_, lock)| Arc::strong_count(lock) > 1);
        if let Some((_, lock)) = members.iter().find(|(other, _)| other == name) {
            return Arc::clone(lock);
        }
        let lock = Arc::new(Mutex::new(()));
        members.push((name.to_owned(), Arc::clone(&lock)));
        lock
    }

    async fn run(&self, request: &Request) -> CallResult {
        let name = request.name.as_str();
        if request.verb == Verb::List {
            return self.list(&request.group).await.map(Answer::Members);
        }
        let lock = self.lock_of(name).await;
        let _guard = lock.lock().await;
        match request.verb {
            Verb::List | Verb::Describe => self.describe(name).await.map(Answer::Member),
            Verb::Ensure => self.ensure(request).await.map(Answer::Member),
            Verb::End => self.end(name).await.map(|()| Answer::Done),
            Verb::Stop => {
                self.set_stopped(name, true)?;
                self.systemctl.run(&["stop", &self.unit(name)]).await?;
                Ok(Answer::Done)
            }
            Verb::Start => {
                self.set_stopped(name, false)?;
                self.start(name).await.map(Answer::Member)
            }
        }
    }

    /// Members with a record, and instances that run without one.
    async fn list(&self, group: &str) -> Result<Vec<Reported>, CallError> {
        // Units first: a member that begins in between has a record, and counts as not yet running.
        let units = self.systemctl.show(&self.unit("*")).await?;
        let records = self.records.all()?;
        let of_group = records.iter().filter(|(_, record)| record.group == group);
        let mut members: Vec<Reported> = of_group
            .map(|(name, record)| {
                let id = self.unit(name);
                reported(name, Some(record), units.iter().find(|unit| unit.id == id))
            })
            .collect();
        for unit in &units {
            let name =
                unit.id.strip_prefix(&self.prefix).and_then(|id| id.strip_suffix(".service"));
            let Some(name) = name else { continue };
            let is_known = records.iter().any(|(other, _)| other == name);
            if !is_known && group_of(name) == Some(group) && unit.is_there() {
                members.push(reported(name, None, Some(unit)));
            }
        }
        Ok(members)
    }

    async fn describe(&self, name: &str) -> Result<Reported, CallError> {
        self.describe_unit(name).await.map(|(member, _)| member)
    }

    async fn describe_unit(&self, name: &str) -> Result<(Reported, Option<Unit>), CallError> {
        let record = self.records.read(name)?;
        let unit = self.systemctl.show(&self.unit(name)).await?.into_iter().next();
        Ok((reported(name, record.as_ref(), unit.as_ref()), unit))
    }

    async fn ensure(&self, request: &Request) -> Result<Reported, CallError> {
        let name = request.name.as_str();
        if self.records.read(name)?.is_none()
            && let Some(error) = self.describe_unit(name).await?.1.and_then(|u| u.load_failure())
        {
            // It keeps no address.
            return Err(error);
        }
        let record = self.records.ensure(name, &request.group, &request.template)?;
        if record.group != request.group {
            let message = format!("{name} is a member of group {}", record.group);
            return Err(CallError::new(ErrorClass::Fatal, message));
        }
        if record.stopped {
            return self.describe(name).await;
        }
        self.start(name).await
    }

    /// Starts a unit that does not run. One that has failed stays so: its log says why.
    async fn start(&self, name: &str) -> Result<Reported, CallError> {
        let (member, unit) = self.describe_unit(name).await?;
        if member.state != MemberState::Ended {
            return Ok(member);
        }
        // What was started before its file became wrong can be listed and ended.
        if let Some(error) = unit.as_ref().and_then(Unit::load_failure) {
            return Err(error);
        }
        self.systemctl.run(&["start", "--no-block", &self.unit(name)]).await?;
        let member = self.describe(name).await?;
        match member.state {
            // The job is over in no time, or has not begun yet.
            MemberState::Ended => Ok(Reported { state: MemberState::Launching, ..member }),
            _ => Ok(member),
        }
    }

    async fn end(&self, name: &str) -> Result<(), CallError> {
        let unit = self.unit(name);
        if self.systemctl.show(&unit).await?.iter().any(Unit::is_there) {
            self.systemctl.run(&["stop", &unit]).await?;
            // A unit that has failed is kept by systemd until somebody has seen it.
            let _was_not_failed = self.systemctl.run(&["reset-failed", &unit]).await;
        }
        self.records.remove(name)
    }

    fn set_stopped(&self, name: &str, stopped: bool) -> Result<(), CallError> {
        let Some(record) = self.records.read(name)? else {
            let message = format!("{name} does not exist");
            return Err(CallError::new(ErrorClass::Fatal, message));
        };
        self.records.write(name, &Record { stopped, ..record })
    }
}

/// The group of a name of the form `GROUP-EPOCH-NUMBER`.
fn group_of(name: &str) -> Option<&str> {
    let mut parts = name.rsplitn(3, '-').skip(2);
    parts.next()
}

fn reported(name: &str, record: Option<&Record>, unit: Option<&Unit>) -> Reported {
    let state = match (unit.map(Unit::state), record) {
        (None | Some(MemberState::Ended), Some(Record { stopped: true, .. })) => {
            MemberState::Stopped
        }
        (None, _) => MemberState::Ended,
        (Some(state), _) => state,
    };
    let error = unit.filter(|_| state == MemberState::Failed).map(Unit::error);
    Reported {
        name: name.to_owned(),
        state,
        address: record.map(|record| record.address),
        port: record.map(|record| record.port),
        template: record.map(|record| record.template.clone()),
        error,
    }
}

impl Driver for SystemdDriver {
    fn call<'a>(&'a self, request: &'a Request, deadline: Duration) -> Calling<'a> {
        Box::pin(async move {
            match timeout(deadline, self.run(request)).await {
                Ok(Ok(Answer::Member(member)))
                    if member.state == MemberState::Failed && request.verb != Verb::Describe =>
                {
                    Err(member.error.unwrap_or_else(|| CallError::new(ErrorClass::Fatal, "failed")))
                }
                Ok(result) => result,
                Err(_elapsed) => {
                    let message = format!("systemd has not done it within {deadline:?}");
                    Err(CallError::new(ErrorClass::Transient, message))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_are_no_templates_are_refused() {
        let cases = [
            ("app@.service", true),
            ("my-app_2.x@.service", true),
            ("app.service", false),
            ("@.service", false),
            ("app@web.service", false),
            ("a/b@.service", false),
            ("app*@.service", false),
        ];
        for (unit, right) in cases {
            let settings = SystemdSettings {
                unit: unit.to_owned(),
                addresses: vec![[10, 0, 0, 5].into()],
                ports: [80, 80],
                directory: "/run/x".into(),
            };
            assert_eq!(SystemdDriver::new(settings).is_ok(), right, "{unit}");
        }
    }

    #[test]
    fn names_hold_their_group() {
        assert_eq!(group_of("web-3f2a-7"), Some("web"));
        assert_eq!(group_of("web-eu-3f2a-7"), Some("web-eu"));
        assert_eq!(group_of("web-7"), None);
    }
}
