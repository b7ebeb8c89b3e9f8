//! PURE: the list of all metrics. docs/metrics.md has the same for people; a test compares them.

mod agent;
mod proxy;
mod scaling;
mod targets;
mod traffic;

use super::{family::Family, proxy_observation::ProxyObservation};

/// All of the agent, in the order of its scrape.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    let of_agent = agent::FAMILIES.iter().chain(targets::FAMILIES);
    of_agent.chain(scaling::FAMILIES).chain(traffic::FAMILIES)
}

/// All of a proxy, in the order of its scrape.
pub(super) fn of_proxy() -> impl Iterator<Item = &'static Family<ProxyObservation>> {
    proxy::families()
}

/// What is said of a metric.
#[cfg(test)]
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) kind: super::family::Kind,
    pub(super) labels: &'static [&'static str],
}

/// All of agent and proxy.
#[cfg(test)]
pub(super) fn heads() -> impl Iterator<Item = Head> {
    let of_agent =
        families().map(|one| Head { name: one.name, kind: one.kind, labels: one.labels });
    of_agent.chain(of_proxy().map(|one| Head {
        name: one.name,
        kind: one.kind,
        labels: one.labels,
    }))
}
