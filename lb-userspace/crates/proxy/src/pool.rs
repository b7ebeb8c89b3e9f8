//! PURE: idle connections to one target: which one is used again, and which ones are closed. The connections
//! are values of any type; time comes in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Idle connections to one target. The one that was used last is used first, so that the others become old
/// enough to be closed.
#[derive(Debug)]
pub(crate) struct IdlePool<T> {
    /// In the order in which they became idle.
    idle: VecDeque<(T, Instant)>,
}

impl<T> Default for IdlePool<T> {
    fn default() -> Self {
        Self { idle: VecDeque::new() }
    }
}

impl<T> IdlePool<T> {
    /// Keeps a connection. At the limit, the oldest one is given back to be closed.
    pub(crate) fn put(&mut self, connection: T, max: usize, now: Instant) -> Option<T> {
        if max == 0 {
            return Some(connection);
        }
        let dropped = if self.idle.len() >= max { self.idle.pop_front() } else { None };
        self.idle.push_back((connection, now));
        dropped.map(|(connection, _)| connection)
    }

    /// The connection that became idle last, if it is not idle for too long.
    pub(crate) fn take(&mut self, timeout: Duration, now: Instant) -> Option<T> {
        let (connection, since) = self.idle.pop_back()?;
        if now.saturating_duration_since(since) >= timeout {
            // All others are older.
            self.idle.clear();
            return None;
        }
        Some(connection)
    }

    /// Closes connections that are idle for too long, and those for which `is_usable` is false.
    pub(crate) fn expire(
        &mut self,
        timeout: Duration,
        now: Instant,
        mut is_usable: impl FnMut(&mut T) -> bool,
    ) {
        self.idle.retain_mut(|(connection, since)| {
            now.saturating_duration_since(*since) < timeout && is_usable(connection)
        });
    }

    /// Closes all.
    pub(crate) fn clear(&mut self) {
        self.idle.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn the_connection_that_was_used_last_is_used_first() {
        let now = Instant::now();
        let mut pool = IdlePool::default();
        for connection in 0..3 {
            assert_eq!(pool.put(connection, 8, now), None);
        }
        let taken: Vec<_> = (0..4).map(|_| pool.take(TIMEOUT, now)).collect();
        assert_eq!(taken, [Some(2), Some(1), Some(0), None]);
    }

    #[test]
    fn at_the_limit_the_oldest_connection_is_closed() {
        let now = Instant::now();
        let mut pool = IdlePool::default();
        assert_eq!(pool.put(1, 2, now), None);
        assert_eq!(pool.put(2, 2, now), None);
        assert_eq!(pool.put(3, 2, now), Some(1));
        assert_eq!(pool.put(4, 0, now), Some(4));
        assert_eq!(pool.idle.len(), 2);
    }

    #[test]
    fn old_and_closed_connections_are_not_used() {
        let start = Instant::now();
        let mut pool = IdlePool::default();
        pool.put("old", 8, start);
        pool.put("closed", 8, start + TIMEOUT / 2);
        pool.put("good", 8, start + TIMEOUT / 2);
        pool.expire(TIMEOUT, start + TIMEOUT, |connection| *connection != "closed");
        assert_eq!(pool.idle.len(), 1);
        assert_eq!(pool.take(TIMEOUT, start + TIMEOUT), Some("good"));
        pool.put("old", 8, start);
        assert_eq!(pool.take(TIMEOUT, start + TIMEOUT), None);
        assert!(pool.idle.is_empty());
    }
}
