//! All names that are followed: a task for each, which asks when the time to live of its addresses is over. What
//! they know is in one table, which the agent reads when it is told that it has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lb_names::{Answer, NameLife, expansion::Addresses, system::Servers};
use tokio::{
    sync::{Notify, Semaphore},
    task::AbortHandle,
    time,
};

use crate::{SystemFiles, lookup};

/// Lookups at a time.
const LOOKUPS_MAX: usize = 32;
/// How long addresses of the hosts file hold, before it is looked at again.
const HOSTS_TTL: Duration = Duration::from_secs(5);
/// How long a name that nobody follows is kept: one of a configuration that is about to be applied.
const UNUSED_KEPT: Duration = Duration::from_mins(1);

/// What is known of a name, for people and metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowedName {
    /// It.
    pub name: Arc<str>,
    /// What lookups made of it.
    pub life: NameLife,
}

/// Follows names. Clones share what they know.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    changed: Notify,
    lookups: Semaphore,
}

#[derive(Debug, Default)]
struct Table {
    names: BTreeMap<Arc<str>, Entry>,
    /// Servers of the configuration; none: those of the host.
    servers: Vec<SocketAddr>,
    files: SystemFiles,
}

#[derive(Debug)]
struct Entry {
    life: NameLife,
    /// The task that follows it.
    task: Option<AbortHandle>,
    used_at: Instant,
}

impl Entry {
    fn new(life: NameLife) -> Self {
        Self { life, task: None, used_at: Instant::now() }
    }

    /// Whether it is followed, or was a moment ago.
    fn is_kept(&self, now: Instant) -> bool {
        self.task.is_some() || now.duration_since(self.used_at) < UNUSED_KEPT
    }
}

impl Table {
    /// Configurations that are tried and never applied leave no names behind.
    fn forget_unused(&mut self, now: Instant) {
        self.names.retain(|_, entry| entry.is_kept(now));
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(SystemFiles::default())
    }
}

impl Resolver {
    /// Follows no name yet.
    #[must_use]
    pub fn new(files: SystemFiles) -> Self {
        let table = Mutex::new(Table { files, ..Table::default() });
        let (changed, lookups) = (Notify::new(), Semaphore::new(LOOKUPS_MAX));
        Self(Arc::new(Shared { table, changed, lookups }))
    }

    /// Takes over what was known of names before this process.
    pub fn restore(&self, known: impl IntoIterator<Item = (Arc<str>, Vec<IpAddr>)>) {
        let mut table = self.table();
        for (name, addresses) in known {
            let known = || Entry::new(NameLife::known(&addresses));
            table.names.entry(name).or_insert_with(known);
        }
    }

    /// Follows these names from now on, and no others; `servers` are those of the configuration.
    pub fn follow(&self, names: &BTreeSet<Arc<str>>, servers: &[SocketAddr]) {
        let mut table = self.table();
        let other_servers = table.servers != servers;
        servers.clone_into(&mut table.servers);
        let now = Instant::now();
        table.names.retain(|name, entry| {
            let is_wanted = names.contains(name);
            if !is_wanted && let Some(task) = entry.task.take() {
                task.abort();
                entry.used_at = now;
            }
            is_wanted || entry.is_kept(now)
        });
        for name in names {
            let fresh = || Entry::new(NameLife::default());
            let entry = table.names.entry(Arc::clone(name)).or_insert_with(fresh);
            if other_servers {
                // The others may know more.
                entry.life.next_at = None;
                if let Some(task) = entry.task.take() {
                    task.abort();
                }
            }
            if entry.task.is_none() {
                let task = follow(Arc::clone(&self.0), Arc::clone(name), entry.life.next_at);
                entry.task = Some(tokio::spawn(task).abort_handle());
            }
        }
    }

    /// Looks up names that have no addresses yet, and waits for that, but never longer than this.
    /// `servers` are those of a configuration that is not in use yet; none: those of the host.
    pub async fn first(
        &self,
        names: &BTreeSet<Arc<str>>,
        servers: Option<Vec<SocketAddr>>,
        wait: Duration,
    ) {
        let unknown: Vec<Arc<str>> = {
            let mut table = self.table();
            table.forget_unused(Instant::now());
            let is_known =
                |name: &Arc<str>| table.names.get(name).is_some_and(|entry| entry.life.is_known());
            names.iter().filter(|name| !is_known(name)).cloned().collect()
        };
        let mut lookups = tokio::task::JoinSet::new();
        for name in unknown {
            let (shared, servers) = (Arc::clone(&self.0), servers.clone());
            lookups.spawn(async move { shared.update(&name, servers).await });
        }
        let all = async { while lookups.join_next().await.is_some() {} };
        let _in_time = time::timeout(wait, all).await;
    }

    /// Waits until addresses of a name have changed, or whether it fails.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The addresses of all names.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let table = self.table();
        let names = table.names.iter().filter(|(_, entry)| entry.life.is_known());
        names.map(|(name, entry)| (Arc::clone(name), entry.life.addresses().collect())).collect()
    }

    /// The names that are followed.
    #[must_use]
    pub fn views(&self) -> Vec<FollowedName> {
        let table = self.table();
        let names = table.names.iter().filter(|(_, entry)| entry.task.is_some());
        names
            .map(|(name, entry)| FollowedName { name: Arc::clone(name), life: entry.life.clone() })
            .collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table()
    }
}

/// The task of a name: it looks it up, and again when that is due.
async fn follow(shared: Arc<Shared>, name: Arc<str>, mut next_at: Option<Instant>) {
    loop {
        if let Some(at) = next_at {
            time::sleep_until(at.into()).await;
        }
        next_at = shared.update(&name, None).await;
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // What a task that panicked left is as good as what it found.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a name up, and keeps what that gives; when it is due again. Servers other than those of the
    /// configuration may be given.
    async fn update(&self, name: &Arc<str>, servers: Option<Vec<SocketAddr>>) -> Option<Instant> {
        let answers = self.answers(name, servers).await;
        let mut table = self.table();
        let fresh = || Entry::new(NameLife::default());
        let entry = table.names.entry(Arc::clone(name)).or_insert_with(fresh);
        let before = entry.life.clone();
        entry.life.take(answers, fastrand::f64(), Instant::now());
        let is_other = !before.addresses().eq(entry.life.addresses())
            || before.error != entry.life.error
            || before.surplus() != entry.life.surplus();
        let next_at = entry.life.next_at;
        drop(table);
        if is_other {
            self.changed.notify_one();
        }
        next_at
    }

    /// What the hosts file says of a name, or else what servers say.
    async fn answers(&self, name: &str, servers: Option<Vec<SocketAddr>>) -> [Answer; 2] {
        // The semaphore is never closed.
        let _turn = self.lookups.acquire().await;
        let servers = {
            let mut table = self.table();
            let local = table.files.addresses(name);
            if !local.is_empty() {
                return [false, true].map(|ipv6| {
                    let of = local.iter().copied().filter(|one| one.is_ipv6() == ipv6).collect();
                    match of {
                        none if Vec::is_empty(&none) => {
                            Answer::None("not in the hosts file".to_owned())
                        }
                        some => Answer::Addresses(some, HOSTS_TTL),
                    }
                });
            }
            let configured = servers.unwrap_or_else(|| table.servers.clone());
            if configured.is_empty() { table.files.servers() } else { Servers::of(configured) }
        };
        lookup(name, &servers).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_follows_are_forgotten() {
        let mut table = Table::default();
        table.names.insert("a.example.org".into(), Entry::new(NameLife::default()));
        let now = Instant::now();
        table.forget_unused(now);
        assert_eq!(table.names.len(), 1, "it may be of a configuration that comes next");
        table.forget_unused(now + UNUSED_KEPT * 2);
        assert!(table.names.is_empty());
    }
}
