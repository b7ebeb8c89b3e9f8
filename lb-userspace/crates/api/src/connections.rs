//! The open connections of one listener socket: their number, their callers, which ones watch, and
//! which one is closed for a newer one. Their requests are not inspected.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use tokio::sync::Notify;

use super::{
    access::{Caller, Role},
    failure::Failure,
};

/// Clients of one listener socket that watch at a time.
const WATCHERS_MAX: usize = 16;

/// The share of all connections of one address before authentication, and of one caller with a role
/// below `configure` after it.
const ONE_OF: usize = 4;

/// The connections of one listener socket.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// The oldest first.
    all: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    from: Option<IpAddr>,
    /// The caller of its requests; not known before the first one.
    caller: Option<String>,
    watches: bool,
    asked_to_close: Arc<Notify>,
}

/// One of them, as long as it is open.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    of: Arc<Connections>,
    asked_to_close: Arc<Notify>,
}

/// A connection that watches, until it is dropped.
#[derive(Debug)]
pub(super) struct Watch(Arc<Connection>);

impl Connections {
    /// A listener socket with a maximum number of connections.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default(), freed: Notify::new() })
    }

    /// Lets a connection in. If all are in use, the oldest unauthenticated one is closed; if all
    /// are authenticated, it waits.
    pub(super) async fn admit(self: &Arc<Self>, from: Option<IpAddr>) -> Arc<Connection> {
        loop {
            if let Some(connection) = self.try_admit(from) {
                return Arc::new(connection);
            }
            self.freed.notified().await;
        }
    }

    fn try_admit(self: &Arc<Self>, from: Option<IpAddr>) -> Option<Connection> {
        let from = from.map(network);
        let mut open = self.open();
        let of_it = |entry: &Entry| entry.from == from && from.is_some();
        if open.unauthenticated().filter(|(_, entry)| of_it(entry)).count() >= self.share() {
            open.end_oldest(of_it);
        }
        if open.all.len() >= self.most {
            open.end_oldest(|_| true);
        }
        if open.all.len() >= self.most {
            return None;
        }
        let number = open.next;
        open.next += 1;
        let asked_to_close = Arc::<Notify>::default();
        let entry = Entry {
            from,
            caller: None,
            watches: false,
            asked_to_close: Arc::clone(&asked_to_close),
        };
        open.all.insert(number, entry);
        Some(Connection { number, of: Arc::clone(self), asked_to_close })
    }

    /// The share of one address or caller.
    fn share(&self) -> usize {
        (self.most / ONE_OF).max(1)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Those whose caller is not known.
    fn unauthenticated(&self) -> impl Iterator<Item = (&u64, &Entry)> {
        self.all.iter().filter(|(_, entry)| entry.caller.is_none())
    }

    fn end_oldest(&mut self, which: impl Fn(&Entry) -> bool) {
        let oldest =
            self.unauthenticated().find(|(_, entry)| which(entry)).map(|(number, _)| *number);
        if let Some(entry) = oldest.and_then(|number| self.all.remove(&number)) {
            entry.asked_to_close.notify_one();
        }
    }

    /// Number of such connections of a caller.
    fn count(&self, name: &str, is_so: impl Fn(&Entry) -> bool) -> usize {
        let entries = self.all.values().filter(|entry| is_so(entry));
        entries.filter(|entry| entry.caller.as_deref() == Some(name)).count()
    }
}

impl Connection {
    /// Waits until a newer connection takes its place.
    pub(super) async fn asked_to_close(&self) {
        self.asked_to_close.notified().await;
    }

    /// Records the caller of its requests, unless that caller has too many connections already.
    pub(super) fn identify(&self, caller: &Caller) -> Result<(), Failure> {
        let mut open = self.of.open();
        let is_known = |entry: &Entry| entry.caller.as_deref() == Some(&*caller.name);
        if open.all.get(&self.number).is_some_and(is_known) {
            return Ok(());
        }
        let most = self.of.share();
        if caller.role < Role::Configure && open.count(&caller.name, |_| true) >= most {
            let name = &caller.name;
            let message = format!("{name} has {most} connections already; close one");
            return Err(Failure(StatusCode::SERVICE_UNAVAILABLE, message));
        }
        if let Some(entry) = open.all.get_mut(&self.number) {
            entry.caller = Some(caller.name.clone());
        }
        Ok(())
    }

    /// Lets it watch, unless too many do.
    pub(super) fn watch(self: &Arc<Self>, caller: &Caller) -> Result<Watch, Failure> {
        let mut open = self.of.open();
        let refused = |who: &str, most: usize| {
            let message = format!("{who} {most} streams open already; try again later");
            Err(Failure(StatusCode::SERVICE_UNAVAILABLE, message))
        };
        if open.all.values().filter(|entry| entry.watches).count() >= WATCHERS_MAX {
            return refused("this socket has", WATCHERS_MAX);
        }
        let most = WATCHERS_MAX / ONE_OF;
        if caller.role < Role::Configure && open.count(&caller.name, |entry| entry.watches) >= most
        {
            return refused(&format!("{} has", caller.name), most);
        }
        if let Some(entry) = open.all.get_mut(&self.number) {
            entry.watches = true;
        }
        Ok(Watch(Arc::clone(self)))
    }

    /// Whether it watches, and so may stay open longer than others.
    pub(super) fn watches(&self) -> bool {
        self.of.open().all.get(&self.number).is_some_and(|entry| entry.watches)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.of.open().all.remove(&self.number);
        self.of.freed.notify_one();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(entry) = self.0.of.open().all.get_mut(&self.0.number) {
            entry.watches = false;
        }
    }
}

/// The unit of an address: for IPv6 a /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn caller(name: &str, role: Role) -> Caller {
        Caller { name: name.to_owned(), role }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn ended(connection: &Connection) -> bool {
        timeout(Duration::from_millis(20), connection.asked_to_close()).await.is_ok()
    }

    #[tokio::test]
    async fn unauthenticated_connections_are_closed_first() {
        let connections = Connections::new(2);
        let known = connections.admit(None).await;
        known.identify(&caller("ann", Role::Configure)).unwrap();
        let stranger = connections.admit(None).await;
        let newer = connections.admit(None).await;
        assert!(ended(&stranger).await && !ended(&known).await && !ended(&newer).await);
        newer.identify(&caller("bob", Role::Configure)).unwrap();
        let waits = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.admit(None).await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        // A connection that was closed for a newer one frees no further place.
        drop(stranger);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(known);
        timeout(Duration::from_secs(10), waits).await.expect("a place is free").unwrap();
    }

    #[tokio::test]
    async fn one_address_has_a_part_of_the_places() {
        let connections = Connections::new(8);
        let good = connections.admit(Some(address("192.0.2.1"))).await;
        let mut bad = Vec::new();
        for last in 1..=9 {
            bad.push(connections.admit(Some(address(&format!("2001:db8::{last}")))).await);
        }
        assert!(!ended(&good).await && ended(&bad[0]).await);
        assert!(!ended(&bad[8]).await && !ended(&bad[7]).await);
        assert_eq!(connections.open().all.len(), 3);
    }

    #[tokio::test]
    async fn one_caller_has_a_part_of_the_places() {
        let connections = Connections::new(8);
        for (role, most) in [(Role::Read, 2), (Role::Operate, 2), (Role::Configure, 4)] {
            let caller = caller(role.name(), role);
            let mut held = Vec::new();
            for _ in 0..most {
                let connection = connections.admit(None).await;
                connection.identify(&caller).unwrap();
                connection.identify(&caller).unwrap();
                held.push(connection);
            }
            let another = connections.admit(None).await;
            assert_eq!(another.identify(&caller).is_err(), role < Role::Configure, "{role}");
        }
    }

    #[tokio::test]
    async fn watchers_are_bounded_for_each_caller_and_for_all() {
        let connections = Connections::new(64);
        let mut held = Vec::new();
        let mut watch = async |name: &str, role| {
            let connection = connections.admit(None).await;
            let caller = caller(name, role);
            connection.identify(&caller).unwrap();
            let watch = connection.watch(&caller)?;
            assert!(connection.watches());
            held.push(watch);
            Ok::<_, Failure>(connection)
        };
        for _ in 0..4 {
            watch("ann", Role::Read).await.unwrap();
        }
        assert_eq!(watch("ann", Role::Read).await.unwrap_err().0, StatusCode::SERVICE_UNAVAILABLE);
        for _ in 0..12 {
            watch("root", Role::Configure).await.unwrap();
        }
        assert!(watch("root", Role::Configure).await.is_err());
        let gone = held.pop().unwrap();
        let connection = Arc::clone(&gone.0);
        drop(gone);
        assert!(!connection.watches());
        connection.watch(&caller("root", Role::Configure)).unwrap();
    }
}
