//! Next hops of targets, an input of the plan. How it is found out is not decided here.

use std::{collections::BTreeMap, net::IpAddr};

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
    /// Largest IP packet on the route, in bytes: the route's MTU, else the interface's.
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
