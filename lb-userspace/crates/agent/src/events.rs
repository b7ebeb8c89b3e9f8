//! What happened: a bounded buffer of events that the API reads, with a notification for the next
//! one.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use lb_config::TargetKey;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

/// Events that are remembered: a change of ten thousand targets at once must not push out its own
/// start before anybody has read it.
const EVENTS_MAX: usize = 20_000;

/// A target has changed its state; or, with the reason `Scaling`, something has happened to a member of
/// a scaled group or to the group: `detail` says what, and `from` and `to` are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number; they count from 1 when the agent starts.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The target's group.
    pub group: String,
    /// The target's address.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The target's port.
    pub port: u16,
    /// Its state before; empty for a target that is new.
    pub from: String,
    /// Its state now; empty for a target that is gone.
    pub to: String,
    /// ELB's reason code; empty when there is none.
    pub reason: String,
    /// The result of the last probe, or another problem; for people.
    pub detail: String,
    /// Who caused it by a command; empty when nobody did.
    #[serde(default)]
    pub who: String,
    /// Why, in their words; empty when nothing was said.
    #[serde(default)]
    pub message: String,
}

/// Events from one number on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Number of the first event for the next request.
    pub next: u64,
    /// Number of requested events that are no longer kept.
    pub lost: u64,
}

/// The memory.
#[derive(Debug)]
pub struct EventLog {
    events: Mutex<VecDeque<Event>>,
    /// Number of the newest event.
    newest: watch::Sender<u64>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self { events: Mutex::default(), newest: watch::channel(0).0 }
    }
}

impl EventLog {
    /// Numbers events and remembers them.
    pub fn add(&self, events: impl Iterator<Item = Event>) {
        let at_ms = milliseconds_since_1970();
        let mut newest = *self.newest.borrow();
        let mut kept = self.lock();
        for event in events {
            newest += 1;
            if kept.len() == EVENTS_MAX {
                kept.pop_front();
            }
            kept.push_back(Event { number: newest, at_ms, ..event });
        }
        drop(kept);
        self.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
    }

    /// Events with this number or a higher one, at most `most`.
    #[must_use]
    pub fn since(&self, number: u64, most: usize) -> Events {
        let kept = self.lock();
        let oldest = kept.front().map_or(number, |event| event.number);
        let start = kept.partition_point(|event| event.number < number);
        let events: Vec<Event> = kept.range(start..).take(most).cloned().collect();
        let next = events.last().map_or_else(|| *self.newest.borrow() + 1, |last| last.number + 1);
        Events { events, next, lost: oldest.saturating_sub(number.max(1)) }
    }

    /// The last events of a target, newest first, at most `most`.
    #[must_use]
    pub fn of_target(&self, target: &TargetKey, most: usize) -> Vec<Event> {
        let kept = self.lock();
        let is_it = |event: &&Event| {
            event.port == target.port
                && event.address == Some(target.address)
                && *event.group == *target.group
        };
        kept.iter().rev().filter(is_it).take(most).cloned().collect()
    }

    /// Waits until there is an event with this number. Whoever is too late does not wait.
    pub async fn wait_for(&self, number: u64) {
        let mut newest = self.newest.subscribe();
        // The sender lives as long as `self`.
        let _there = newest.wait_for(|newest| *newest >= number).await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn milliseconds_since_1970() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(to: &str) -> Event {
        Event { to: to.to_owned(), ..Event::default() }
    }

    fn numbers(events: &Events) -> Vec<u64> {
        events.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn events_are_read_from_a_number_on() {
        let log = EventLog::default();
        assert_eq!(log.since(1, 9), Events { events: vec![], next: 1, lost: 0 });
        log.add(["a", "b", "c"].into_iter().map(event));
        assert_eq!(numbers(&log.since(0, 9)), [1, 2, 3]);
        assert_eq!(numbers(&log.since(3, 9)), [3]);
        let part = log.since(1, 2);
        assert_eq!((numbers(&part), part.next, part.lost), (vec![1, 2], 3, 0));
        let none = log.since(4, 9);
        assert_eq!((numbers(&none), none.next), (vec![], 4));
    }

    #[test]
    fn forgotten_events_are_counted() {
        let log = EventLog::default();
        log.add((0..EVENTS_MAX + 5).map(|_| event("x")));
        let events = log.since(1, 2);
        assert_eq!((numbers(&events), events.lost), (vec![6, 7], 5));
        assert_eq!(log.since(6, 2).lost, 0);
    }

    #[tokio::test]
    async fn the_next_event_can_be_waited_for() {
        let log = std::sync::Arc::new(EventLog::default());
        log.wait_for(0).await;
        let waiting = tokio::spawn({
            let log = std::sync::Arc::clone(&log);
            async move { log.wait_for(2).await }
        });
        log.add([event("a")].into_iter());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        log.add([event("b")].into_iter());
        waiting.await.unwrap();
    }
}
