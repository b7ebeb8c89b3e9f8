//! Health checks of the targets of the proxy, by the scheduler and the probers of the agent.

use std::collections::HashMap;

use lb_common::target::TargetState;
use lb_config::TargetKey;
use lb_health::{CheckSpec, HealthEvent, Scheduler};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The states of targets.
pub(crate) enum TargetStates {
    /// As the checks of this process find.
    Checked(HealthChecks),
    /// As an agent says.
    Told(HashMap<TargetKey, TargetState>),
}

impl TargetStates {
    /// Checks exactly these targets from now on, unless an agent does.
    pub(crate) fn set(&mut self, checks: Vec<CheckSpec>) {
        if let Self::Checked(all) = self {
            all.set(checks);
        }
    }

    /// What is known of a target; `None` before its first verdict.
    pub(crate) fn state(&self, target: &TargetKey) -> Option<TargetState> {
        match self {
            Self::Checked(all) => all.state(target),
            Self::Told(states) => states.get(target).copied(),
        }
    }

    /// Waits until a check has changed the state of a target. Nothing is lost when the wait is given up.
    pub(crate) async fn changed(&mut self) {
        match self {
            Self::Checked(all) => all.changed().await,
            Self::Told(_) => std::future::pending().await,
        }
    }

    /// Targets that are healthy, and all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        match self {
            Self::Checked(all) => all.counts(),
            Self::Told(states) => {
                let healthy = states.values().filter(|state| **state == TargetState::Healthy);
                (healthy.count(), states.len())
            }
        }
    }
}

/// The checks of all targets, and what they have found.
pub(crate) struct HealthChecks {
    scheduler: Scheduler,
    events: UnboundedReceiver<HealthEvent>,
    states: HashMap<TargetKey, TargetState>,
}

impl HealthChecks {
    /// Checks nothing yet.
    pub(crate) fn new() -> Self {
        let (sender, events) = unbounded_channel();
        Self { scheduler: Scheduler::new(sender), events, states: HashMap::new() }
    }

    /// Checks exactly these targets from now on. Those that stay keep their state.
    fn set(&mut self, checks: Vec<CheckSpec>) {
        self.states = checks
            .iter()
            .filter_map(|check| Some((check.target.clone(), self.state(&check.target)?)))
            .collect();
        self.scheduler.set(checks);
    }

    fn state(&self, target: &TargetKey) -> Option<TargetState> {
        self.states.get(target).copied()
    }

    /// Waits until the state of a target has changed. Nothing is lost when the wait is given up.
    async fn changed(&mut self) {
        while let Some(event) = self.events.recv().await {
            let mut changed = self.take(event);
            while let Ok(event) = self.events.try_recv() {
                changed |= self.take(event);
            }
            if changed {
                return;
            }
        }
    }

    fn take(&mut self, event: HealthEvent) -> bool {
        // The target has left, or its check has begun again.
        if !self.scheduler.is_current(&event) {
            return false;
        }
        let HealthEvent { target, health, .. } = event;
        match health.state {
            TargetState::Healthy => tracing::info!("target {target} is healthy"),
            state => {
                let detail = &health.detail;
                tracing::warn!("target {target} is {}: {detail}", name(state));
            }
        }
        self.states.insert(target, health.state) != Some(health.state)
    }

    fn counts(&self) -> (usize, usize) {
        let healthy = self.states.values().filter(|state| **state == TargetState::Healthy);
        (healthy.count(), self.scheduler.targets())
    }
}

fn name(state: TargetState) -> &'static str {
    match state {
        TargetState::Initial => "not checked yet",
        TargetState::Healthy => "healthy",
        TargetState::Unhealthy => "unhealthy",
        TargetState::Draining => "draining",
        TargetState::Unused => "unused",
    }
}
