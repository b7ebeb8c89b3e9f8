//! The result of a stage of the data path: a verdict, or the next stage.
//!
//! It fits one word, since a function that the verifier checks separately returns a number, and one
//! program passes it to the next. The numbers are part of the ABI: a program of another version may
//! read them.

use bytemuck::{Pod, Zeroable};
use lb_common::DropReason;

use crate::{Verdict, nat::create::Chosen};

/// The outcome of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The verdict is decided and counted.
    Done(Verdict),
    /// It has been rewritten and leaves by an interface; a SYN may have to be clamped before.
    Sent(Sent),
    /// It is not plain.
    NotPlain,
    /// It is ICMP or a fragment.
    Exception,
    /// It is for a listener whose targets need translation, or may be an answer of such a target.
    Translate,
    /// It is of a flow that has no binding yet.
    Create,
    /// The flow of the packet has been read.
    Read,
    /// It is for no listener.
    Unlisted,
    /// The packet can be translated by a binding.
    Bound {
        /// Index of the binding.
        index: u32,
        /// Id of the listener that the packet is for; 0 for an answer.
        listener: u16,
    },
    /// A binding has been allocated for the flow, and is to be written.
    Chosen(Chosen),
    /// The flow has got a binding, or none is free; a few others should be inspected.
    Created {
        /// Whether it has got one.
        made: bool,
        /// Second of the monotonic clock.
        now: u32,
    },
    /// It does not fit the path to its target, whose MTU is this many bytes.
    TooBig(u16),
    /// The target of its connection was removed, and its client gets a RST.
    Reset,
    /// It is a ping to a VIP.
    Echo,
}

/// A word for a packet that leaves for its target. It is a single word, since each field would need
/// its own register until the word is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent(u64);

impl Sent {
    /// It leaves by the interface with this index; 0 means its ingress interface.
    #[must_use]
    #[inline(always)]
    pub const fn by(interface: u32) -> Self {
        Self((interface as u64) << 32 | SENT as u64)
    }

    /// It also may offer a TCP MSS of at most `mss`, which is not zero; its TCP header is at twice
    /// `transport`.
    #[must_use]
    #[inline(always)]
    pub const fn clamped(self, mss: u16, transport: u8) -> Self {
        Self(self.0 | (mss as u64) << 16 | (transport as u64) << 8)
    }

    /// Index of the interface; 0 means its ingress interface.
    #[must_use]
    #[inline(always)]
    pub const fn interface(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Largest TCP MSS that it may offer; 0 if there is no limit.
    #[must_use]
    #[inline(always)]
    pub const fn mss(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Offset of its TCP header, if there is a limit.
    #[must_use]
    #[inline(always)]
    pub const fn transport(self) -> u32 {
        (self.0 >> 8) as u32 % 256 * 2
    }
}

/// A step as passed from function to function.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Word {
    kind: u8,
    byte: u8,
    small: u16,
    large: u32,
}

/// A bit that only this one has: it is tested first, since it is the most frequent one.
const SENT: u8 = 0x80;
const PASS: u8 = 0;
const DROP: u8 = 1;
const EXCEPTION: u8 = 3;
const TOO_BIG: u8 = 4;
const TRANSMIT: u8 = 5;
const REDIRECT: u8 = 6;
const TRANSLATE: u8 = 7;
const CREATE: u8 = 8;
const CREATED: u8 = 9;
const BOUND: u8 = 10;
const READ: u8 = 11;
const UNLISTED: u8 = 12;
const RESET: u8 = 13;
const NOT_PLAIN: u8 = 14;
const ECHO: u8 = 15;
const CHOSEN: u8 = 16;

impl Step {
    /// As a word.
    #[must_use]
    #[inline(always)]
    pub fn to_word(self) -> u64 {
        let word = |kind, byte, small, large| {
            u64::from_le(bytemuck::cast(Word { kind, byte, small, large }))
        };
        match self {
            Self::Done(Verdict::Pass) => word(PASS, 0, 0, 0),
            Self::Done(Verdict::Drop(reason)) => word(DROP, 0, 0, reason as u32),
            Self::Done(Verdict::Transmit) => word(TRANSMIT, 0, 0, 0),
            Self::Done(Verdict::Redirect(interface)) => word(REDIRECT, 0, 0, interface),
            Self::Sent(Sent(word)) => word,
            Self::NotPlain => word(NOT_PLAIN, 0, 0, 0),
            Self::Exception => word(EXCEPTION, 0, 0, 0),
            Self::Translate => word(TRANSLATE, 0, 0, 0),
            Self::Create => word(CREATE, 0, 0, 0),
            Self::Read => word(READ, 0, 0, 0),
            Self::Unlisted => word(UNLISTED, 0, 0, 0),
            Self::Bound { index, listener } => word(BOUND, 0, listener, index),
            Self::Chosen(Chosen { pool, port, index }) => word(CHOSEN, pool, port, index),
            Self::Created { made, now } => word(CREATED, u8::from(made), 0, now),
            Self::TooBig(room) => word(TOO_BIG, 0, room, 0),
            Self::Reset => word(RESET, 0, 0, 0),
            Self::Echo => word(ECHO, 0, 0, 0),
        }
    }

    /// From a word that [`Step::to_word`] made; most others are a pass.
    #[must_use]
    #[inline(always)]
    pub fn from_word(word: u64) -> Self {
        if word & u64::from(SENT) != 0 {
            return Self::Sent(Sent(word));
        }
        let Word { kind, byte, small, large } = bytemuck::cast(word.to_le());
        match kind {
            DROP => match DropReason::try_from(large) {
                Ok(reason) => Self::Done(Verdict::Drop(reason)),
                Err(_) => Self::Done(Verdict::Pass),
            },
            NOT_PLAIN => Self::NotPlain,
            EXCEPTION => Self::Exception,
            TRANSLATE => Self::Translate,
            CREATE => Self::Create,
            READ => Self::Read,
            UNLISTED => Self::Unlisted,
            BOUND => Self::Bound { index: large, listener: small },
            CHOSEN => Self::Chosen(Chosen { pool: byte, port: small, index: large }),
            CREATED => Self::Created { made: byte != 0, now: large },
            TOO_BIG => Self::TooBig(small),
            RESET => Self::Reset,
            ECHO => Self::Echo,
            TRANSMIT => Self::Done(Verdict::Transmit),
            REDIRECT => Self::Done(Verdict::Redirect(large)),
            _ => Self::Done(Verdict::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_survives_its_word() {
        for step in [
            Step::Done(Verdict::Pass),
            Step::Done(Verdict::Drop(DropReason::EcnInvalid)),
            Step::Done(Verdict::Transmit),
            Step::Done(Verdict::Redirect(7)),
            Step::Sent(Sent::by(7)),
            Step::Sent(Sent::by(u32::MAX).clamped(1400, 255)),
            Step::NotPlain,
            Step::Exception,
            Step::Translate,
            Step::Create,
            Step::Read,
            Step::Unlisted,
            Step::Bound { index: 9, listener: 3 },
            Step::Chosen(Chosen { pool: 31, port: 65_535, index: u32::MAX }),
            Step::Created { made: true, now: 7 },
            Step::TooBig(1480),
            Step::Reset,
            Step::Echo,
        ] {
            assert_eq!(Step::from_word(step.to_word()), step);
        }
        assert_eq!(Step::from_word(0x7f), Step::Done(Verdict::Pass));
    }

    #[test]
    fn a_packet_that_leaves_has_three_parts() {
        let sent = Sent::by(u32::MAX - 1).clamped(1400, 255);
        assert_eq!((sent.interface(), sent.mss(), sent.transport()), (u32::MAX - 1, 1400, 510));
        let sent = Sent::by(0);
        assert_eq!((sent.interface(), sent.mss(), sent.transport()), (0, 0, 0));
    }
}
