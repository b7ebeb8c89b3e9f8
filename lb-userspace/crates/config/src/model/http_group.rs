//! Target groups that the proxy reaches: their targets get requests or connections, not packets.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    health::{HealthCheck, Verify},
    life::MinimumHealthy,
    scaling::Scaling,
    target_name::NamedTarget,
};

/// A named set of targets that the proxy connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTargetGroup {
    /// Its name, unique among all target groups.
    pub name: Arc<str>,
    /// What its targets speak.
    pub protocol: HttpGroupProtocol,
    /// Version of HTTP towards its targets; `Http2` for `grpc`.
    pub version: HttpVersion,
    /// TLS towards its targets: always with `https`, never with `http`, otherwise if it is set.
    pub tls: Option<TargetTls>,
    /// Default port of its targets.
    pub port: u16,
    /// Its targets; (address, port) is unique.
    pub targets: Vec<HttpTarget>,
    /// DNS names, whose addresses are targets beside them; (name, port) is unique.
    pub names: Vec<NamedTarget>,
    /// How their health is checked.
    pub health_check: HealthCheck,
    /// How long a target that is removed or drained may finish its requests.
    pub deregistration_delay: Duration,
    /// With fewer healthy targets, all are used.
    pub minimum_healthy: MinimumHealthy,
    /// How a target is chosen.
    pub algorithm: Algorithm,
    /// Whether a client stays with a target.
    pub stickiness: CookieStickiness,
    /// Time over which the weight of a new target rises; zero is at once.
    pub slow_start: Duration,
    /// Whether targets that fail more than others get fewer requests.
    pub anomaly_mitigation: bool,
    /// Requests that are sent again.
    pub retries: Retries,
    /// Most connections to a target from this host; `None` is no limit.
    pub max_connections: Option<u32>,
    /// The PROXY header before a connection.
    pub proxy_protocol: ProxyProtocol,
    /// How the number of its targets follows the load; `None`: only declared targets.
    pub scaling: Option<Box<Scaling>>,
}

/// What the targets of a group speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpGroupProtocol {
    /// HTTP in clear.
    Http,
    /// HTTP in TLS.
    Https,
    /// gRPC: in TLS if the group has `tls`.
    Grpc,
    /// Bytes of connections, for listeners of TLS: in TLS again if the group has `tls`.
    Tcp,
}

impl fmt::Display for HttpGroupProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
        })
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2; without TLS with prior knowledge (RFC 9113, section 3.3).
    Http2,
}

/// TLS towards targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTls {
    /// The server name (SNI) that certificates must have; `None` is the only DNS name among the
    /// targets, or the address of each.
    pub server_name: Option<String>,
    /// Whose certificates are trusted.
    pub verify: Verify,
    /// The certificate that the proxy shows to targets.
    pub client_certificate: Option<CertificateFiles>,
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The certificate and its chain (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTarget {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// 0 to 1000; 0 takes no new requests.
    pub weight: u32,
}

/// The address and port, as people write them.
impl fmt::Display for HttpTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(formatter)
    }
}

/// How a target is chosen among the available ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest outstanding requests for its weight.
    LeastOutstandingRequests,
    /// At random, by weight.
    WeightedRandom,
}

/// Whether a client stays with a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CookieStickiness {
    /// Each request is on its own.
    None,
    /// By a cookie of the load balancer, for this time after the last answer.
    LbCookie(Duration),
    /// As long as the application's cookie is there.
    AppCookie {
        /// Its name.
        name: String,
        /// The longest time.
        duration: Duration,
    },
}

/// Requests that are sent again when they fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often a request is sent again; 0 is never.
    pub attempts: u32,
    /// Most retries among the requests to the group, in percent.
    pub budget_percent: u32,
    /// What is a reason to send a request again.
    pub on: Vec<RetryReason>,
}

impl Default for Retries {
    fn default() -> Self {
        let on = vec![RetryReason::ConnectFailure, RetryReason::ReusedConnection];
        Self { attempts: 1, budget_percent: 20, on }
    }
}

/// A reason to send a request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryReason {
    /// No connection to the target could be opened.
    ConnectFailure,
    /// A connection that was open already failed before any byte of an answer.
    ReusedConnection,
    /// The target answered with this status, from 500 to 599.
    Status(u16),
}

impl fmt::Display for RetryReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailure => formatter.write_str("connect_failure"),
            Self::ReusedConnection => formatter.write_str("reused_connection"),
            Self::Status(status) => status.fmt(formatter),
        }
    }
}

/// The PROXY header before a connection to a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    /// None.
    #[default]
    None,
    /// Version 1, which is text.
    V1,
    /// Version 2, which is binary.
    V2,
}
