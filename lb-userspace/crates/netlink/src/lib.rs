//! The next hop of each target: interface, MAC addresses, MTU; resolved through netlink and
//! followed as the host's network changes.
//!
//! [`Resolver`] is the entry point. It deliberately decides nothing about targets: what it does not
//! know it reports, with the reason, and what to do about that is for its user.
//!
//! `resolve`, `xdp_transmit` and `neighbour_refresh` are pure, `decode` and `encode` are the
//! kernel's format; `netlink` and `netdev` talk to the kernel, `watch` is the loop that joins them.
//! `network_lookup` does single lookups, for `xelb doctor`, and `veth` inspects a veth pair, for
//! attaching programs.

use lb_plan::{NextHop, NextHopState};

mod addresses;
mod decode;
mod encode;
mod listening_sockets;
mod local_routes;
mod macs;
mod neighbour_refresh;
mod netdev;
mod netlink;
mod network_lookup;
mod resolve;
mod rtnetlink;
mod veth;
mod vip_routes;
mod watch;
mod xdp_transmit;

pub use addresses::AddressWatch;
pub use listening_sockets::listening_sockets;
pub use local_routes::local_prefixes;
pub use macs::{MacWatch, Macs};
pub use netlink::ResolverError;
pub use network_lookup::{LinkDetails, NetworkLookup, OutputRoute, XdpOnLink};
pub use veth::Veth;
pub use vip_routes::{VIP_ROUTE_PROTOCOL, add_vip_route, remove_vip_route, vip_routes};
pub use watch::Resolver;
pub use xdp_transmit::{FAR_END_REMEDY, FarEnd, Ingress, far_end_without_program};
