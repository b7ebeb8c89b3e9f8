//! PURE: the headers that all packets of a run have in common, with zeros where packets differ, and the
//! sums of their words, from which the program makes checksums.

use std::net::IpAddr;

use super::{EgressPath, Plan, Transport};

/// Bytes of the headers, rounded up: Ethernet, IPv6, TCP.
pub(super) const HEADERS: usize = 80;

const TTL: u8 = 64;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// TCP flags (RFC 9293).
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// What the program is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) bytes: [u8; HEADERS],
    /// Of the IPv4 header; 0 for IPv6.
    pub(super) sum_ip: u32,
    /// Of the TCP or UDP header and its pseudo header (RFC 9293, RFC 8200), without lengths.
    pub(super) sum_transport: u32,
    /// Last four bytes of the first source address.
    pub(super) address_first: u32,
}

impl Template {
    pub(super) fn new(plan: &Plan, path: &EgressPath) -> Self {
        let mut writer = Writer::default();
        writer.put(&path.destination_mac).put(&path.source_mac);
        let protocol = match plan.transport {
            Transport::Tcp => TCP,
            Transport::Udp => UDP,
        };
        let (sum_ip, addresses_sum, address_first) = match (plan.sources.first, plan.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                writer.put(&[0x08, 0x00]);
                let start = writer.length;
                // No options, length 0, do not fragment, checksum 0, source 0.
                writer.put(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, TTL, protocol, 0, 0, 0, 0, 0, 0]);
                writer.put(&to.octets());
                (writer.sum_from(start), sum(&to.octets()), from.to_bits())
            }
            (from, to) => {
                let (from, to) = (v6_octets(from), v6_octets(to));
                let [head @ .., a, b, c, d] = from;
                writer.put(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, protocol, TTL]);
                writer.put(&head).put(&[0; 4]).put(&to);
                (0, sum(&head) + sum(&to), u32::from_be_bytes([a, b, c, d]))
            }
        };
        let start = writer.length;
        writer.put(&[0, 0]).put(&plan.to.port().to_be_bytes());
        match plan.transport {
            // Sequence number 1, 20 bytes long, window 65535.
            Transport::Tcp => {
                let (answered, flags) = if plan.syn { (0, SYN) } else { (1, ACK) };
                writer.put(&[0, 0, 0, 1, 0, 0, 0, answered, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0])
            }
            Transport::Udp => writer.put(&[0; 4]),
        };
        let sum_transport = writer.sum_from(start) + addresses_sum + u32::from(protocol);
        Self { bytes: writer.bytes, sum_ip, sum_transport, address_first }
    }
}

fn v6_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Of the words of two bytes.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum()
}

struct Writer {
    bytes: [u8; HEADERS],
    length: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self { bytes: [0; HEADERS], length: 0 }
    }
}

impl Writer {
    /// Appends; the longest headers fit.
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
        self
    }

    fn sum_from(&self, start: usize) -> u32 {
        sum(&self.bytes[start..self.length])
    }
}
