//! How many TCP connections of modes nat and fullnat their targets have answered, as the bindings say.
//! Reading only.

use std::{collections::BTreeMap, mem::size_of, os::fd::AsFd as _};

use aya::maps::MapData;
use lb_common::{Binding, abi::map, nat::Life};

use super::{StatsSource, StoreError, mapped_array::MappedArray};
use crate::clock;

/// IP protocol number of TCP.
const TCP: u8 = 6;

/// Connections whose last packet is older are not counted: their clients have given up.
const SILENCE_MAX_S: u32 = 30;

/// What a target has said sets one of these; a client's RST, too, after which nothing is missed.
const ANSWERED: u16 = Life::ANSWERED | Life::TARGET_FIN | Life::RESET;

/// TCP connections of a target that have sent a packet lately, and all its flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The target has said something.
    pub yes: usize,
    /// It has not.
    pub no: usize,
    /// Flows of every protocol that have a binding, however long they have been silent.
    pub bindings: usize,
}

impl StatsSource {
    /// Reads all bindings, which takes some milliseconds; by id of the target.
    pub fn answered(&self) -> Result<BTreeMap<u16, Answered>, StoreError> {
        let fail = |source| StoreError::Map { action: "open", map: map::BINDINGS, source };
        let data = MapData::from_pin(self.pin(map::BINDINGS)).map_err(fail)?;
        let info = data.info().map_err(fail)?;
        let bytes = u64::from(info.value_size()) * u64::from(info.max_entries());
        let count = usize::try_from(bytes).unwrap_or(0) / size_of::<Binding>();
        let bindings: MappedArray<Binding> = MappedArray::elements(data.fd().as_fd(), count)
            .map_err(|source| StoreError::Mmap { map: map::BINDINGS, source })?;
        let (now, mut targets) = (clock::seconds(), BTreeMap::new());
        for number in 0..count {
            // SAFETY: inside the mapping. Each field is read at once; one that changes between two
            // reads belongs to a flow that begins or ends, and is counted wrongly once.
            let (life, protocol, target) = unsafe {
                let binding = bindings.element().add(number);
                let life = (&raw const (*binding).life).read_volatile();
                if life == 0 {
                    continue;
                }
                let protocol = (&raw const (*binding).protocol).read_volatile();
                (life, protocol, (&raw const (*binding).target).read_volatile())
            };
            count_one(&mut targets, Life::from_word(life), protocol, target, now);
        }
        Ok(targets)
    }
}

fn count_one(
    targets: &mut BTreeMap<u16, Answered>,
    life: Life,
    protocol: u8,
    target: u16,
    now: u32,
) {
    if life.phase != Life::LIVE {
        return;
    }
    let of_target = targets.entry(target).or_default();
    of_target.bindings += 1;
    let recent = now.wrapping_sub(life.seen) <= SILENCE_MAX_S;
    if protocol != TCP || !recent {
        return;
    }
    if life.flags & ANSWERED == 0 {
        of_target.no += 1;
    } else {
        of_target.yes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recent_tcp_connections_count() {
        let mut targets = BTreeMap::new();
        for (phase, seen, flags, protocol) in [
            (Life::LIVE, 95, 0, TCP),
            (Life::LIVE, 95, Life::ANSWERED, TCP),
            (Life::LIVE, 95, Life::ANSWERED | Life::ESTABLISHED, TCP),
            (Life::LIVE, 95, Life::CLIENT_FIN, TCP),
            (Life::LIVE, 60, 0, TCP),
            (Life::DEAD, 95, 0, TCP),
            (Life::LIVE, 95, 0, 17),
        ] {
            count_one(&mut targets, Life { seen, phase, flags }, protocol, 7, 100);
        }
        assert_eq!(targets, [(7, Answered { yes: 2, no: 2, bindings: 6 })].into());
    }
}
