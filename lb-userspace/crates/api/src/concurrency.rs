//! Concurrency limit of expensive requests (a preview, a dry run, a count of all flows): one at a
//! time for each role, so that readers delay only readers.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{access::Role, failure::Failure};

/// Callers of one role that wait for their turn; more are refused.
const WAITING_MAX: usize = 16;

/// The queue of each role.
#[derive(Clone, Debug)]
pub(super) struct Concurrency([Queue; Role::ALL.len()]);

#[derive(Clone, Debug)]
struct Queue {
    turn: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Concurrency {
    fn default() -> Self {
        let queue = |_| Queue {
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
        };
        Self(Role::ALL.map(queue))
    }
}

impl Concurrency {
    /// Waits for the turn of a caller of this role, which lasts until it is dropped.
    pub(super) async fn take(&self, role: Role) -> Result<OwnedSemaphorePermit, Failure> {
        let busy = || {
            let message = format!(
                "{WAITING_MAX} requests of this kind with the role `{role}` are waiting already; \
                 try again later"
            );
            Failure(StatusCode::SERVICE_UNAVAILABLE, message)
        };
        let [readers, proxies, operators, configurators] = &self.0;
        let queue = match role {
            Role::Read => readers,
            Role::Proxy => proxies,
            Role::Operate => operators,
            Role::Configure => configurators,
        };
        let _place = queue.places.try_acquire().map_err(|_| busy())?;
        Arc::clone(&queue.turn).acquire_owned().await.map_err(|_| busy())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn readers_wait_for_each_other_and_delay_no_other_role() {
        let turns = Concurrency::default();
        let first = turns.take(Role::Read).await.unwrap();
        drop(turns.take(Role::Configure).await.unwrap());
        let waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let turns = turns.clone();
                tokio::spawn(async move { turns.take(Role::Read).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        let refused = timeout(Duration::from_secs(10), turns.take(Role::Read)).await.unwrap();
        assert_eq!(refused.unwrap_err().0, StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        for one in waiting {
            one.await.unwrap().unwrap();
        }
    }
}
