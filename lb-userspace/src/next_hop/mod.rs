//! The next hop of each target: interface, MAC addresses, MTU; resolved through netlink and
//! followed as the host's network changes.
//!
//! [`Resolver`] is the door. It deliberately decides nothing about targets: what it does not know
//! it reports, with the reason, and what to do about that is for its user.
//!
//! `resolve`, `sends` and `keep` are pure, `decode` and `encode` are the kernel's language; `netlink` and
//! `netdev` talk to the kernel, `watch` is the loop that joins them. `inquire` looks once, for `xelb doctor`,
//! and `veth` at one pair, for whoever attaches a program there.

use std::{collections::BTreeMap, net::IpAddr};

mod addresses;
mod decode;
mod encode;
mod inquire;
mod keep;
mod local_routes;
mod macs;
mod netdev;
mod netlink;
mod resolve;
mod sends;
mod veth;
mod watch;

pub use addresses::AddressWatch;
pub use inquire::{Inquiry, LinkDetails, Way, XdpOnLink};
pub use local_routes::local_prefixes;
pub use macs::{MacWatch, Macs};
pub use netlink::ResolverError;
pub use sends::{FAR_END_REMEDY, FarEnd, Ingress, far_end_without_program};
pub use veth::Veth;
pub use watch::Resolver;

/// Where a frame for a target goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the interface it leaves by: the parent of a VLAN's.
    pub interface: u32,
    /// Number of the VLAN whose tag it gets; 0 is none.
    pub vlan: u16,
    /// MAC of that interface.
    pub source_mac: [u8; 6],
    /// MAC of the target, or of the router towards it.
    pub destination_mac: [u8; 6],
    /// Largest IP packet on the way, in bytes: the route's MTU, else the interface's.
    pub mtu: u16,
    /// Whether the target is on the link itself, not behind a router (`l2dsr` needs that).
    pub on_link: bool,
}

/// What is known, by address.
pub type NextHops = BTreeMap<IpAddr, NextHopState>;

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHopState {
    /// All of it.
    Resolved(NextHop),
    /// Not all yet: the kernel has been asked. The text says for what.
    Asking(String),
    /// Not enough; the text says why, for people ("no route to 10.0.0.1").
    Unresolved(String),
}
