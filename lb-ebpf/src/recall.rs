//! The rule for flows that need memory: those of armed slots, and those of listeners that track all.
//!
//! A slot is armed while a live flow in it may belong to another target than its current one. Only
//! then is a flow remembered, or looked for: a slot that is not armed never comes here.

use lb_common::{Counter, Limit, Owner, Slot};

use crate::{
    memory::{self, FlowMemory, Found},
    tables::{Fact, Tables},
    verdict::Stop,
};

/// Seconds that a flow is remembered after its first packet, until another comes that is none: a
/// client waits up to 16 seconds between its SYNs (RFC 6298). So a flood does not fill the memory
/// for long.
const OPENING: u32 = 20;

/// What is known of a packet that needs memory.
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
    /// Flag: it is the flow's own, from which something may be learned: no ICMP error, and no
    /// fragment without ports.
    pub const LEARNS: u16 = 2;
    /// Flag: its listener tracks all flows.
    pub const TRACKED: u16 = 4;
    /// Flag: it may be answered with RST.
    pub const RESETS: u16 = 8;

    #[inline(always)]
    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The epoch that a flow is remembered in.
    #[inline(always)]
    const fn epoch(&self) -> u16 {
        if self.slot.is_armed() { self.slot.epoch } else { 0 }
    }
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To the target with this id; 0 is nobody.
    To(u16),
    /// Back, as RST: the target of its flow is gone.
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

    /// The target; 0 is nobody.
    #[inline(always)]
    pub(crate) const fn target(self) -> Result<u16, Stop> {
        match self {
            Self::To(id) => Ok(id),
            Self::Reset => Err(Stop::Reset),
        }
    }
}

/// Where the packet goes, and what is remembered of it.
#[inline(always)]
pub fn answer<T: FlowMemory>(asked: &Question, tables: &T) -> Answer {
    let now = (tables.now() / 1_000_000_000) as u32;
    let found = memory::find(asked.hash, tables);
    if is_valid(found, asked, now) {
        let owner = Owner::from_word(found.word);
        if may_go(owner.target, asked, tables) {
            tables.note(Fact::Remembered);
            keep(found, owner, asked, now, tables);
            return exception(owner.target, asked, now, tables);
        }
        if asked.has(Question::RESETS) {
            return Answer::Reset;
        }
    }
    let begins = asked.has(Question::OPENS | Question::TRACKED);
    // Nobody takes new flows: a home that drains does not, either.
    if begins && (asked.slot.current == 0 || remember(found, asked, now, tables)) {
        return Answer::To(asked.slot.current);
    }
    untracked(asked, now, tables)
}

/// What is said of a flow now: remembered in this epoch, and not too long ago.
#[inline(always)]
fn is_valid(found: Found, asked: &Question, now: u32) -> bool {
    let owner = Owner::from_word(found.word);
    owner.epoch == asked.epoch() && !memory::is_over(found.word, now)
}

/// Whether a packet may go to the target that its flow is remembered with.
#[inline(always)]
fn may_go<T: Tables>(id: u16, asked: &Question, tables: &T) -> bool {
    tables.target(id).is_some_and(|target| {
        target.is_routable() && (!asked.has(Question::OPENS) || target.is_accepting())
    })
}

/// Remembers a flow with the current owner of its slot; `false` when that cannot be. What is
/// written over an older entry costs no budget.
#[inline(always)]
fn remember<T: FlowMemory>(found: Found, asked: &Question, now: u32, tables: &T) -> bool {
    if !asked.has(Question::LEARNS) {
        return false;
    }
    let owner = Owner {
        target: asked.slot.current,
        epoch: asked.epoch(),
        expires: now.wrapping_add(lifetime(asked)),
    };
    let remembered = if found.has_place() {
        tables.swap_owner(found.place, found.word, owner.to_word())
    } else {
        tables.allowed(Limit::Remember) && memory::insert(asked.hash, owner, now, tables)
    };
    let counter = if remembered { Counter::FlowRemembered } else { Counter::FlowNotRemembered };
    tables.count(counter.index());
    remembered
}

/// A flow that nothing is remembered of lives at the slot's home, as long as that can be.
#[inline(always)]
fn untracked<T: FlowMemory>(asked: &Question, now: u32, tables: &T) -> Answer {
    let Slot { current, home, .. } = asked.slot;
    if !asked.slot.is_armed() || home == current {
        return Answer::To(current);
    }
    if home == 0 {
        let gone = asked.has(Question::RESETS);
        return if gone { Answer::Reset } else { Answer::To(current) };
    }
    if !tables.target(home).is_some_and(lb_common::Target::is_routable) {
        return Answer::To(current);
    }
    tables.note(Fact::Home);
    exception(home, asked, now, tables)
}

/// Sends a packet to a target; when that is not the current one, the slot has to stay armed.
#[inline(always)]
fn exception<T: FlowMemory>(target: u16, asked: &Question, now: u32, tables: &T) -> Answer {
    if asked.slot.is_armed() && target != asked.slot.current && asked.has(Question::LEARNS) {
        tables.mark_seen(asked.index, now);
    }
    Answer::To(target)
}

/// Seconds that a flow is remembered after this packet: an eighth more than its timeout, so that
/// the word has to be written only now and then.
#[inline(always)]
const fn lifetime(asked: &Question) -> u32 {
    let timeout = asked.timeout as u32;
    if asked.has(Question::OPENS) { OPENING } else { timeout + timeout / 8 + 1 }
}

/// Remembers a flow for longer, when it is worth a write.
#[inline(always)]
fn keep<T: FlowMemory>(known: Found, owner: Owner, asked: &Question, now: u32, tables: &T) {
    let expires = now.wrapping_add(lifetime(asked));
    let gain = expires.wrapping_sub(owner.expires).cast_signed();
    if asked.has(Question::LEARNS) && gain > i32::from(asked.timeout / 8) {
        let longer = Owner { expires, ..owner };
        // Another CPU's packet may have been faster: the next packet will say the same.
        let _written = tables.swap_owner(known.place, known.word, longer.to_word());
    }
}
