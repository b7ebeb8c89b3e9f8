//! What becomes of a packet, and the early exits that lead there.

use lb_common::DropReason;

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
    /// It is a fragment for a VIP.
    PassFragment,
    /// It cannot be forwarded.
    Drop(DropReason),
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
        Self::Drop(reason)
    }
}
