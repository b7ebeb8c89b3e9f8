//! `xelb doctor`: looks at a balancer or a target and says what is wrong, and what to do about it.
//!
//! Checks are pure: [`balancer_findings`] and [`target_findings`] make findings from facts. Only
//! `gather` asks the host and the agent. Nothing here changes anything.

mod alike;
mod balancer;
mod facts;
mod finding;
mod forwarding;
pub mod gather;
mod link;
mod sysctl;
mod target;

pub use balancer::balancer_findings;
pub use facts::{
    AgentFacts, Arrivals, BalancerFacts, DropCount, HostFacts, InterfaceFacts, TargetNextHop,
    TargetProblem, XdpFacts,
};
pub use finding::{Finding, Severity};
pub use forwarding::Forwarding;
pub use sysctl::Setting;
pub use target::{LocalAddress, RouteToClients, TargetFacts, TunnelDevice, target_findings};

/// The largest packet that clients usually send, in bytes.
const CLIENT_PACKET: u32 = 1500;
