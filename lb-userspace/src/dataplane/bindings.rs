//! The pools of modes nat and fullnat: their bindings and the queues of free ones.
//!
//! A pool counts as there when it is [`Pool::READY`], which is written last: after a crash, what was
//! half made is made again from the start.

use std::path::Path;

use aya::maps::{MapData, MapError, Queue};
use lb_common::{
    Binding, FlowLine, Pool,
    abi::map,
    nat::{self, BINDINGS_MAX, FLOW_LINES, FLOW_WORDS, POOL_PLACES, Pools},
};

use super::{
    StoreError,
    kernel::{failed, open, open_mapping},
    mapping::{self, Mapping},
};

/// All bindings, as one element.
#[repr(C)]
struct Bindings([Binding; BINDINGS_MAX]);

/// All lines of the flow table.
#[repr(C)]
struct Flows([FlowLine; FLOW_LINES]);

/// The maps of modes nat and fullnat.
pub(super) struct BindingMaps {
    pools: Mapping<Pools>,
    bindings: Mapping<Bindings>,
    flows: Mapping<Flows>,
    queues: [(&'static str, Queue<MapData, u32>); 3],
}

impl BindingMaps {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let queue = |name| open(folder, name).map(|queue| (name, queue));
        Ok(Self {
            pools: open_mapping(folder, map::POOLS)?,
            bindings: open_mapping(folder, map::BINDINGS)?,
            flows: open_mapping(folder, map::FLOWS)?,
            queues: [queue(map::FREE_NAT)?, queue(map::FREE_V4)?, queue(map::FREE_V6)?],
        })
    }

    /// The pools that are ready.
    pub(super) fn read(&self) -> impl Iterator<Item = (u8, Pool)> + '_ {
        (0..POOL_PLACES).filter_map(|number| {
            // SAFETY: inside the mapping; only the agent writes pools.
            let pool = unsafe { self.place(number).read_volatile() };
            let ready = pool.flags & Pool::READY != 0;
            u8::try_from(number).ok().filter(|_| ready).map(|number| (number, pool))
        })
    }

    /// Makes a pool. Nothing leads to it before.
    pub(super) fn put(&mut self, number: u8, pool: &Pool) -> Result<(), StoreError> {
        self.forget(pool)?;
        for offset in 0..pool.count {
            let binding = pool.binding(number, offset);
            let index = (pool.first + offset) as usize;
            // SAFETY: `forget` has checked the range; no packet uses bindings that are in no queue.
            unsafe { self.binding(index).write_volatile(binding) };
        }
        self.publish(number, Pool { flags: 0, ..*pool });
        let (name, queue) = self.queue(pool);
        for index in shuffled(pool) {
            queue.push(index, 0).map_err(|source| failed("write", name, source))?;
        }
        self.publish(number, *pool);
        Ok(())
    }

    /// Removes a pool and ends its flows. `quiesce` waits until no packet can still use it.
    pub(super) fn remove(&mut self, number: u8, quiesce: impl FnOnce()) -> Result<(), StoreError> {
        // SAFETY: as in `read`.
        let pool = unsafe { self.place(number.into()).read_volatile() };
        self.publish(number, Pool { flags: 0, count: 0, ..pool });
        quiesce();
        self.forget(&pool)?;
        self.publish(number, Pool::default());
        Ok(())
    }

    /// Takes the bindings of a pool out of its queue and out of the flow table.
    fn forget(&mut self, pool: &Pool) -> Result<(), StoreError> {
        let range = pool.first..pool.first.saturating_add(pool.count);
        if range.end as usize > BINDINGS_MAX {
            let number = range.end as usize;
            return Err(StoreError::OutOfRange { what: "end of a pool", number });
        }
        let (name, queue) = self.queue(pool);
        let mut others = Vec::new();
        loop {
            match queue.pop(0) {
                Ok(index) if range.contains(&index) => {}
                Ok(index) => others.push(index),
                Err(MapError::ElementNotFound) => break,
                Err(source) => return Err(failed("read", name, source)),
            }
        }
        for index in others {
            queue.push(index, 0).map_err(|source| failed("write", name, source))?;
        }
        self.clear_words(&range);
        for index in range {
            // SAFETY: checked above; one word.
            unsafe { mapping::publish(&raw mut (*self.binding(index as usize)).life, 0_u64) };
        }
        Ok(())
    }

    /// Removes the words of the flow table that lead to these bindings.
    fn clear_words(&self, range: &std::ops::Range<u32>) {
        let words = self.flows.element().cast::<u64>();
        for number in 0..FLOW_LINES * FLOW_WORDS {
            // SAFETY: inside the mapping; packets never write over a word that is not empty but to
            // empty it.
            unsafe {
                let word = words.add(number).read_volatile();
                if nat::binding_of_word(word).is_some_and(|index| range.contains(&index)) {
                    mapping::publish(words.add(number), 0_u64);
                }
            }
        }
    }

    fn place(&self, number: usize) -> *mut Pool {
        // SAFETY: masked, so inside the array.
        unsafe { self.pools.element().cast::<Pool>().add(number & (POOL_PLACES - 1)) }
    }

    fn binding(&self, index: usize) -> *mut Binding {
        // SAFETY: masked, so inside the array.
        unsafe { self.bindings.element().cast::<Binding>().add(index & (BINDINGS_MAX - 1)) }
    }

    /// Writes a pool; what says that it is there comes last.
    fn publish(&self, number: u8, pool: Pool) {
        let place = self.place(number.into());
        // SAFETY: inside the mapping; packets that meet it half written find no binding in it.
        unsafe {
            place.write_volatile(Pool { flags: 0, count: 0, ..pool });
            mapping::publish(&raw mut (*place).count, pool.count);
            mapping::publish(&raw mut (*place).flags, pool.flags);
        }
    }

    fn queue(&mut self, pool: &Pool) -> (&'static str, &mut Queue<MapData, u32>) {
        let [nat, v4, v6] = &mut self.queues;
        let (name, queue) = match pool.queue() {
            nat::Queue::Nat => nat,
            nat::Queue::V4 => v4,
            nat::Queue::V6 => v6,
        };
        (*name, queue)
    }
}

/// The bindings of a pool in an order that nobody outside knows, so that the next port is no secret
/// given away: Fisher-Yates over the randomness of the standard library's hashes.
fn shuffled(pool: &Pool) -> Vec<u32> {
    use std::hash::{BuildHasher as _, RandomState};

    let state = RandomState::new();
    let mut indices: Vec<u32> = (pool.first..pool.first + pool.count).collect();
    for last in (1..indices.len()).rev() {
        let other = usize::try_from(state.hash_one(last) >> 1).unwrap_or(0) % (last + 1);
        indices.swap(last, other);
    }
    indices
}
