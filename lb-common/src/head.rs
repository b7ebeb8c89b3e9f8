//! The headers before a packet to a target: built once, when the target is written, and copied
//! before each packet. What differs between packets is zero in it, and added by the data path.

use core::net::IpAddr;

use crate::{
    Address, Be16, Family, Mac, Mode, Target,
    listener::protocol,
    target::{HEAD_WORDS, Shape},
};

/// Length of the Ethernet header in bytes.
pub const ETHERNET: usize = 14;
/// Length of a VLAN tag in bytes.
pub const VLAN_TAG: usize = 4;
/// Length of an IPv4 header without options in bytes.
pub const IPV4: usize = 20;
/// Length of an IPv6 header in bytes.
pub const IPV6: usize = 40;
/// Length of a UDP header in bytes.
pub const UDP: usize = 8;
/// Length of a GUE header in bytes.
pub const GUE: usize = 4;

/// TTL and hop limit of outer headers (the IANA default of RFC 1700).
pub const OUTER_TTL: u8 = 64;

/// How packets get to a target: what its head is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadFields {
    /// How they are forwarded.
    pub mode: Mode,
    /// The target's address; in the tunnel modes the outer destination.
    pub address: IpAddr,
    /// Destination MAC of the next hop.
    pub destination_mac: Mac,
    /// MAC of the interface towards the next hop.
    pub source_mac: Mac,
    /// VLAN tag towards the next hop (priority, drop eligibility, number); 0 is untagged.
    pub vlan: Be16,
    /// In the tunnel modes: the outer source; its last 16 bits (bytes 2 and 3 for IPv4, 14 and 15 for
    /// IPv6) are taken from the flow hash.
    pub outer_source: Address,
    /// In mode gue: the UDP port that the target takes tunnels at.
    pub gue_port: Be16,
    /// In mode gue: the variant, 0 (with a header of 4 bytes) or 1 (without).
    pub gue_variant: u8,
}

/// A head while it is written.
struct Writer {
    bytes: [u8; HEAD_WORDS * 8],
    length: usize,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *place = *byte;
        }
        self.length += bytes.len();
        self
    }
}

impl Target {
    /// The target with this next hop, which accepts packets of [`Target::mtu`] bytes.
    #[must_use]
    pub fn by(self, fields: &HeadFields) -> Self {
        let mut writer = Writer { bytes: [0; HEAD_WORDS * 8], length: 0 };
        let family = Family::from(&fields.address);
        link(&mut writer, fields, family);
        let link = writer.length;
        let address = Address::from(fields.address);
        let mut outer_checksum = 0;
        if matches!(fields.mode, Mode::Ipip | Mode::Gue) {
            match family {
                Family::V4 => outer_checksum = ipv4(&mut writer, fields, address),
                Family::V6 => ipv6(&mut writer, fields, address),
            }
        }
        if fields.mode == Mode::Gue {
            // Source port and length are the packet's, and the protocol in the GUE header; there is no
            // checksum (RFC 768, RFC 6935).
            writer.put(&[0; 2]).put(&port(fields.gue_port)).put(&[0; 4]);
            if fields.gue_variant == 0 {
                writer.put(&[0; GUE]);
            }
        }
        let overhead = u16::try_from(writer.length - link).unwrap_or(u16::MAX);
        let tagged = if fields.vlan.raw == 0 { 0 } else { Self::TAGGED };
        Self {
            flags: self.flags & !Self::TAGGED | tagged,
            mode: fields.mode as u8,
            family: family as u8,
            address,
            vlan: fields.vlan,
            room: self.mtu.saturating_sub(overhead),
            shape: shape(fields, family),
            outer_checksum: Be16::new(outer_checksum),
            head: bytemuck::cast(writer.bytes),
            ..self
        }
    }

    /// Destination MAC of its next hop.
    #[must_use]
    #[inline(always)]
    pub fn destination_mac(&self) -> Mac {
        let [first, ..] = self.head;
        let [a, b, c, _]: [u16; 4] = bytemuck::cast(first);
        Mac { words: [a, b, c] }
    }

    /// MAC of the interface towards its next hop.
    #[must_use]
    #[inline(always)]
    pub fn source_mac(&self) -> Mac {
        let [first, second, ..] = self.head;
        let [.., a]: [u16; 4] = bytemuck::cast(first);
        let [b, c, ..]: [u16; 4] = bytemuck::cast(second);
        Mac { words: [a, b, c] }
    }
}

fn shape(fields: &HeadFields, family: Family) -> u8 {
    let shape = match (fields.mode, family, fields.gue_variant) {
        (Mode::Nat | Mode::Fullnat, ..) => return Shape::NONE,
        (Mode::L2dsr, ..) => Shape::Link,
        (Mode::Ipip, Family::V4, _) => Shape::Ipv4,
        (Mode::Ipip, Family::V6, _) => Shape::Ipv6,
        (Mode::Gue, Family::V4, 0) => Shape::GueHeaderV4,
        (Mode::Gue, Family::V6, 0) => Shape::GueHeaderV6,
        (Mode::Gue, Family::V4, _) => Shape::GueV4,
        (Mode::Gue, Family::V6, _) => Shape::GueV6,
    };
    shape as u8
}

fn link(writer: &mut Writer, fields: &HeadFields, family: Family) {
    writer.put(&fields.destination_mac.octets()).put(&fields.source_mac.octets());
    if fields.vlan.raw != 0 {
        writer.put(&[0x81, 0]).put(&port(fields.vlan));
    }
    writer.put(match (fields.mode, family) {
        (Mode::Ipip | Mode::Gue, Family::V4) => &[0x08, 0x00],
        (Mode::Ipip | Mode::Gue, Family::V6) => &[0x86, 0xdd],
        // What the packet is.
        (Mode::L2dsr | Mode::Nat | Mode::Fullnat, _) => &[0, 0],
    });
}

/// Without total length, DSCP and ECN, checksum, flow bits, and the protocol in mode ipip. Gives the
/// ones' complement sum (RFC 1071) of the rest, not inverted.
fn ipv4(writer: &mut Writer, fields: &HeadFields, destination: Address) -> u16 {
    let [s0, s1, ..] = fields.outer_source.first_four();
    let [d0, d1, d2, d3] = destination.first_four();
    let protocol = payload(fields);
    let dont_fragment = 0x40;
    let header: [u8; IPV4] = [
        0x45,
        0,
        0,
        0,
        0,
        0,
        dont_fragment,
        0,
        OUTER_TTL,
        protocol,
        0,
        0,
        s0,
        s1,
        0,
        0,
        d0,
        d1,
        d2,
        d3,
    ];
    writer.put(&header);
    let mut sum = 0_u32;
    for pair in header.chunks_exact(2) {
        let [high, low] = pair else { continue };
        sum += u32::from(u16::from_be_bytes([*high, *low]));
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) as u16
}

/// Without traffic class, flow label, payload length, flow bits, and the next header in mode ipip.
fn ipv6(writer: &mut Writer, fields: &HeadFields, destination: Address) {
    let mut source = fields.outer_source.octets();
    let [.., high, low] = &mut source;
    (*high, *low) = (0, 0);
    writer.put(&[0x60, 0, 0, 0, 0, 0, payload(fields), OUTER_TTL]);
    writer.put(&source).put(&destination.octets());
}

/// In mode ipip it is the number of what is inside.
fn payload(fields: &HeadFields) -> u8 {
    if fields.mode == Mode::Gue { protocol::UDP } else { 0 }
}

fn port(port: Be16) -> [u8; 2] {
    port.raw.to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(mode: Mode, address: &str, outer_source: Address) -> HeadFields {
        HeadFields {
            mode,
            address: address.parse().unwrap(),
            destination_mac: Mac::new([2, 0, 0, 0, 0, 9]),
            source_mac: Mac::new([2, 0, 0, 0, 0, 1]),
            vlan: Be16::default(),
            outer_source,
            gue_port: Be16::new(6080),
            gue_variant: 0,
        }
    }

    /// The head starts with these bytes, and the rest is zero.
    fn check(target: &Target, shape: Shape, expected: &[&[u8]]) {
        let bytes: [u8; HEAD_WORDS * 8] = bytemuck::cast(target.head);
        let mut at = 0;
        for part in expected {
            assert_eq!(&bytes[at..at + part.len()], *part, "at {at}");
            at += part.len();
        }
        assert!(bytes[at..].iter().all(|byte| *byte == 0), "{bytes:x?}");
        assert_eq!(target.shape, shape as u8);
        assert_eq!(target.destination_mac(), Mac::new([2, 0, 0, 0, 0, 9]));
        assert_eq!(target.source_mac(), Mac::new([2, 0, 0, 0, 0, 1]));
    }

    const MACS: &[u8] = &[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1];

    #[test]
    fn ipv4_behind_a_tag() {
        let tagged = HeadFields {
            vlan: Be16::new(0x6064),
            ..fields(Mode::Ipip, "10.0.0.1", Address::v4([172, 18, 7, 7]))
        };
        let target = Target { mtu: 1500, ..Target::default() }.by(&tagged);
        assert_eq!(target.room, 1480);
        let ip = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 0, 0, 0, 172, 18, 0, 0, 10, 0, 0, 1];
        check(&target, Shape::Ipv4, &[MACS, &[0x81, 0, 0x60, 0x64, 8, 0], &ip]);
        // 4500 + 4000 + 4000 + ac12 + 0a00 + 0001 = 17b13, folded 7b14.
        assert_eq!(target.outer_checksum, Be16::new(0x7b14));
    }

    #[test]
    fn ipv6_and_gue() {
        let mut source = [0x11; 16];
        let fields = fields(Mode::Gue, "fd00::b", Address::v6(source));
        let target = Target { mtu: 1500, ..Target::default() }.by(&fields);
        assert_eq!(target.room, 1500 - 40 - 8 - 4);
        assert_eq!(target.by(&HeadFields { gue_variant: 1, ..fields }).room, 1500 - 40 - 8);
        assert_eq!(Target { mtu: 50, ..target }.by(&fields).room, 0);
        source[14..].fill(0);
        let destination = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xb];
        let first = [0x60, 0, 0, 0, 0, 0, 17, 64];
        let udp = [0, 0, 0x17, 0xc0];
        let parts: &[&[u8]] = &[MACS, &[0x86, 0xdd], &first, &source, &destination, &udp];
        check(&target, Shape::GueHeaderV6, parts);
        assert_eq!((target.outer_checksum.raw, target.vlan.raw), (0, 0));
    }

    #[test]
    fn translated_packets_have_a_link_layer_only() {
        let nat = fields(Mode::Nat, "10.0.0.1", Address::default());
        let target = Target::default().by(&nat);
        assert_eq!((target.shape, target.mode), (Shape::NONE, Mode::Nat as u8));
        let l2dsr = Target::default().by(&HeadFields { mode: Mode::L2dsr, ..nat });
        check(&l2dsr, Shape::Link, &[MACS]);
        assert_eq!(l2dsr.address, Address::v4([10, 0, 0, 1]));
    }
}
