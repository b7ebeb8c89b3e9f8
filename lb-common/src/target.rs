//! Targets as the data path sees them: everything that a packet's new headers need.

use crate::{Address, Be16, Family, Mac, limits::TARGETS_MAX, shared};

/// How a packet reaches its target. In maps it is stored as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mode {
    /// IP in IP (RFC 2003, RFC 2473).
    Ipip = 1,
    /// Destination MAC only: direct server return on the same layer 2.
    L2dsr = 2,
    /// IP in UDP (Generic UDP Encapsulation, draft-ietf-intarea-gue-09), without or with its header.
    Gue = 3,
    /// Destination address and port rewritten; replies come back through this host.
    Nat = 4,
    /// Source and destination rewritten; replies come back to an address of this host.
    Fullnat = 5,
}

impl Mode {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::L2dsr => "l2dsr",
            Self::Gue => "gue",
            Self::Nat => "nat",
            Self::Fullnat => "fullnat",
        }
    }
}

impl TryFrom<u8> for Mode {
    type Error = u8;

    fn try_from(number: u8) -> Result<Self, u8> {
        match number {
            1 => Ok(Self::Ipip),
            2 => Ok(Self::L2dsr),
            3 => Ok(Self::Gue),
            4 => Ok(Self::Nat),
            5 => Ok(Self::Fullnat),
            other => Err(other),
        }
    }
}

/// State of a target, in ELB's words. In maps it is stored as its number; the data path does not
/// read it, a restarted agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TargetState {
    /// Registered; its first health checks are under way.
    Initial = 1,
    /// It passes its health checks.
    Healthy = 2,
    /// It fails them.
    Unhealthy = 3,
    /// It keeps the flows it has and takes no new ones.
    Draining = 4,
    /// No listener uses its target group: it is not checked.
    Unused = 5,
}

impl TryFrom<u8> for TargetState {
    type Error = u8;

    fn try_from(number: u8) -> Result<Self, u8> {
        Ok(match number {
            1 => Self::Initial,
            2 => Self::Healthy,
            3 => Self::Unhealthy,
            4 => Self::Draining,
            5 => Self::Unused,
            other => return Err(other),
        })
    }
}

shared! {
    /// One target: two cache lines, of which packets that are only encapsulated read the first.
    pub struct Target: 128 {
        /// [`Target::VALID`], [`Target::RESOLVED`], [`Target::ROUTABLE`] and
        /// [`Target::ACCEPTING`].
        pub flags: u16,
        /// Largest IP packet that its next hop takes, in bytes.
        pub mtu: u16,
        /// VLAN tag towards its next hop (priority, drop eligibility, number); 0 is untagged.
        pub vlan: Be16,
        /// In mode gue: the UDP port that it takes tunnels at.
        pub tunnel_port: Be16,
        /// Its address; in the tunnel modes the outer destination.
        pub address: Address,
        /// Destination MAC of its next hop.
        pub destination_mac: Mac,
        /// MAC of the interface towards its next hop.
        pub source_mac: Mac,
        /// Index of that interface.
        pub interface: u32,
        /// Number of its [`Mode`].
        pub mode: u8,
        /// Number of the [`Family`] of `address`.
        pub family: u8,
        /// In mode gue: the variant, 0 (with a header of 4 bytes) or 1 (without).
        pub gue_variant: u8,
        /// Zero.
        pub reserved: u8,
        /// Ones' complement sum (RFC 1071), not inverted, of the outer IPv4 header's constant
        /// fields as [`Target::constant_checksum`] gives it; 0 for IPv6.
        pub outer_checksum: u16,
        /// Largest TCP MSS that a SYN may offer to it, in bytes; 0 is any.
        pub mss: u16,
        /// Outer source; its last 16 bits (bytes 2 and 3 for IPv4, 14 and 15 for IPv6) are taken
        /// from the flow hash.
        pub outer_source: Address,
        /// Id of its target group.
        pub group: u16,
        /// Its port.
        pub port: Be16,
        /// Number of its [`TargetState`]; for the agent only, like all that follows.
        pub state: u8,
        /// Zero.
        pub reserved_state: [u8; 3],
        /// Second of the monotonic clock since when it takes new flows; 0 when it takes none.
        pub since: u32,
        /// Second of the monotonic clock at which its draining ends; in an entry that is not in use,
        /// the second from which its number may be given to another target. 0 when neither is the
        /// case.
        pub until: u32,
        /// Zero.
        pub reserved_tail: [u64; 6],
    }
}

impl Target {
    /// Flag: the entry is in use.
    pub const VALID: u16 = 1;
    /// Flag: the next hop is known.
    pub const RESOLVED: u16 = 2;
    /// Flag: flows that belong to it may go there: it is in service or draining.
    pub const ROUTABLE: u16 = 4;
    /// Flag: it takes new flows.
    pub const ACCEPTING: u16 = 8;
    /// Flag: it has left the configuration and finishes its flows; for the agent only.
    pub const LEAVING: u16 = 16;

    /// TTL and hop limit of outer headers (the IANA default of RFC 1700).
    pub const OUTER_TTL: u8 = 64;

    /// Whether the entry is in use.
    #[must_use]
    #[inline(always)]
    pub const fn is_valid(&self) -> bool {
        self.flags & Self::VALID != 0
    }

    /// Whether flows that belong to it may go there.
    #[must_use]
    #[inline(always)]
    pub const fn is_routable(&self) -> bool {
        self.flags & Self::ROUTABLE != 0
    }

    /// Whether it takes new flows.
    #[must_use]
    #[inline(always)]
    pub const fn is_accepting(&self) -> bool {
        self.flags & Self::ACCEPTING != 0
    }

    /// Whether the next hop is known.
    #[must_use]
    #[inline(always)]
    pub const fn is_resolved(&self) -> bool {
        self.flags & Self::RESOLVED != 0
    }

    /// The sum of those 16-bit words of the outer IPv4 header that are the same for every packet
    /// to this target: version and length with DSCP 0, flags (don't fragment), TTL, both addresses
    /// (flow bits of the source zero). Total length, DSCP and ECN, protocol and flow bits are the
    /// packet's to add.
    #[must_use]
    pub fn constant_checksum(&self) -> u16 {
        if Family::try_from(self.family) != Ok(Family::V4) {
            return 0;
        }
        let [s0, s1, ..] = self.outer_source.first_four();
        let [d0, d1, d2, d3] = self.address.first_four();
        let mut sum: u32 = 0x4500
            + 0x4000
            + (u32::from(Self::OUTER_TTL) << 8)
            + u32::from(u16::from_be_bytes([s0, s1]))
            + u32::from(u16::from_be_bytes([d0, d1]))
            + u32::from(u16::from_be_bytes([d2, d3]));
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

/// The only element of the map `TARGETS`: every target twice. `active` says which of the two a
/// packet reads; the agent writes the other one and then flips, so that no packet sees half of a
/// change. It does not write the one that it flipped away from before a grace period has passed.
#[repr(C)]
pub struct Targets {
    /// Both versions of every target, by id.
    pub versions: [[Target; 2]; TARGETS_MAX],
    /// Which version is active, by id: 0 or 1.
    pub active: [u8; TARGETS_MAX],
}
