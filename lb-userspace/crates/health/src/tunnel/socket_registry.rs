//! PURE: whose packets come out of a local address and port. It reads no clock.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long packets of a probe may come after its end: the reset that closes its connection.
const LINGER: Duration = Duration::from_secs(2);

/// Probes in progress, and those that have just ended, by their local address and port. There are
/// never more entries than local ports.
#[derive(Debug)]
pub(super) struct Registry<T> {
    entries: HashMap<SocketAddr, Entry<T>>,
    swept: Instant,
}

#[derive(Debug)]
struct Entry<T> {
    owner: Arc<T>,
    /// When it ended.
    left: Option<Instant>,
}

impl<T> Registry<T> {
    pub(super) fn new(now: Instant) -> Self {
        Self { entries: HashMap::new(), swept: now }
    }

    /// From now on `local` is the owner's. The kernel gives a port to one socket at a time, so the
    /// previous owner has closed it.
    pub(super) fn join(&mut self, local: SocketAddr, owner: Arc<T>, now: Instant) {
        if now.saturating_duration_since(self.swept) >= LINGER {
            self.swept = now;
            self.entries.retain(|_, entry| {
                entry.left.is_none_or(|left| now.saturating_duration_since(left) < LINGER)
            });
        }
        self.entries.insert(local, Entry { owner, left: None });
    }

    /// The owner has ended. Does nothing when `local` has passed to another.
    pub(super) fn leave(&mut self, local: SocketAddr, owner: &Arc<T>, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&local)
            && Arc::ptr_eq(&entry.owner, owner)
        {
            entry.left = Some(now);
        }
    }

    /// Whose it is, or was a moment ago.
    pub(super) fn find(&self, local: SocketAddr, now: Instant) -> Option<&Arc<T>> {
        let entry = self.entries.get(&local)?;
        let lingers = entry.left.is_none_or(|left| now.saturating_duration_since(left) < LINGER);
        lingers.then_some(&entry.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(port: u16) -> SocketAddr {
        ([10, 0, 0, 2], port).into()
    }

    #[test]
    fn an_owner_is_found_until_shortly_after_its_end() {
        let start = Instant::now();
        let mut registry = Registry::new(start);
        let one = Arc::new(1);
        registry.join(local(1), Arc::clone(&one), start);
        let late = start + LINGER * 100;
        assert_eq!(registry.find(local(1), late), Some(&one));
        assert_eq!(registry.find(local(2), late), None);
        assert_eq!(registry.find("[fd00::2]:1".parse().unwrap(), late), None);
        registry.leave(local(1), &one, late);
        assert_eq!(registry.find(local(1), late + LINGER / 2), Some(&one));
        assert_eq!(registry.find(local(1), late + LINGER), None);
    }

    #[test]
    fn a_port_that_is_used_again_is_its_new_owners() {
        let start = Instant::now();
        let mut registry = Registry::new(start);
        let (one, other) = (Arc::new(1), Arc::new(2));
        registry.join(local(1), Arc::clone(&one), start);
        registry.leave(local(1), &one, start);
        registry.join(local(1), Arc::clone(&other), start);
        // A late event of the previous owner.
        registry.leave(local(1), &one, start);
        assert_eq!(registry.find(local(1), start + LINGER * 2), Some(&other));
    }

    #[test]
    fn it_does_not_grow_with_probes_that_have_ended() {
        let mut now = Instant::now();
        let mut registry = Registry::new(now);
        for port in 1..=u16::MAX {
            let owner = Arc::new(port);
            registry.join(local(port), Arc::clone(&owner), now);
            registry.leave(local(port), &owner, now);
            now += Duration::from_millis(10);
        }
        let both_rounds = 2 * LINGER.as_millis() / 10;
        assert!((registry.entries.len() as u128) <= both_rounds, "{}", registry.entries.len());
    }
}
