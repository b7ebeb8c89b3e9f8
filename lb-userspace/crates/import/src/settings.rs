//! What the user adds to a text.

use std::net::IpAddr;

/// What such a configuration does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Interfaces where clients' packets arrive; none is what the text says, or a placeholder.
    pub interfaces: Vec<String>,
    /// Addresses of listeners whose text says "any address", one a family at most.
    pub addresses: Vec<IpAddr>,
    /// Addresses that packets to targets of mode `fullnat` come from.
    pub source_addresses: Vec<IpAddr>,
}
