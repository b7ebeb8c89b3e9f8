//! PURE: what the proxy serves at one moment: listeners with their rules, target groups, and what the
//! agent says of their targets. It is a plain value; reading configuration is done elsewhere.

use std::{net::SocketAddr, sync::Arc};

use lb_rules::{
    Index,
    choice::{Health, Settings},
    sticky::{Keys, SameSite},
};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};

use crate::{
    attributes::{GroupAttributes, ListenerAttributes, TargetStickiness},
    server_names::CertificateSet,
};

/// Everything that requests need. The proxy takes a new one as a whole.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Number of the revision, for logs and metrics.
    pub revision: u64,
    /// Listeners; their names and addresses differ.
    pub listeners: Vec<Listener>,
    /// Target groups; their names differ.
    pub groups: Vec<Group>,
    /// Keys of sticky cookies, which all hosts share.
    pub sticky_keys: Keys,
}

/// A listener.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Where it accepts connections.
    pub address: SocketAddr,
    /// Its rules, with protocol and port of the listener.
    pub rules: Arc<Index>,
    /// TLS of an `https` listener; `None`: HTTP in clear.
    pub tls: Option<Arc<ServerConfig>>,
    /// The certificates of that, if requests for hosts of another one than the connection's get status 421.
    pub certificates: Option<Arc<CertificateSet>>,
    /// Attributes.
    pub attributes: ListenerAttributes,
    /// `SameSite` of sticky cookies.
    pub same_site: SameSite,
}

/// A target group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its targets; addresses differ.
    pub targets: Vec<Target>,
    /// How a target is chosen.
    pub choice: Settings,
    /// Cookies that keep a client with its target.
    pub stickiness: Option<TargetStickiness>,
    /// TLS towards targets; `None`: in clear.
    pub tls: Option<TargetTls>,
    /// Attributes.
    pub attributes: GroupAttributes,
}

/// A target, and what the agent says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Address and port.
    pub address: SocketAddr,
    /// Weight; 0 gets only sticky sessions.
    pub weight: u32,
    /// Health or draining.
    pub health: Health,
}

/// TLS towards the targets of a group.
#[derive(Debug, Clone)]
pub struct TargetTls {
    /// Trusted certificates, and the own one if targets want it.
    pub config: Arc<ClientConfig>,
    /// Name that the certificate of a target must have, and that it is asked for (SNI).
    pub server_name: ServerName<'static>,
}
