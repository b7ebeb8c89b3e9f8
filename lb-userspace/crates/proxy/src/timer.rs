//! One deadline of a task. Moving it later costs nothing until the old one has passed, so a request that is
//! served quickly touches no timer of the runtime.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

/// A deadline that moves.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl Timer {
    /// A timer with its first deadline.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(deadline.into())), deadline }
    }

    /// Moves the deadline.
    pub(crate) fn set(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Whether the deadline has passed.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.deadline().into_std() > self.deadline {
            self.sleep.as_mut().reset(self.deadline.into());
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.deadline.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_deadline_that_was_moved_counts() {
        let start = Instant::now();
        let mut timer = Timer::new(start + Duration::from_hours(1));
        timer.set(start + Duration::from_millis(5));
        poll_fn(|cx| timer.poll_expired(cx)).await;
        timer.set(start + Duration::from_millis(20));
        poll_fn(|cx| timer.poll_expired(cx)).await;
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}
