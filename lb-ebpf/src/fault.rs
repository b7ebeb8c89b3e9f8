//! What reading an IP header gives: its fields, or what is wrong with the packet and whose it is.

use lb_common::{Address, DropReason, Family, VipKey};

use crate::{Tables, listener, verdict::Stop};

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
    pub(crate) fragment: Fragment,
}

/// Which part of a packet this is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fragment {
    /// What all fragments of the packet have in common; meaningless in a whole packet.
    pub(crate) identification: u32,
    /// Where its payload belongs, in bytes.
    pub(crate) offset: u16,
    /// Whether others follow.
    pub(crate) more: bool,
}

impl Fragment {
    /// A whole packet.
    pub(crate) const WHOLE: Self = Self { identification: 0, offset: 0, more: false };

    /// Whether it is one of several.
    #[inline(always)]
    pub(crate) const fn is_part(self) -> bool {
        self.offset != 0 || self.more
    }
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
    /// Neither TCP nor UDP nor ICMP, or no IP header at all: never ours.
    NotOurs,
    /// ICMP, or one fragment of several: see `exception.rs`.
    Exception,
    /// It contradicts itself or is cut off.
    Malformed(DropReason),
}

const NO_VIP: VipKey = VipKey::new(Family::V4, Address { words: [0; 2] });

impl Fault {
    /// A packet that is not ours, whatever its destination.
    pub(crate) const NOT_OURS: Self = Self { vip: NO_VIP, kind: FaultKind::NotOurs };

    /// A packet that takes more than a look at its transport header.
    pub(crate) const EXCEPTION: Self = Self { vip: NO_VIP, kind: FaultKind::Exception };

    #[inline(always)]
    pub(crate) const fn malformed(vip: VipKey, reason: DropReason) -> Self {
        Self { vip, kind: FaultKind::Malformed(reason) }
    }

    /// Only what is for a VIP is ours to drop or count; everything else passes.
    #[inline(always)]
    pub(crate) fn judge<T: Tables>(self, tables: &T) -> Stop {
        match self.kind {
            FaultKind::NotOurs => Stop::Pass,
            FaultKind::Exception => Stop::Exception,
            FaultKind::Malformed(reason) => ours(&self.vip, Stop::Drop(reason), tables),
        }
    }
}

/// `stop` for what is for a VIP; everything else passes.
#[inline(always)]
pub(crate) fn ours<T: Tables>(vip: &VipKey, stop: Stop, tables: &T) -> Stop {
    if listener::is_vip(vip, tables) { stop } else { Stop::Pass }
}
