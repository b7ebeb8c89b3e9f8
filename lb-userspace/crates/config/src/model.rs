//! The configuration after validation: complete, typed, without contradictions.
//!
//! It deliberately knows nothing of YAML, defaults or lines.

mod event_hook;
mod health;
mod http_group;
mod http_listener;
mod life;
mod scaling;
mod tags;
mod target_name;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use lb_common::target::Mode;
use serde::{Deserialize, Serialize};

pub use event_hook::{EventCall, EventHook, EventName, EventWebhook};
pub use health::{
    ExecCheck, GrpcCheck, HealthCheck, HealthProtocol, HttpCheck, Matcher, ReportPlace, TlsCheck,
    UdpCheck, Verify, Via,
};
pub use http_group::{
    Algorithm, CertificateFiles, CookieStickiness, HttpGroupProtocol, HttpTarget, HttpTargetGroup,
    HttpVersion, ProxyProtocol, Retries, RetryReason, TargetTls,
};
pub use http_listener::{
    AccessLog, ClientAuth, DesyncMitigation, HttpAttributes, HttpListener, ListenerTls, LogFormat,
    TlsListener, TlsPolicy, XffProcessing,
};
pub use life::{Life, MinimumHealthy, Stickiness};
pub use scaling::{
    Containers, Driver, Hook, Metric, MetricSource, Scaling, Termination, Units, WarmPool,
};
pub use tags::{GroupTags, ObjectTags, TAGS_MAX, Tags};
pub(crate) use tags::{tag_key, tag_value};
pub use target_name::{NamedTarget, TargetAddress};

/// All that an agent should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Interfaces that the balancer is attached to, by name; at least one, none twice.
    pub interfaces: Vec<String>,
    /// Where outer sources come from.
    pub tunnel: Tunnel,
    /// Sources of packets to targets of mode `fullnat`; there when a group has that mode.
    pub source_nat: Option<SourceNat>,
    /// ICMP messages that the balancer sends itself.
    pub icmp: Icmp,
    /// Seed of the flow hash, when the configuration fixes it (for fleets).
    pub hash_seed: Option<[u64; 2]>,
    /// A file with that seed instead; see [`super::hash_seed`].
    pub hash_seed_file: Option<PathBuf>,
    /// DNS servers that are asked for names of targets; none: those of the host.
    pub dns_servers: Vec<SocketAddr>,
    /// What is called when something happens; names are unique.
    pub on_event: Vec<EventHook>,
    /// Target groups of layer 4; names are unique among all target groups.
    pub target_groups: Vec<Arc<TargetGroup>>,
    /// Listeners of layer 4; names and (address, ports, protocol) are unique among all listeners,
    /// each group exists.
    pub listeners: Vec<Arc<Listener>>,
    /// Target groups that the proxy reaches.
    pub http_target_groups: Vec<Arc<HttpTargetGroup>>,
    /// Listeners of HTTP, which the proxy serves; each group exists.
    pub http_listeners: Vec<Arc<HttpListener>>,
    /// Listeners of TLS, which the proxy serves; each group exists, and is one of the proxy.
    pub tls_listeners: Vec<Arc<TlsListener>>,
    /// Tags of listeners, target groups and targets.
    pub tags: Arc<ObjectTags>,
}

/// Outer source addresses of tunnels: the last 16 bits vary with the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// A prefix of at most 16 bits; default 172.16.0.0/16.
    pub source_ipv4: Ipv4Net,
    /// A prefix of at most 112 bits; default 100::/64, the discard prefix of RFC 6666.
    pub source_ipv6: Ipv6Net,
}

/// Addresses and ports of the balancer's own that packets to targets of mode `fullnat` come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceNat {
    /// At least one, none twice, none that a listener or target has.
    pub addresses: Vec<IpAddr>,
    /// First port of each address.
    pub first_port: u16,
    /// Last port of each address.
    pub last_port: u16,
}

impl SourceNat {
    /// Most addresses: the data path looks through them one by one.
    pub const ADDRESSES_MAX: usize = 16;

    /// Fewest ports of an address.
    pub const PORTS_MIN: u16 = 1000;

    /// Lowest port: those below belong to servers (RFC 6335, system ports).
    pub const FIRST_PORT_MIN: u16 = 1024;
}

/// ICMP messages that the balancer sends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Whether it answers pings to a VIP.
    pub echo_reply: bool,
    /// Most messages per second and CPU: echo replies and too-big messages.
    pub rate: u32,
}

impl Default for Icmp {
    fn default() -> Self {
        Self { echo_reply: true, rate: 1000 }
    }
}

/// Transport protocol of listeners and target groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// QUIC: UDP whose flows begin with an Initial packet.
    Quic,
}

impl Protocol {
    /// Its IP protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => lb_common::listener::protocol::TCP,
            Self::Udp | Self::Quic => lb_common::listener::protocol::UDP,
        }
    }

    /// How long a silent flow is remembered unless the listener says otherwise, as ELB does.
    #[must_use]
    pub const fn idle_timeout(self) -> Duration {
        match self {
            Self::Tcp => Duration::from_secs(350),
            Self::Udp | Self::Quic => Duration::from_mins(2),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Quic => "quic",
        })
    }
}

/// A named set of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name: 1 to 56 bytes of `a-z A-Z 0-9 . _ -`. Shared by all that names the group.
    pub name: Arc<str>,
    /// What its listeners must speak.
    pub protocol: Protocol,
    /// Default port of its targets.
    pub port: u16,
    /// How packets reach its targets.
    pub forwarding: Mode,
    /// Its targets; (address, port) is unique. A scaled group may have members beside them.
    pub targets: Vec<Target>,
    /// DNS names, whose addresses are targets beside them; (name, port) is unique.
    pub names: Vec<NamedTarget>,
    /// How their health is checked.
    pub health_check: HealthCheck,
    /// How its targets come and go.
    pub life: Life,
    /// How its packets are wrapped in mode `gue`.
    pub gue: Gue,
    /// Largest segment that clients and targets may agree on (TCP only): a larger one is lowered to
    /// it in the SYN.
    pub tcp_mss: Option<u16>,
    /// How its number of targets follows the load, if it does.
    pub scaling: Option<Box<Scaling>>,
}

/// Generic UDP encapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gue {
    /// UDP port that targets unwrap at.
    pub port: u16,
    /// 0: a header of 4 bytes is before the packet; 1: the packet follows UDP directly.
    pub variant: u8,
}

impl Default for Gue {
    /// The port is IANA's.
    fn default() -> Self {
        Self { port: 6080, variant: 1 }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: IpAddr,
    /// Its port; in all modes but `nat` and `fullnat` a port of the listener.
    pub port: u16,
    /// 0 to 1000; 0 takes no traffic.
    pub weight: u32,
    /// Whether it takes new flows only while too few others are healthy: [`Life::backup_threshold`].
    pub backup: bool,
}

/// What clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The VIP as a host prefix, or a prefix of VIPs without host bits.
    pub address: IpNet,
    /// Its ports.
    pub ports: Ports,
    /// Its protocol; that of its target group.
    pub protocol: Protocol,
    /// Name of the target group that it forwards to.
    pub target_group: String,
    /// Name of the target group that it forwards to while that one has no target in service, or fewer
    /// than its quorum. Another group with the same protocol, and flows that are looked up alike.
    pub sorry_target_group: Option<String>,
    /// How long a silent flow is remembered; whole seconds.
    pub idle_timeout: Duration,
    /// Whether UDP flows are remembered.
    pub udp_flows: UdpFlows,
    /// Whether it may take what is for an address of the host itself, on many ports.
    pub allow_own_address: bool,
}

/// What becomes of a UDP flow when the owner of its slot changes: nothing shows where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UdpFlows {
    /// Every flow is remembered from its first packet on, and stays with its target.
    #[default]
    Tracked,
    /// None is: each packet goes to the current owner.
    Stateless,
}

impl Listener {
    /// The names of the groups that it may forward to.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        [Some(&self.target_group), self.sorry_target_group.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Its address and port, when it has one of each.
    #[must_use]
    pub fn exact(&self) -> Option<SocketAddr> {
        let port = self.ports.single()?;
        self.is_host().then(|| SocketAddr::new(self.address.addr(), port))
    }

    /// Whether it has a single address.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.address.prefix_len() == self.address.max_prefix_len()
    }

    /// Its address as configurations have it: a single one without a length.
    #[must_use]
    pub fn shown_address(&self) -> String {
        if self.is_host() { self.address.addr().to_string() } else { self.address.to_string() }
    }
}

/// A range of ports, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last, which is not below the first.
    pub last: u16,
}

impl Ports {
    /// Every port that packets can have.
    pub const ALL: Self = Self { first: 1, last: u16::MAX };

    /// A single one.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The port, if it is a single one.
    #[must_use]
    pub const fn single(self) -> Option<u16> {
        if self.first == self.last { Some(self.first) } else { None }
    }

    /// Whether a port is among them.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// Whether a port is among both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// As configurations have it: `80`, `8000-8099` or `all`.
impl fmt::Display for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => formatter.write_str("all"),
            Self { first, last } if first == last => write!(formatter, "{first}"),
            Self { first, last } => write!(formatter, "{first}-{last}"),
        }
    }
}

/// Names one target everywhere in the agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetKey {
    /// Name of its target group.
    pub group: Arc<str>,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

impl TargetKey {
    /// Its address and port, as people write them.
    #[must_use]
    pub fn place(&self) -> String {
        SocketAddr::new(self.address, self.port).to_string()
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, address, port } = self;
        write!(formatter, "{group}/{}", SocketAddr::new(*address, *port))
    }
}
