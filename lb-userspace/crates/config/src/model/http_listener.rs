//! Listeners that the proxy serves: they end connections of clients, and TLS.

use std::{fmt, path::PathBuf, time::Duration};

use ipnet::IpNet;
use lb_rules::{Action, ListenerEnd, Protocol, Rule, RuleError, RuleSet};

use super::http_group::CertificateFiles;

/// A listener of HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpListener {
    /// Its name, unique among all listeners.
    pub name: String,
    /// The VIP as a host prefix, or a prefix of VIPs without host bits.
    pub address: IpNet,
    /// Its port.
    pub port: u16,
    /// TLS: always with `https`, never with `http`.
    pub tls: Option<ListenerTls>,
    /// Its rules in the order of the configuration; [`HttpListener::rule_set`] has them in the order
    /// in which they are tried.
    pub rules: Vec<Rule>,
    /// What is done with requests that no rule matches.
    pub default_action: Action,
    /// Everything else.
    pub attributes: HttpAttributes,
}

impl HttpListener {
    /// What it speaks with clients.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        if self.tls.is_some() { Protocol::Https } else { Protocol::Http }
    }

    /// Its checked rules, ready to be tried.
    ///
    /// # Errors
    ///
    /// Faults of the rules; a checked configuration has none.
    pub fn rule_set(&self) -> Result<RuleSet, Vec<RuleError>> {
        let listener = ListenerEnd { protocol: self.protocol(), port: self.port };
        RuleSet::new(self.rules.clone(), self.default_action.clone(), listener)
    }

    /// Names of the target groups that it may forward to, with repetitions.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let actions = self.rules.iter().flat_map(|rule| &rule.actions);
        actions
            .chain([&self.default_action])
            .flat_map(|action| match action {
                Action::Forward(forward) => forward.target_groups.as_slice(),
                Action::Redirect(_) | Action::FixedResponse(_) => &[],
            })
            .map(|group| group.name.as_str())
    }
}

/// A listener that ends TLS; what is inside goes on to a target group of `tcp` as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsListener {
    /// Its name, unique among all listeners.
    pub name: String,
    /// The VIP as a host prefix, or a prefix of VIPs without host bits.
    pub address: IpNet,
    /// Its port.
    pub port: u16,
    /// TLS.
    pub tls: ListenerTls,
    /// Name of the target group that it forwards to: one of `tcp` that the proxy reaches.
    pub target_group: String,
    /// How long a connection without bytes stays open; whole seconds.
    pub idle_timeout: Duration,
    /// Proxies before this host whose connections must begin with a PROXY header.
    pub trusted_proxies: Vec<IpNet>,
    /// A line for each connection; `None` is no log.
    pub access_log: Option<AccessLog>,
    /// A line for each TLS handshake, good or not; `None` is no log.
    pub connection_log: Option<AccessLog>,
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one. Clients get one by their server name (SNI); the first is the default.
    pub certificates: Vec<CertificateFiles>,
    /// Versions and cipher suites.
    pub policy: TlsPolicy,
    /// Certificates of clients.
    pub client_auth: ClientAuth,
    /// Protocols that a listener of `tls` offers (ALPN), the most wanted first; empty offers none. Those of
    /// `https` follow from `http2`.
    pub alpn: Vec<String>,
}

/// Versions and cipher suites of TLS, by the names of Mozilla's guide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsPolicy {
    /// TLS 1.3.
    Modern,
    /// TLS 1.2 with forward secrecy and AEAD, and TLS 1.3.
    #[default]
    Intermediate,
}

impl fmt::Display for TlsPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Modern => "modern",
            Self::Intermediate => "intermediate",
        })
    }
}

/// Certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    Off,
    /// Clients need a certificate of one of these CAs (PEM files).
    Verify {
        /// Certificates of the CAs.
        ca: PathBuf,
        /// Lists of certificates that the CAs have revoked (CRL).
        crl: Option<PathBuf>,
    },
    /// Whatever clients have is passed to targets in a header, unverified.
    Passthrough,
}

/// Attributes of a listener of HTTP, with the names and defaults of ELB.
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of ELB that is on or off")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAttributes {
    /// How long a connection may be silent; whole seconds.
    pub idle_timeout: Duration,
    /// Longest life of a client's connection; whole seconds.
    pub client_keep_alive: Duration,
    /// How long a tunnel (such as WebSocket) may be silent; whole seconds.
    pub tunnel_timeout: Duration,
    /// What becomes of requests that could be read in two ways.
    pub desync_mitigation: DesyncMitigation,
    /// What becomes of `X-Forwarded-For`.
    pub xff_header_processing: XffProcessing,
    /// Whether `X-Forwarded-For` has the client's port, too.
    pub xff_client_port: bool,
    /// Proxies before this host whose connections must begin with a PROXY header.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether header fields with invalid names are removed.
    pub drop_invalid_header_fields: bool,
    /// Whether targets get the `Host` of the client, with its port, as it is.
    pub preserve_host_header: bool,
    /// Whether clients may use HTTP/2; never without TLS.
    pub http2: bool,
    /// A line for each request; `None` is no log.
    pub access_log: Option<AccessLog>,
    /// A line for each connection and for each that failed before a request; `None` is no log.
    pub connection_log: Option<AccessLog>,
}

/// What becomes of requests that could be read in two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DesyncMitigation {
    /// They are logged and passed.
    Monitor,
    /// Those that are dangerous are refused.
    #[default]
    Defensive,
    /// Only what complies with the standard is passed.
    Strictest,
}

/// What becomes of `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum XffProcessing {
    /// The client's address is added.
    #[default]
    Append,
    /// It stays as it is.
    Preserve,
    /// It is removed.
    Remove,
}

/// A log of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Its file.
    pub file: PathBuf,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of an access log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// A JSON object.
    #[default]
    Json,
    /// The fields of ELB's application load balancer, in its order.
    Alb,
    /// The fields of ELB's network load balancer for listeners of TLS, in its order.
    Nlb,
}
