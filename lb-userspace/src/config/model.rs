//! The configuration after validation: complete, typed, without contradictions.
//!
//! It deliberately knows nothing of YAML, defaults or lines.

use std::{fmt, net::IpAddr, time::Duration};

use ipnet::{Ipv4Net, Ipv6Net};
use lb_common::target::Mode;

/// All that an agent should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Interfaces that the balancer is attached to, by name; at least one, none twice.
    pub interfaces: Vec<String>,
    /// Where outer sources come from.
    pub tunnel: Tunnel,
    /// Seed of the flow hash, when the configuration fixes it (for fleets).
    pub hash_seed: Option<[u64; 2]>,
    /// Target groups; names are unique.
    pub target_groups: Vec<TargetGroup>,
    /// Listeners; names and (address, port, protocol) are unique, each group exists.
    pub listeners: Vec<Listener>,
}

/// Outer source addresses of tunnels: the last 16 bits vary with the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// A prefix of at most 16 bits; default 172.16.0.0/16.
    pub source_ipv4: Ipv4Net,
    /// A prefix of at most 112 bits; default 100::/64, the discard prefix of RFC 6666.
    pub source_ipv6: Ipv6Net,
}

/// Transport protocol of listeners and target groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Its IP protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => lb_common::listener::protocol::TCP,
            Self::Udp => lb_common::listener::protocol::UDP,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A named set of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name: 1 to 56 bytes of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// What its listeners must speak.
    pub protocol: Protocol,
    /// Default port of its targets.
    pub port: u16,
    /// How packets reach its targets.
    pub forwarding: Mode,
    /// Its targets; (address, port) is unique.
    pub targets: Vec<Target>,
    /// How their health is checked.
    pub health_check: HealthCheck,
    /// How long a removed target may finish its flows.
    pub deregistration_delay: Duration,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: IpAddr,
    /// Its port; in modes `ipip` and `l2dsr` the port of the listener.
    pub port: u16,
    /// 0 to 1000; 0 takes no traffic.
    pub weight: u32,
}

/// How the health of a group's targets is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What a probe does.
    pub protocol: HealthProtocol,
    /// The port it goes to; `None` is the port of the target (`traffic-port`).
    pub port: Option<u16>,
    /// Time between the starts of two probes of a target.
    pub interval: Duration,
    /// Longest time that a probe may take.
    pub timeout: Duration,
    /// Consecutive successes that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Consecutive failures that make a target unhealthy.
    pub unhealthy_threshold: u32,
}

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthProtocol {
    /// It opens a TCP connection.
    Tcp,
    /// It sends an HTTP/1.1 GET request and matches the status of the answer.
    Http {
        /// Path and query of the request.
        path: String,
        /// Status codes that are a success.
        matcher: Matcher,
    },
}

/// Status codes that are a success: inclusive ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher(pub Vec<(u16, u16)>);

impl Matcher {
    /// Whether a status code is a success.
    #[must_use]
    pub fn matches(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

/// What clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The VIP.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its protocol; that of its target group.
    pub protocol: Protocol,
    /// Name of the target group that it forwards to.
    pub target_group: String,
}

/// Names one target everywhere in the agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    /// Name of its target group.
    pub group: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for TargetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, address, port } = self;
        write!(formatter, "{group}/{}", std::net::SocketAddr::new(*address, *port))
    }
}
