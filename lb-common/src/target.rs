//! Targets as the data path sees them: everything that a packet's new headers need.

use crate::{Address, Be16, limits::TARGETS_MAX, shared};

/// Words of the longest head: Ethernet, a VLAN tag, IPv6, UDP, the GUE header (74 bytes).
pub const HEAD_WORDS: usize = 10;

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
    /// Registered; its first health checks are in progress.
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

/// Which headers the head of a target has after the link layer. In maps it is stored as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Shape {
    /// Nothing.
    Link = 1,
    /// IPv4.
    Ipv4 = 2,
    /// IPv6.
    Ipv6 = 3,
    /// IPv4 and UDP.
    GueV4 = 4,
    /// IPv6 and UDP.
    GueV6 = 5,
    /// IPv4, UDP and the GUE header.
    GueHeaderV4 = 6,
    /// IPv6, UDP and the GUE header.
    GueHeaderV6 = 7,
}

impl Shape {
    /// The number of packets that are translated, or not forwarded at all.
    pub const NONE: u8 = 0;
}

impl TryFrom<u8> for Shape {
    type Error = u8;

    #[inline(always)]
    fn try_from(number: u8) -> Result<Self, u8> {
        Ok(match number {
            1 => Self::Link,
            2 => Self::Ipv4,
            3 => Self::Ipv6,
            4 => Self::GueV4,
            5 => Self::GueV6,
            6 => Self::GueHeaderV4,
            7 => Self::GueHeaderV6,
            other => return Err(other),
        })
    }
}

shared! {
    /// One target: two cache lines, of which packets that are only encapsulated in IPv4 read the
    /// first.
    pub struct Target: 128 {
        /// [`Target::VALID`], [`Target::RESOLVED`], [`Target::ROUTABLE`],
        /// [`Target::ACCEPTING`], [`Target::LEAVING`] and [`Target::TAGGED`].
        pub flags: u16,
        /// Largest packet that may go there, its head not counted, in bytes.
        pub room: u16,
        /// Largest TCP MSS that a SYN may offer to it, in bytes; 0 is any.
        pub mss: u16,
        /// Ones' complement sum (RFC 1071), not inverted, of the outer IPv4 header in `head`, as a
        /// word in memory order; 0 for IPv6.
        pub outer_checksum: Be16,
        /// Index of the interface towards its next hop.
        pub interface: u32,
        /// Number of its [`Mode`].
        pub mode: u8,
        /// Number of the [`Family`] of `address`.
        pub family: u8,
        /// Number of its [`Shape`], or [`Shape::NONE`].
        pub shape: u8,
        /// Number of its [`TargetState`]; for the agent only, like all behind `address`.
        pub state: u8,
        /// The headers before packets to it, without the fields that differ between packets; see
        /// [`crate::head`].
        pub head: [u64; HEAD_WORDS],
        /// Its address; in the tunnel modes the outer destination.
        pub address: Address,
        /// Id of its target group.
        pub group: u16,
        /// Its port.
        pub port: Be16,
        /// VLAN tag towards its next hop (priority, drop eligibility, number); 0 is untagged.
        pub vlan: Be16,
        /// Largest IP packet that its next hop takes, in bytes.
        pub mtu: u16,
        /// Second of the monotonic clock since when it takes new flows; 0 when it takes none.
        pub since: u32,
        /// Second of the monotonic clock at which its draining ends; in an entry that is not in use,
        /// the second from which its number may be given to another target. 0 when neither is the
        /// case.
        pub until: u32,
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
    /// Flag: packets to it get the tag in `vlan`.
    pub const TAGGED: u16 = 32;

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

    /// Whether packets to it get a VLAN tag.
    #[must_use]
    #[inline(always)]
    pub const fn is_tagged(&self) -> bool {
        self.flags & Self::TAGGED != 0
    }

    /// Whether packets to it need no more than its head: the next hop is known, and there is no tag.
    #[must_use]
    #[inline(always)]
    pub const fn is_plain(&self) -> bool {
        self.flags & (Self::RESOLVED | Self::TAGGED) == Self::RESOLVED
    }

    /// Whether the next hop is known.
    #[must_use]
    #[inline(always)]
    pub const fn is_resolved(&self) -> bool {
        self.flags & Self::RESOLVED != 0
    }
}

/// The only element of the map `TARGETS`: every target twice. `active` says which of the two a
/// packet reads; the agent writes the other one and then flips, so that no packet sees half of a
/// change. It does not write the one that it flipped away from before a grace period has passed.
#[repr(C)]
pub struct Targets {
    /// Both versions of every target, by id. The entries of one IP version are together: the first
    /// lines of many targets are then spread over all sets of a cache.
    pub versions: [[Target; TARGETS_MAX]; 2],
    /// Which version is active, by id: 0 or 1.
    pub active: [u8; TARGETS_MAX],
}
