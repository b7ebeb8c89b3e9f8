//! The edge of the doctor: asks procfs, netlink, drivers and the agent, and fills facts. It judges
//! nothing, and what cannot be read stays unknown.
//!
//! Interfaces are looked up through netlink and ethtool, not in /sys/class/net: that shows the
//! network namespace in which sysfs was mounted, which need not be this process's.

mod arrivals;
mod balancer;
mod interface;
mod procfs;
mod target;

use std::io;

use thiserror::Error;

pub use balancer::balancer;
use lb_netlink::{LinkDetails, NetworkLookup, ResolverError};
pub use target::{TargetQuestion, target};

/// Why there are no facts.
#[derive(Debug, Error)]
pub enum GatherError {
    /// Nobody says which interfaces are the balancer's.
    #[error("{reason}; without an agent, name the interfaces: xelb doctor --interface eth0")]
    NoInterfaces {
        /// Why the agent does not say.
        reason: String,
    },
    /// The agent runs elsewhere.
    #[error(
        "the agent (process {pid}) runs in another network namespace, so that what this command sees \
         here is not the agent's; run it there: nsenter --target {pid} --net xelb doctor"
    )]
    OtherNamespace {
        /// The agent's process, as it sees it itself.
        pid: u32,
    },
    /// There is no such interface.
    #[error("interface {name} does not exist; `ip link` lists those that do")]
    UnknownInterface {
        /// Its name.
        name: String,
    },
    /// A target without a default route does not say by itself where packets arrive.
    #[error(
        "this host has no default route, so name the interface that packets arrive at: xelb \
         doctor target --interface eth0"
    )]
    NoDefaultRoute,
    /// Netlink cannot be used.
    #[error(transparent)]
    Netlink(#[from] ResolverError),
    /// The kernel does not answer.
    #[error("cannot get {what} from the kernel; try again, the host may be busy")]
    Kernel {
        /// The request.
        what: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl GatherError {
    /// Whether the user has to correct the request.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoInterfaces { .. }
                | Self::OtherNamespace { .. }
                | Self::UnknownInterface { .. }
                | Self::NoDefaultRoute
        )
    }

    fn kernel(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Kernel { what, source }
    }
}

/// The host's interfaces, and the socket to ask more with.
struct Host {
    inquiry: NetworkLookup,
    links: Vec<LinkDetails>,
}

impl Host {
    async fn inspect() -> Result<Self, GatherError> {
        let mut inquiry = NetworkLookup::open()?;
        let links = inquiry.links().await.map_err(GatherError::kernel("interfaces"))?;
        Ok(Self { inquiry, links })
    }

    fn named(&self, name: &str) -> Result<&LinkDetails, GatherError> {
        let unknown = || GatherError::UnknownInterface { name: name.to_owned() };
        self.links.iter().find(|link| link.name == name).ok_or_else(unknown)
    }

    fn numbered(&self, index: u32) -> Option<&LinkDetails> {
        self.links.iter().find(|link| link.index == index)
    }
}
