//! What reading an IP header gives: its fields, or what is wrong with the packet and whose it is.

use lb_common::{Address, DropReason, Family, VipKey};

use crate::{Tables, verdict::Stop};

/// An IP header that has been read, and where its payload starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpPacket {
    pub(crate) family: Family,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) protocol: u8,
    pub(crate) traffic_class: u8,
    /// Length in bytes, header included.
    pub(crate) length: u16,
    /// Length of header, options and extension headers in bytes.
    pub(crate) header_length: usize,
}

/// What is wrong with a packet whose destination could be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) vip: VipKey,
    pub(crate) kind: FaultKind,
}

/// Why a packet has no readable ports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FaultKind {
    /// Not TCP or UDP, or no IP header at all: never ours.
    NotOurs,
    /// One fragment of several.
    Fragment,
    /// It contradicts itself or is cut off.
    Malformed(DropReason),
}

impl Fault {
    /// A packet that is not ours, whatever its destination.
    pub(crate) const NOT_OURS: Self =
        Self { vip: VipKey::new(Family::V4, Address { words: [0; 2] }), kind: FaultKind::NotOurs };

    #[inline(always)]
    pub(crate) const fn malformed(vip: VipKey, reason: DropReason) -> Self {
        Self { vip, kind: FaultKind::Malformed(reason) }
    }

    #[inline(always)]
    pub(crate) const fn fragment(vip: VipKey) -> Self {
        Self { vip, kind: FaultKind::Fragment }
    }

    /// Only what is for a VIP is ours to drop or count; everything else passes.
    #[inline(always)]
    pub(crate) fn judge<T: Tables>(self, tables: &T) -> Stop {
        match self.kind {
            FaultKind::NotOurs => Stop::Pass,
            _ if !tables.is_vip(&self.vip) => Stop::Pass,
            FaultKind::Fragment => Stop::PassFragment,
            FaultKind::Malformed(reason) => Stop::Drop(reason),
        }
    }
}
