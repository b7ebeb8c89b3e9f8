//! Headers as they lie in a packet: fields in network byte order, at any even offset.

mod ethernet;
mod ipv4;
mod ipv6;
mod transport;

pub use ethernet::{Ethernet, VlanTag, ether_type};
pub use ipv4::Ipv4;
pub use ipv6::{Extension, Ipv6, next_header};
pub use transport::{Tcp, Udp};
