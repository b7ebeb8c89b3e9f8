//! PURE: the events that wait for the next call of a hook, at most so many; the oldest are dropped, and
//! counted.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::message::HookEvent;

/// Events that wait.
pub(super) const WAITING_MAX: usize = 1000;

/// Events of one call.
pub(super) const TAKEN_MAX: usize = 100;

/// How long a loss is warned of.
const LOSS_SHOWN: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<HookEvent>,
    /// Since the hook was configured.
    pub(super) lost: u64,
    /// Not yet told to the hook.
    untold: u64,
    lost_at: Option<Instant>,
}

impl Queue {
    pub(super) fn push(&mut self, event: HookEvent, now: Instant) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.lost += 1;
            self.untold += 1;
            self.lost_at = Some(now);
        }
        self.waiting.push_back(event);
    }

    /// Takes what the next call is for, and the number of those that were dropped before.
    pub(super) fn take(&mut self) -> (Vec<HookEvent>, u64) {
        let count = self.waiting.len().min(TAKEN_MAX);
        (self.waiting.drain(..count).collect(), std::mem::take(&mut self.untold))
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether events were dropped a short time ago.
    pub(super) fn loses(&self, now: Instant) -> bool {
        self.lost_at.is_some_and(|at| now.saturating_duration_since(at) < LOSS_SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use lb_config::EventName;

    use super::*;

    #[test]
    fn the_oldest_events_are_dropped_and_counted() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for number in 0..WAITING_MAX + 3 {
            let event = HookEvent::of(EventName::AgentStarted, number.to_string());
            queue.push(event, now);
        }
        assert_eq!((queue.waiting(), queue.lost), (WAITING_MAX, 3));
        assert!(queue.loses(now) && !queue.loses(now + LOSS_SHOWN));
        let (taken, lost) = queue.take();
        assert_eq!((taken.len(), lost), (TAKEN_MAX, 3));
        let first = HookEvent::of(EventName::AgentStarted, "3");
        assert_eq!(
            format!("{:?}", taken[0]).contains("\"3\""),
            format!("{first:?}").contains("\"3\"")
        );
        let (_, lost) = queue.take();
        assert_eq!((queue.waiting(), lost), (WAITING_MAX - 2 * TAKEN_MAX, 0));
        while queue.waiting() > 0 {
            queue.take();
        }
        assert!(queue.take().0.is_empty());
    }
}
