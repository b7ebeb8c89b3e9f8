//! Packets of clients: which binding is theirs.

use lb_common::{Binding, DropReason, Life, Mode, Target};

use super::{Ends, NatTables, expire, life, life::Direction, seconds, speaks, table};
use crate::{Content, Datagram, forward, listener, steer, tables::Fact, verdict::Stop};

/// The binding of a packet that can go to its target, and the id of its listener; [`Stop::Create`] when
/// there is no binding, [`Stop::Unlisted`] when it is for no listener.
#[inline(always)]
pub(crate) fn find<T: NatTables>(flow: &Datagram, tables: &T) -> Result<(u32, u16), Stop> {
    let listener = listener::of(flow, tables).ok_or(Stop::Unlisted)?;
    tables.note(Fact::Listener(listener));
    let hash = steer::hash_of(flow, tables);
    let is_it = |binding: &Binding| {
        speaks(binding, flow.family as u8, flow.protocol)
            && Ends::from_client(binding) == Ends::of(flow)
    };
    let index = table::find(hash, tables, is_it).ok_or(Stop::Create)?;
    let binding = tables.binding(index).ok_or(Stop::Create)?;
    let word = tables.life(index);
    let current = Life::from_word(word);
    if current.phase != Life::LIVE {
        return Err(Stop::Create);
    }
    tables.note(Fact::Bound(index));
    tables.note(Fact::Target(binding.target));
    let now = seconds(tables);
    let Some(target) = target(binding, tables).filter(|_| !begins_anew(flow, current)) else {
        expire::forget(index, word, binding, now, tables);
        return Err(Stop::Create);
    };
    if !target.is_resolved() {
        return Err(DropReason::NextHopUnresolved.into());
    }
    forward::fits(flow, target)?;
    if !matches!(flow.content, Content::IcmpError) {
        keep(index, word, life::after(current, Direction::Request, flow.tcp_flags, now), tables);
    }
    Ok((index, listener.id))
}

/// The target of a binding, while flows may go there.
#[inline(always)]
pub(super) fn target<'a, T: NatTables>(binding: &Binding, tables: &'a T) -> Option<&'a Target> {
    tables.target(binding.target).filter(|target| {
        target.is_routable()
            && target.address == binding.target_address
            && target.port == binding.target_port
            && matches!(Mode::try_from(target.mode), Ok(Mode::Nat | Mode::Fullnat))
    })
}

/// Whether a SYN begins another connection with the ends of one that has ended.
#[inline(always)]
const fn begins_anew(flow: &Datagram, life: Life) -> bool {
    flow.is_syn() && life::has_ended(life)
}

/// Writes the life of a binding, when it has changed: within a second, most packets change nothing.
#[inline(always)]
pub(super) fn keep<T: NatTables>(index: u32, word: u64, next: Life, tables: &T) {
    if next.to_word() != word {
        // Another CPU's packet may have been faster: the next packet will say the same.
        let _written = tables.swap_life(index, word, next.to_word());
    }
}
