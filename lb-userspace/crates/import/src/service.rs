//! What all formats have in common: services, each with endpoints for clients and a pool of servers.

use std::net::IpAddr;

use lb_common::target::Mode;
use lb_config::{Protocol, TargetAddress};

/// What a text says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) services: Vec<Service>,
    /// Interfaces that it names, with their lines.
    pub(crate) interfaces: Vec<(String, usize)>,
    /// Source addresses that it names, with their lines.
    pub(crate) sources: Vec<(IpAddr, usize)>,
}

/// Servers, and where clients reach them.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) forwarding: Mode,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) servers: Vec<Server>,
    pub(crate) check: Option<Check>,
    pub(crate) is_sticky: bool,
    /// Whether no UDP flow is remembered.
    pub(crate) is_stateless: bool,
    pub(crate) slow_start_s: Option<u64>,
    pub(crate) gue_port: Option<u16>,
    /// Sum of the weights of healthy servers below which the service is down, and its line.
    pub(crate) quorum: Option<(u32, usize)>,
    /// First and last line of its section, where its remarks belong.
    pub(crate) span: (usize, usize),
    /// Lines that the group as a whole comes from.
    pub(crate) lines: Vec<usize>,
}

impl Service {
    pub(crate) fn new(name: impl Into<String>, forwarding: Mode, line: usize) -> Self {
        Self {
            name: name.into(),
            protocol: Protocol::Tcp,
            forwarding,
            endpoints: Vec::new(),
            servers: Vec::new(),
            check: None,
            is_sticky: false,
            is_stateless: false,
            slow_start_s: None,
            gue_port: None,
            quorum: None,
            span: (line, line),
            lines: vec![line],
        }
    }
}

/// Where clients connect.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    /// `Any*` when the text names none.
    pub(crate) address: Vip,
    pub(crate) first_port: u16,
    pub(crate) last_port: u16,
    /// How long a silent flow lives, when longer than usual.
    pub(crate) idle_s: Option<u64>,
    /// First and last line of its section.
    pub(crate) span: (usize, usize),
    pub(crate) lines: Vec<usize>,
}

/// The address of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vip {
    /// This one.
    Address(IpAddr),
    /// Any address of the host, of this family: IPv6, or else IPv4.
    Any { ipv6: bool },
}

impl Vip {
    pub(crate) const fn is_ipv6(self) -> bool {
        match self {
            Self::Address(address) => address.is_ipv6(),
            Self::Any { ipv6 } => ipv6,
        }
    }
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: TargetAddress,
    /// `None` is the port of the endpoint.
    pub(crate) port: Option<u16>,
    pub(crate) weight: u32,
    /// Whether it is used only without the others.
    pub(crate) backup: bool,
    pub(crate) lines: Vec<usize>,
}

/// A health check.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) probe: Probe,
    pub(crate) port: Option<u16>,
    pub(crate) interval_ms: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) healthy: u64,
    pub(crate) unhealthy: u64,
    pub(crate) lines: Vec<usize>,
}

impl Check {
    /// A check that needs to know nothing of the service, with the usual times of xelb.
    pub(crate) const fn ping() -> Self {
        Self {
            probe: Probe::Icmp,
            port: None,
            interval_ms: 5000,
            timeout_ms: 2000,
            healthy: 3,
            unhealthy: 2,
            lines: Vec::new(),
        }
    }

    /// Whether two checks do the same, wherever they come from.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let values =
            |one: &Self| (one.port, one.interval_ms, one.timeout_ms, one.healthy, one.unhealthy);
        self.probe == other.probe && values(self) == values(other)
    }
}

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Tcp,
    Icmp,
    Http(HttpProbe),
    /// Hexadecimal digits to send, and to expect.
    Udp {
        payload: Option<String>,
        expect: Option<String>,
    },
}

/// An HTTP request and what must come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HttpProbe {
    pub(crate) tls: bool,
    pub(crate) path: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) matcher: Option<String>,
    pub(crate) server_name: Option<String>,
}
