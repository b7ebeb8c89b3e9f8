//! An agent as the source: its configurations are served as they come, and it is told what became of them.

use std::{mem, path::PathBuf};

use lb_proxy::Counter;
use tokio::time::Instant;

use crate::{
    agent_source::{AgentSource, RETRY},
    health::TargetStates,
    service::{Reading, Service},
    source::{Served, Told},
};

impl Service {
    /// Serves what the agent says now. With `again`, files that it names are read again in any case.
    pub(crate) async fn follow(&mut self, again: bool) {
        let Some(agent) = &mut self.agent else { return };
        let Some(told) = agent.told.borrow_and_update().clone() else { return };
        let same = agent.id.as_ref().is_some_and(|id| id.digest == told.id.digest);
        let is_due = agent.retry_at.take().is_some();
        if same && !again && !is_due {
            agent.id = Some(told.id.clone());
            self.refused.clear();
            self.states = TargetStates::Told(told.states.clone());
            self.apply_health();
        } else {
            self.serve_told(&told, again).await;
        }
        if let Some(agent) = &mut self.agent {
            agent.version = told.version;
        }
        self.report_served();
    }

    async fn serve_told(&mut self, told: &Told, again: bool) {
        // Targets of the old configuration keep their states if the new one is refused.
        if let TargetStates::Told(states) = &mut self.states {
            states.extend(told.states.iter().map(|(target, state)| (target.clone(), *state)));
        }
        let is_first = self.agent.as_ref().is_some_and(AgentSource::waits);
        let name = PathBuf::from(&told.id.name);
        let reading = Reading { name, load: told.load.clone(), must_serve: false };
        let is_served = self.serve(reading).await;
        if is_served {
            self.states = TargetStates::Told(told.states.clone());
            if is_first {
                self.introduce();
            } else {
                let (what, status) = (if again { " again" } else { "" }, self.status());
                tracing::info!("{} is served{what}: {status}", told.id.name);
            }
        } else {
            self.apply_health();
        }
        if let Some(agent) = &mut self.agent {
            if is_served {
                agent.id = Some(told.id.clone());
            }
            agent.retry_at = (!is_served).then(|| Instant::now() + RETRY);
        }
    }

    /// Tells the agent what is served, if that is news.
    pub(crate) fn report_served(&self) {
        let Some(agent) = &self.agent else { return };
        let total = self.proxy.metrics().total;
        let served = Served {
            id: agent.id.clone().unwrap_or_default(),
            version: agent.version,
            refused: self.refused.clone(),
            connections: total
                .get(Counter::NewConnections)
                .saturating_sub(total.get(Counter::ClosedConnections)),
        };
        agent.served.send_if_modified(|known| mem::replace(known, served.clone()) != served);
    }
}
