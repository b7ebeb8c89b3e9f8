//! Open connections, up to a maximum. Silent clients are closed in favour of new ones, so that they
//! cannot lock out other clients. Connections are not made or served here.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tokio::task::AbortHandle;

/// The connections that are open, the oldest first.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    places: usize,
    members: VecDeque<Member>,
}

#[derive(Debug)]
struct Member {
    task: AbortHandle,
    asked: Arc<AtomicBool>,
}

impl ConnectionLimit {
    /// No connection, and this maximum.
    pub(super) const fn new(places: usize) -> Self {
        Self { places, members: VecDeque::new() }
    }

    /// Whether there is a place for one more. Takes the place of the oldest connection without a
    /// request; none if all are being answered.
    pub(super) fn close_oldest_silent(&mut self) -> bool {
        self.members.retain(|member| !member.task.is_finished());
        if self.members.len() < self.places {
            return true;
        }
        let silent = self.members.iter().position(|member| !member.asked.load(Relaxed));
        let Some(member) = silent.and_then(|at| self.members.remove(at)) else {
            return false;
        };
        member.task.abort();
        true
    }

    /// Adds a connection; `asked` becomes true when its client has sent a request.
    pub(super) fn add(&mut self, task: AbortHandle, asked: Arc<AtomicBool>) {
        self.members.push_back(Member { task, asked });
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    fn join(connections: &mut ConnectionLimit, asked: bool) -> JoinHandle<()> {
        let task = tokio::spawn(pending());
        connections.add(task.abort_handle(), Arc::new(AtomicBool::new(asked)));
        task
    }

    #[tokio::test]
    async fn the_oldest_silent_connection_is_closed_for_a_new_one() {
        let mut connections = ConnectionLimit::new(3);
        let [answered, first, second] =
            [true, false, false].map(|asked| join(&mut connections, asked));
        assert!(connections.close_oldest_silent());
        yield_now().await;
        assert!(first.is_finished() && !second.is_finished() && !answered.is_finished());
        let late = join(&mut connections, true);
        assert!(connections.close_oldest_silent());
        yield_now().await;
        assert!(second.is_finished());
        let last = join(&mut connections, true);
        assert!(!connections.close_oldest_silent(), "everybody is being answered");
        late.abort();
        drop(late.await);
        assert!(connections.close_oldest_silent(), "one has ended");
        assert!(!last.is_finished() && !answered.is_finished());
    }
}
