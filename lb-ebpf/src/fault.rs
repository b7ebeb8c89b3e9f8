//! What is wrong with a packet whose headers cannot be used, and whose it is.

use lb_common::{Address, DropReason, Family, VipKey};

use crate::{Tables, listener, verdict::Stop};

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
