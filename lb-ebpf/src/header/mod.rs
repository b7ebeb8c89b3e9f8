//! Headers as in a packet: fields in network byte order, at any even offset.

mod ethernet;
mod icmp;
mod ipv4;
mod ipv6;
mod transport;

pub use ethernet::{Ethernet, VlanTag, ether_type};
pub use icmp::{Icmp, icmp_v4, icmp_v6};
pub use ipv4::Ipv4;
pub use ipv6::{Extension, Ipv6, next_header};
pub use transport::{Byte, Gue, Ports, Tcp, TcpOption, Udp, Words};
