//! What the API may ask of the agent, and the handle it asks through.

use std::{net::IpAddr, sync::Arc};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::{EventLog, Snapshot};
use crate::config::Document;

/// A change that somebody wants.
#[derive(Debug)]
pub enum Request {
    /// Makes this the desired state.
    Apply(Box<Document>),
    /// Registers a target; weight 100 and the group's port unless said otherwise.
    TargetAdd {
        /// The group's name.
        group: String,
        /// Its address.
        address: IpAddr,
        /// Its port.
        port: Option<u16>,
        /// Its weight.
        weight: Option<u32>,
    },
    /// Deregisters a target: it finishes its flows within the deregistration delay.
    TargetRemove {
        /// The group's name.
        group: String,
        /// Its address.
        address: IpAddr,
        /// Its port; may be left out when the address alone names the target.
        port: Option<u16>,
        /// Whether its flows end at once, also those of a target that has been removed before.
        now: bool,
    },
    /// Changes a target's weight.
    TargetWeight {
        /// The group's name.
        group: String,
        /// Its address.
        address: IpAddr,
        /// Its port; may be left out when the address alone names the target.
        port: Option<u16>,
        /// The new weight.
        weight: u32,
    },
    /// Starts or stops draining a target: a runtime override, not a change of configuration.
    TargetDrain {
        /// The group's name.
        group: String,
        /// Its address.
        address: IpAddr,
        /// Its port; may be left out when the address alone names the target.
        port: Option<u16>,
        /// Whether it should drain.
        drain: bool,
    },
}

/// Why a request was not carried out; nothing has changed then.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The request itself is wrong (exit code 2).
    #[error("{0}")]
    Invalid(String),
    /// The request is fine, but the agent cannot do it now (exit code 1).
    #[error("{0}")]
    Failed(String),
}

/// What a request that was carried out says; one line for people.
pub type Outcome = Result<String, Refusal>;

/// The API's way to the agent.
#[derive(Clone, Debug)]
pub struct AgentHandle {
    requests: mpsc::Sender<(Request, oneshot::Sender<Outcome>)>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    events: Arc<EventLog>,
}

impl AgentHandle {
    /// A handle on these channels.
    #[must_use]
    pub const fn new(
        requests: mpsc::Sender<(Request, oneshot::Sender<Outcome>)>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        events: Arc<EventLog>,
    ) -> Self {
        Self { requests, snapshots, events }
    }

    /// Asks for a change and waits until it has been carried out.
    pub async fn ask(&self, request: Request) -> Outcome {
        let stopped = || Refusal::Failed("the agent is stopping; try again".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests.send((request, answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// What has happened.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// The agent's state as of now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}
