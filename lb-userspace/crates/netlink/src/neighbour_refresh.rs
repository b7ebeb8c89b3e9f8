//! PURE: when to ask the kernel to resolve a neighbour, and to keep it resolved.
//!
//! Packets to targets bypass the kernel's stack, so nothing else keeps their neighbour entries
//! fresh. A neighbour marked as managed (NTF_EXT_MANAGED, Linux 5.16) is kept by the kernel, which
//! probes a silent one every 5 s; older kernels ignore the mark, and the same request, repeated,
//! does it. This module deliberately sends nothing: it says what is due, and when the next thing
//! will be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use netlink_packet_route::neighbour::NeighbourState;

use super::rtnetlink::{Neighbour, NeighbourKey};

type Neighbours = BTreeMap<NeighbourKey, Neighbour>;

/// Between two requests for a silent neighbour, at first: a host that boots is found within that.
const RETRY: Duration = Duration::from_secs(1);
/// How long at first.
const RETRY_LASTS: Duration = Duration::from_secs(30);
/// Between two requests for a neighbour that has been silent for longer: 1,000 dead targets
/// shall not mean 1,000 broadcasts a second.
const RETRY_LATER: Duration = Duration::from_secs(5);
/// Between two requests for a neighbour that answers but is not managed. In the kernel, an entry
/// becomes stale after 15 to 45 s (`base_reachable_time`).
const REFRESH: Duration = Duration::from_secs(15);

/// A request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// The neighbour.
    pub(super) key: NeighbourKey,
    /// Its entry has NTF_EXT_LEARNED, which a request without that flag would clear.
    pub(super) learned: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Care {
    /// Time of the last request.
    asked: Option<Instant>,
    /// Since when it is silent, as observed by this module.
    silent_since: Option<Instant>,
    /// The mark is ours: it was not there when we asked.
    ours: bool,
    /// Errno of the last request, if the kernel refused it.
    refusal: Option<i32>,
}

/// The neighbours that targets depend on.
#[derive(Debug, Default)]
pub(super) struct NeighbourRefresher {
    cares: BTreeMap<NeighbourKey, Care>,
}

impl NeighbourRefresher {
    /// Replaces the set of neighbours; returns those whose mark is to be removed.
    pub(super) fn want(
        &mut self,
        wanted: &BTreeSet<NeighbourKey>,
        neighbours: &Neighbours,
    ) -> Vec<Ask> {
        let mut released = Vec::new();
        self.cares.retain(|key, care| {
            let keep = wanted.contains(key);
            if !keep {
                released.extend(release(*key, care, neighbours));
            }
            keep
        });
        for key in wanted {
            self.cares.entry(*key).or_default();
        }
        released
    }

    /// Every neighbour with our mark, to be removed at the end.
    pub(super) fn ours(&self, neighbours: &Neighbours) -> Vec<Ask> {
        self.cares.iter().filter_map(|(key, care)| release(*key, care, neighbours)).collect()
    }

    /// What is due now; each is taken as asked.
    pub(super) fn due(&mut self, neighbours: &Neighbours, now: Instant) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (key, care) in &mut self.cares {
            let neighbour = neighbours.get(key);
            if neighbour.and_then(Neighbour::usable_mac).is_some() {
                care.silent_since = None;
                care.refusal = None;
            } else {
                care.silent_since.get_or_insert(now);
            }
            if due_at(care, neighbour, now).is_none_or(|at| at > now) {
                continue;
            }
            care.asked = Some(now);
            care.ours |= neighbour.is_none_or(|neighbour| !neighbour.managed);
            asks.push(Ask {
                key: *key,
                learned: neighbour.is_some_and(|neighbour| neighbour.learned),
            });
        }
        asks
    }

    /// Whether a target depends on a neighbour.
    pub(super) fn wants(&self, key: NeighbourKey) -> bool {
        self.cares.contains_key(&key)
    }

    /// When [`NeighbourRefresher::due`] will next have something, if nothing changes until then.
    pub(super) fn next_due(&self, neighbours: &Neighbours, now: Instant) -> Option<Instant> {
        self.cares.iter().filter_map(|(key, care)| due_at(care, neighbours.get(key), now)).min()
    }

    /// Notes how the kernel answered a request: an errno, or `None`. Says whether that is news.
    pub(super) fn answered(&mut self, key: NeighbourKey, refusal: Option<i32>) -> bool {
        self.cares
            .get_mut(&key)
            .is_some_and(|care| std::mem::replace(&mut care.refusal, refusal) != refusal)
    }

    /// The errno with which the kernel last refused a neighbour.
    pub(super) fn refusal(&self, key: NeighbourKey) -> Option<i32> {
        self.cares.get(&key).and_then(|care| care.refusal)
    }
}

fn release(key: NeighbourKey, care: &Care, neighbours: &Neighbours) -> Option<Ask> {
    // The event of a missing entry may still be queued.
    let neighbour = neighbours.get(&key);
    let fixed = neighbour.is_some_and(Neighbour::is_fixed);
    (care.ours && !fixed)
        .then_some(Ask { key, learned: neighbour.is_some_and(|neighbour| neighbour.learned) })
}

fn due_at(care: &Care, neighbour: Option<&Neighbour>, now: Instant) -> Option<Instant> {
    let silent_for =
        care.silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    let pause = pause(neighbour, silent_for)?;
    Some(care.asked.map_or(now, |asked| asked + pause))
}

/// Least time between two requests; `None`: there is nothing to ask for.
fn pause(neighbour: Option<&Neighbour>, silent_for: Duration) -> Option<Duration> {
    match neighbour {
        // A request would turn PERMANENT off (kernel: __neigh_update with NEIGH_UPDATE_F_USE).
        Some(neighbour) if neighbour.is_fixed() => None,
        Some(neighbour) if neighbour.usable_mac().is_some() => {
            (!neighbour.managed).then_some(REFRESH)
        }
        // The kernel is asking already.
        Some(neighbour) if neighbour.managed && neighbour.state == NeighbourState::Incomplete => {
            None
        }
        _ if silent_for < RETRY_LASTS => Some(RETRY),
        _ => Some(RETRY_LATER),
    }
}

#[cfg(test)]
#[path = "neighbour_refresh_tests.rs"]
mod tests;
