//! PURE: the list of all metrics. docs/metrics.md has the same for people; a test compares them.

mod agent;
mod scaling;
mod targets;
mod traffic;

use super::family::Family;

/// All of them, in the order of the scrape.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    let of_agent = agent::FAMILIES.iter().chain(targets::FAMILIES);
    of_agent.chain(scaling::FAMILIES).chain(traffic::FAMILIES)
}
