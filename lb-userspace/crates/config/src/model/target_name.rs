//! Where a target is: an address, or a DNS name whose addresses become targets.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Where a server is. As a text `10.0.1.11` or `order.example.org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TargetAddress {
    /// Its address.
    Ip(IpAddr),
    /// A DNS name in lower case without final dot, which may have several addresses.
    Name(Arc<str>),
}

impl TargetAddress {
    /// With a port, as people write both.
    #[must_use]
    pub fn with_port(&self, port: u16) -> String {
        match self {
            Self::Ip(address) => std::net::SocketAddr::new(*address, port).to_string(),
            Self::Name(name) => format!("{name}:{port}"),
        }
    }
}

impl fmt::Display for TargetAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl FromStr for TargetAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = crate::dns_name::dns_name(text).map(|name| Self::Name(name.into()));
        name.ok_or_else(|| {
            let text = crate::error::brief(text);
            format!("`{text}` is neither an address nor a DNS name, such as order.example.org")
        })
    }
}

impl TryFrom<String> for TargetAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TargetAddress> for String {
    fn from(address: TargetAddress) -> Self {
        address.to_string()
    }
}

impl From<IpAddr> for TargetAddress {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

/// A DNS name among the targets of a group: each of its addresses becomes a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTarget {
    /// The name, in lower case and without final dot.
    pub name: Arc<str>,
    /// The port of these targets.
    pub port: u16,
    /// The weight of each of them.
    pub weight: u32,
    /// Whether they are backups; only in groups that get packets.
    pub backup: bool,
}

impl NamedTarget {
    /// Most addresses of a name that become targets.
    pub const ADDRESSES_MAX: usize = 64;
}

/// The name and port, as people write them.
impl fmt::Display for NamedTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.port)
    }
}
