//! A question to the memory of flows, and its answer; see [`crate::recall`].

use lb_common::Slot;

use crate::verdict::Stop;

/// Properties of a packet that needs the flow memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Hash of its five-tuple.
    pub hash: u64,
    /// Its slot.
    pub slot: Slot,
    /// Index of the slot.
    pub index: u32,
    /// Seconds after which a silent flow of its listener is forgotten.
    pub timeout: u16,
    /// [`Question::OPENS`] and the others.
    pub flags: u16,
}

impl Question {
    /// Flag: it opens a flow: TCP SYN, QUIC Initial.
    pub const OPENS: u16 = 1;
    /// Flag: it is a packet of the flow itself, which may be remembered: not an ICMP error, and not
    /// a fragment without ports.
    pub const LEARNS: u16 = 2;
    /// Flag: its listener tracks all flows.
    pub const TRACKED: u16 = 4;
    /// Flag: it may be answered with RST.
    pub const RESETS: u16 = 8;

    #[inline(always)]
    pub(crate) const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The epoch that a flow is remembered in.
    #[inline(always)]
    pub(crate) const fn epoch(&self) -> u16 {
        if self.slot.is_armed() { self.slot.epoch } else { 0 }
    }
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To the target with this id; 0 means none.
    To(u16),
    /// Back, as RST: the target of its flow was removed.
    Reset,
}

impl Answer {
    const RESET: u64 = 1 << 16;

    /// As a word.
    #[must_use]
    #[inline(always)]
    pub const fn to_word(self) -> u64 {
        match self {
            Self::To(id) => id as u64,
            Self::Reset => Self::RESET,
        }
    }

    /// From a word that [`Answer::to_word`] made.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        if word & Self::RESET != 0 { Self::Reset } else { Self::To(word as u16) }
    }

    /// The target; 0 means none.
    #[inline(always)]
    pub(crate) const fn target(self) -> Result<u16, Stop> {
        match self {
            Self::To(id) => Ok(id),
            Self::Reset => Err(Stop::Reset),
        }
    }
}
