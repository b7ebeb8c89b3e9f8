//! Packets of clients: which binding is theirs.

use lb_common::{Binding, ClientLink, DropReason, Life, Mode, Target};

use super::{Ends, NatTables, expire, life, life::Direction, seconds, sequence, speaks, table};
use crate::{Datagram, forward, listener, steer, tables::Fact, verdict::Stop};

/// The binding of a packet that can go to its target, and the id of its listener; [`Stop::Create`] when
/// there is no binding, [`Stop::Unlisted`] when it is for no listener.
#[inline(always)]
pub(crate) fn find<T: NatTables>(flow: &Datagram, tables: &T) -> Result<(u32, u16), Stop> {
    let listener = listener::of(flow, tables).ok_or(Stop::Unlisted)?;
    tables.note(Fact::Listener(listener));
    let hash = steer::hash_of(flow, tables);
    let index = table::find(hash, tables, |binding| is_from(binding, flow)).ok_or(Stop::Create)?;
    let binding = tables.binding(index).ok_or(Stop::Create)?;
    let word = tables.life(index);
    let current = Life::from_word(word);
    if current.phase != Life::LIVE {
        return Err(Stop::Create);
    }
    tables.note(Fact::Bound(index));
    tables.note(Fact::Target(binding.target));
    let Some(target) = next_target(flow, binding, current, tables) else {
        expire::forget(index, word, binding, seconds(tables), tables);
        return Err(Stop::Create);
    };
    if !target.is_resolved() {
        return Err(DropReason::NextHopUnresolved.into());
    }
    forward::fits(flow, target)?;
    update_life(flow, (index, binding, word), tables);
    Ok((index, listener.id))
}

/// Whether a packet is one of a binding's client.
#[inline(always)]
pub(super) fn is_from(binding: &Binding, flow: &Datagram) -> bool {
    speaks(binding, flow.family as u8, flow.protocol)
        && Ends::from_client(binding) == Ends::of(flow)
}

/// The target that a packet of a binding goes to; `None` when its flow needs another binding.
#[inline(always)]
pub(super) fn next_target<'a, T: NatTables>(
    flow: &Datagram,
    binding: &Binding,
    life: Life,
    tables: &'a T,
) -> Option<&'a Target> {
    target(binding, tables).filter(|target| !begins_elsewhere(flow, life, target))
}

/// Keeps what a packet says of its flow's life, which is this word now.
#[inline(always)]
pub(super) fn update_life<T: NatTables>(
    flow: &Datagram,
    (index, binding, word): (u32, &Binding, u64),
    tables: &T,
) {
    if let Some(flags) = sequence::believed(flow, binding, Direction::Request) {
        let answers = sequence::answers(flow, binding);
        let (life, now) = (Life::from_word(word), seconds(tables));
        keep(index, word, life::after(life, Direction::Request, flags, answers, now), tables);
    }
}

/// Lets answers go where the client's packets come from now: its router may have changed, or another
/// host may have sent the first one in its name.
#[inline(always)]
pub fn follow<T: NatTables>(flow: &Datagram, index: u32, link: &ClientLink, tables: &T) {
    let life = Life::from_word(tables.life(index));
    let is_established = life.flags & Life::ESTABLISHED != 0;
    if let Some(binding) = tables.binding(index)
        && link.differs(&binding.link)
        && sequence::leads_back(flow, binding, is_established)
    {
        tables.set_link(index, link);
    }
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

/// Whether a SYN begins another connection, with the ends of one that has ended, and at another target,
/// since this one takes no new ones. All other SYNs go to the target of the binding, whose kernel knows
/// what they are: it accepts them (RFC 6191), or challenges their sender (RFC 5961, section 4.2).
#[inline(always)]
const fn begins_elsewhere(flow: &Datagram, life: Life, target: &Target) -> bool {
    flow.is_syn() && life::has_ended(life) && !target.is_accepting()
}

/// Writes the life of a binding, when it has changed: within a second, most packets change nothing.
#[inline(always)]
pub(super) fn keep<T: NatTables>(index: u32, word: u64, next: Life, tables: &T) {
    if next.to_word() != word {
        // Another CPU's packet may have been faster: the next packet will do the same.
        let _written = tables.swap_life(index, word, next.to_word());
    }
}
