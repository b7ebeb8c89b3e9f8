//! The verdict on a packet, and early exits.

use core::hint::cold_path;

use lb_common::{Counter, DropReason};

use crate::packet::HeadroomExhausted;

/// The verdict on a packet.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the host's own network stack.
    Pass,
    /// Dropped, for this reason.
    Drop(DropReason),
    /// Out of the interface that it came in by.
    Transmit,
    /// Out of the interface with this index.
    Redirect(u32),
}

/// Why a packet does not reach its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is not for xelb.
    Pass,
    /// It is handled as one that is not plain.
    NotPlain,
    /// It is ICMP, or a fragment: more than its transport header has to be parsed.
    Exception,
    /// It is for the host's own network stack, and counted.
    PassCounted(Counter),
    /// It is a ping to a VIP.
    Echo,
    /// It cannot be forwarded.
    Drop(DropReason),
    /// It is for a listener whose targets need translation, or may be an answer of such a target.
    Translate,
    /// It is for no listener.
    Unlisted,
    /// Its flow has no binding.
    Create,
    /// No binding, or no port to its target, is free.
    Exhausted,
    /// The target of its connection was removed, and its client gets a RST.
    Reset,
    /// It does not fit the path to its target, whose MTU is this many bytes.
    TooBig(u16),
}

impl Stop {
    /// The ring names a target that does not exist.
    #[inline(always)]
    pub(crate) const fn target_missing() -> Self {
        Self::Drop(DropReason::TargetMissing)
    }
}

impl From<DropReason> for Stop {
    #[inline(always)]
    fn from(reason: DropReason) -> Self {
        cold_path();
        Self::Drop(reason)
    }
}

impl From<HeadroomExhausted> for Stop {
    #[inline(always)]
    fn from(_: HeadroomExhausted) -> Self {
        cold_path();
        Self::Drop(DropReason::HeadroomExhausted)
    }
}
