//! Ethernet and VLAN tags (IEEE 802.3, 802.1Q).

use bytemuck::{Pod, Zeroable};
use lb_common::{Be16, Mac};

use crate::Wire;

/// EtherTypes (IANA "IEEE 802 Numbers").
pub mod ether_type {
    use lb_common::Be16;

    /// IPv4.
    pub const IPV4: Be16 = Be16::new(0x0800);
    /// IPv6.
    pub const IPV6: Be16 = Be16::new(0x86dd);
    /// Customer VLAN tag (802.1Q).
    pub const VLAN: Be16 = Be16::new(0x8100);
    /// Service VLAN tag (802.1ad).
    pub const SERVICE_VLAN: Be16 = Be16::new(0x88a8);
}

/// The Ethernet header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Ethernet {
    /// Destination MAC.
    pub destination: Mac,
    /// Source MAC.
    pub source: Mac,
    /// What follows.
    pub ether_type: Be16,
}

impl Wire for Ethernet {}

impl Ethernet {
    /// Whether it is for a group of hosts, or for all.
    #[must_use]
    #[inline(always)]
    pub const fn is_group(&self) -> bool {
        let [first, ..] = self.destination.words;
        first & u16::to_be(0x0100) != 0
    }
}

/// A VLAN tag, from after its own EtherType on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct VlanTag {
    /// Priority, drop eligibility, VLAN number.
    pub control: Be16,
    /// What follows.
    pub ether_type: Be16,
}

impl Wire for VlanTag {}
