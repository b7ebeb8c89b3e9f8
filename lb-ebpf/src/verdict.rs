//! What becomes of a packet, and the early exits that lead there.

use core::hint::cold_path;

use lb_common::{Counter, DropReason};

use crate::packet::HeadroomExhausted;

/// What becomes of a packet.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the host's own stack.
    Pass,
    /// Nowhere, for this reason.
    Drop(DropReason),
    /// Out of the interface that it came in by.
    Transmit,
    /// Out of the interface with this index.
    Redirect(u32),
}

/// Why the way of a packet to a target ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is not ours.
    Pass,
    /// It goes on as one that is not plain.
    NotPlain,
    /// It is ICMP, or a fragment: more than its transport header has to be looked at.
    Exception,
    /// It is for the host's own stack, and counted.
    PassCounted(Counter),
    /// It is a ping to a VIP.
    Echo,
    /// It cannot be forwarded.
    Drop(DropReason),
    /// It is for a listener whose targets need translation, or maybe an answer of one.
    Translate,
    /// It is for no listener.
    Unlisted,
    /// Its flow has no binding.
    Create,
    /// No binding, or no port to its target, is free.
    Exhausted,
    /// The target of its connection is gone, and its client is to be told.
    Reset,
    /// It does not fit the way to its target, which takes IP packets of this many bytes.
    TooBig(u16),
}

impl Stop {
    /// The ring names a target that is not there.
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
