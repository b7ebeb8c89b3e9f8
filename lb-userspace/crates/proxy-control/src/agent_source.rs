//! What is known of an agent that is the source.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::source::{ConfigId, Served, Told};

/// When a configuration that was refused is tried again: its certificates may be there by then.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

/// What is known of the agent.
pub(crate) struct AgentSource {
    pub(crate) told: watch::Receiver<Option<Arc<Told>>>,
    pub(crate) served: watch::Sender<Served>,
    /// The configuration that is served; `None` before the first one.
    pub(crate) id: Option<ConfigId>,
    pub(crate) version: u64,
    pub(crate) retry_at: Option<Instant>,
}

impl AgentSource {
    pub(crate) fn new(
        told: watch::Receiver<Option<Arc<Told>>>,
        served: watch::Sender<Served>,
    ) -> Self {
        Self { told, served, id: None, version: 0, retry_at: None }
    }

    /// Whether nothing was said yet.
    pub(crate) const fn waits(&self) -> bool {
        self.id.is_none()
    }
}

/// Waits until there is something to do: the agent has said something, or a configuration is to be tried
/// again. For ever without an agent.
pub(crate) async fn changed(agent: &mut Option<AgentSource>) {
    let Some(AgentSource { told, retry_at, .. }) = agent else {
        return std::future::pending().await;
    };
    let due = retry_at.unwrap_or_else(Instant::now);
    tokio::select! {
        changed = told.changed() => {
            if changed.is_err() {
                // Who follows the agent has ended; what is served goes on.
                std::future::pending::<()>().await;
            }
        }
        () = sleep_until(due), if retry_at.is_some() => {}
    }
}
