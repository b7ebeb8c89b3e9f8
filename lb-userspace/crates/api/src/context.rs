//! What handlers of requests work with: the agent, its counters, and limits.

use lb_agent::AgentHandle;
use lb_dataplane::{Explainer, StatsSource};

use super::{body_limits::BodyLimits, concurrency::Concurrency, host_doctor::HostDoctor};

/// What every handler has.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) agent: AgentHandle,
    pub(super) bodies: BodyLimits,
    pub(super) previews: Concurrency,
    /// Of what looks at the maps.
    pub(super) looks: Concurrency,
    pub(super) stats: StatsSource,
    pub(super) explainer: Explainer,
    /// What looks at the host.
    pub(super) doctor: HostDoctor,
    /// The OpenAPI document.
    pub(super) openapi: fn() -> &'static str,
}
