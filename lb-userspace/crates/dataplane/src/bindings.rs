//! Modes nat and fullnat: the pools of addresses that the agent writes, and the bindings that packets make.
//! The agent ends flows whose address or port has gone, counts them, and carries them over into maps of
//! another size.
//!
//! A pool counts as there when it is [`Pool::READY`], which is written last: after a crash, what was
//! half made is made again from the start.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Deref,
    os::fd::AsFd as _,
    path::Path,
    sync::atomic::{Ordering, fence},
};

use aya::maps::{MapData, Queue};
use lb_common::{
    Binding, Family, FlowLine, Life, Pool, Turns,
    abi::map,
    nat::{self, FLOW_WORDS, POOL_PLACES, POOLS_MAX, Pools},
};

use lb_ebpf::{
    flow_hash::KEYS,
    nat::{
        self as translation,
        life::{Spare, spare},
        table::{self, FlowLines},
    },
};

use super::{
    MapSizes, StoreError,
    flows::{Carried, Precedence},
    mapped_array::{self, MappedArray, word},
    pinned_map::{failed, open, open_mapping},
};
use crate::clock;

/// The maps of modes nat and fullnat.
pub(super) struct BindingMaps {
    pools: MappedArray<Pools>,
    turns: MappedArray<Turns>,
    bindings: MappedArray<Binding>,
    flows: MappedArray<FlowLine>,
    free: Queue<MapData, u32>,
    sizes: MapSizes,
}

impl BindingMaps {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let sizes = MapSizes::of(folder).map_err(|source| failed("open", map::BINDINGS, source))?;
        Ok(Self {
            pools: open_mapping(folder, map::POOLS)?,
            turns: open_mapping(folder, map::TURNS)?,
            bindings: open_elements(folder, map::BINDINGS, sizes.bindings)?,
            flows: open_elements(folder, map::FLOWS, sizes.flow_lines())?,
            free: open(folder, map::FREE)?,
            sizes,
        })
    }

    /// The pools that are ready.
    pub(super) fn read(&self) -> impl Iterator<Item = (u8, Pool)> + '_ {
        (0..POOL_PLACES).filter_map(|number| {
            let pool = self.pool(number);
            let ready = pool.flags & Pool::READY != 0;
            u8::try_from(number).ok().filter(|_| ready).map(|number| (number, pool))
        })
    }

    /// Makes a pool, maybe in the place of another. `quiesce` waits until no packet can still use that.
    pub(super) fn put(
        &mut self,
        number: u8,
        pool: &Pool,
        quiesce: impl FnOnce(),
    ) -> Result<(), StoreError> {
        self.publish(number, Pool { flags: 0, ..*pool });
        self.end_others(quiesce)?;
        self.publish(number, *pool);
        Ok(())
    }

    /// Removes a pool and ends its flows.
    pub(super) fn remove(&mut self, number: u8, quiesce: impl FnOnce()) -> Result<(), StoreError> {
        // A pool without ports that is not ready, until its flows are ended.
        let previous = self.pool(number.into());
        self.publish(number, Pool { flags: 0, count: 0, ..previous });
        self.end_others(quiesce)?;
        self.publish(number, Pool::default());
        Ok(())
    }

    /// Ends the flows whose targets see an address and port that no pool has any more.
    fn end_others(&mut self, quiesce: impl FnOnce()) -> Result<(), StoreError> {
        if self.taken() == 0 {
            return Ok(());
        }
        quiesce();
        let pools: Vec<Pool> = (0..POOL_PLACES).map(|number| self.pool(number)).collect();
        let (mut ended, now) = (HashSet::new(), clock::seconds());
        for index in 0..self.taken() {
            let (life, binding) = (self.life(index), self.binding(index));
            let port = binding.local_port.get();
            if Life::from_word(life).phase != Life::LIVE
                || binding.local == binding.client
                || pools.iter().any(|pool| pool.has(binding.local, port))
            {
                continue;
            }
            let dead = Life { seen: now, phase: Life::DEAD, flags: 0 };
            // Else a packet was faster: the binding is another flow's, of a pool that is there.
            if self.swap_life(index, life, dead.to_word()) {
                ended.insert(index);
            }
        }
        self.clear_words(&ended);
        for index in ended {
            self.free.push(index, 0).map_err(|source| failed("write", map::FREE, source))?;
        }
        Ok(())
    }

    /// Removes the words of the flow table that lead to these bindings.
    fn clear_words(&self, ended: &HashSet<u32>) {
        if ended.is_empty() {
            return;
        }
        let words = self.flows.element().cast::<u64>();
        for number in 0..self.sizes.flow_lines() as usize * FLOW_WORDS {
            // SAFETY: inside the mapping; packets never write over a word that is not empty but to
            // empty it.
            unsafe {
                let word = words.add(number).read_volatile();
                if nat::binding_of_word(word).is_some_and(|index| ended.contains(&index)) {
                    mapped_array::publish(words.add(number), 0_u64);
                }
            }
        }
    }

    /// How many bindings have ever been taken: the first ones.
    fn taken(&self) -> u32 {
        // SAFETY: inside the mapping; one aligned load.
        let taken = unsafe { (&raw const (*self.turns.element()).taken).read_volatile() };
        u32::try_from(taken).unwrap_or(u32::MAX).min(self.sizes.bindings)
    }

    /// Gives every live flow of other maps a binding here, too; `keys` are those of the flow hash.
    pub(super) fn carry(
        &mut self,
        previous: &Self,
        precedence: Precedence,
        keys: &[u64; KEYS],
    ) -> Carried {
        let mut carried = Carried::default();
        for index in 0..previous.taken() {
            let life = previous.life(index);
            if Life::from_word(life).phase != Life::LIVE {
                continue;
            }
            let binding = Binding { life, ..previous.binding(index) };
            // Another flow may have got it while it was read.
            if Life::from_word(previous.life(index)).phase != Life::LIVE {
                continue;
            }
            let kept = self.keep(&binding, precedence, keys);
            carried.kept += usize::from(kept);
            carried.lost += usize::from(!kept);
        }
        carried
    }

    fn keep(&mut self, binding: &Binding, precedence: Precedence, keys: &[u64; KEYS]) -> bool {
        let key = |index: usize| keys.get(index).copied().unwrap_or(0);
        let [request, reply] = translation::hashes(binding, key);
        let ends = |one: &Binding| {
            (one.client, one.vip, one.client_port, one.vip_port, one.family, one.protocol)
        };
        let same = |index: &u32| ends(&self.binding(*index)) == ends(binding);
        if let Some(index) = table::holder(request, &*self).filter(same) {
            let known = self.life(index);
            let [old, new] = [known, binding.life].map(|word| Life::from_word(word).seen);
            if precedence == Precedence::PreviousMaps || old.wrapping_sub(new) > u32::MAX / 2 {
                self.write(index, binding);
                // Else a packet was faster, and knows better.
                self.swap_life(index, known, binding.life);
            }
            return true;
        }
        // A flow that has ended meanwhile may have left its port to this one, or this one to a newer flow.
        if let Some(other) = table::holder(reply, &*self) {
            let life = self.life(other);
            let [known, own] = [life, binding.life].map(|word| Life::from_word(word).seen);
            if own.wrapping_sub(known) > u32::MAX / 2 || !self.end(other, life, key) {
                return false;
            }
        }
        let Some(index) = self.take() else { return false };
        self.write(index, binding);
        if table::insert(reply, index, &*self).is_err() {
            return false;
        }
        if table::insert(request, index, &*self).is_err() {
            table::remove(reply, index, &*self);
            return false;
        }
        // SAFETY: inside the mapping, aligned; the binding is this flow's.
        unsafe { mapped_array::publish(&raw mut (*self.at(index)).life, binding.life) };
        true
    }

    /// Ends a flow, if its life is still this one.
    fn end(&mut self, index: u32, life: u64, key: impl Fn(usize) -> u64) -> bool {
        let dead = Life { seen: clock::seconds(), phase: Life::DEAD, flags: 0 };
        if !self.swap_life(index, life, dead.to_word()) {
            return false;
        }
        for hash in translation::hashes(&self.binding(index), key) {
            table::remove(hash, index, &*self);
        }
        self.free.push(index, 0).is_ok()
    }

    /// Takes a binding that has never been taken.
    fn take(&self) -> Option<u32> {
        // SAFETY: inside the mapping and aligned.
        let taken = unsafe { word(&raw mut (*self.turns.element()).taken) };
        if self.taken() >= self.sizes.bindings {
            return None;
        }
        let index = u32::try_from(taken.fetch_add(1, Ordering::SeqCst)).ok()?;
        (index < self.sizes.bindings).then_some(index)
    }

    /// Writes all of a binding but its life.
    fn write(&self, index: u32, binding: &Binding) {
        let words: &[u64; size_of::<Binding>() / 8] = bytemuck::cast_ref(binding);
        let place = self.at(index).cast::<u64>();
        for (number, word) in words.iter().enumerate().skip(1) {
            // SAFETY: inside the binding.
            unsafe { place.add(number).write_volatile(*word) };
        }
        fence(Ordering::SeqCst);
    }

    /// How many flows have a binding.
    pub(super) fn live(&self) -> u32 {
        let is_live = |index: &u32| Life::from_word(self.life(*index)).phase == Life::LIVE;
        u32::try_from((0..self.taken()).filter(is_live).count()).unwrap_or(u32::MAX)
    }

    /// How many flows each target has that have not ended, by its id.
    pub(super) fn by_target(&self, now: u32) -> BTreeMap<u16, u64> {
        let mut counts = BTreeMap::new();
        for index in 0..self.taken() {
            let life = Life::from_word(self.life(index));
            if life.phase != Life::LIVE {
                continue;
            }
            let binding = self.binding(index);
            if spare(life, binding.protocol, binding.idle_timeout, now) != Spare::Ended {
                *counts.entry(binding.target).or_default() += 1;
            }
        }
        counts
    }

    fn pool(&self, number: usize) -> Pool {
        // SAFETY: inside the mapping; only the agent writes pools.
        unsafe { self.place(number).read_volatile() }
    }

    fn place(&self, number: usize) -> *mut Pool {
        // SAFETY: masked, so inside the array.
        unsafe { self.pools.element().cast::<Pool>().add(number & (POOL_PLACES - 1)) }
    }

    fn at(&self, index: u32) -> *mut Binding {
        // SAFETY: masked, so inside the array.
        unsafe { self.bindings.element().add((index & (self.sizes.bindings - 1)) as usize) }
    }

    fn binding(&self, index: u32) -> Binding {
        // SAFETY: inside the mapping; what packets write meanwhile is words.
        unsafe { self.at(index).read_volatile() }
    }

    fn life(&self, index: u32) -> u64 {
        // SAFETY: as in `binding`.
        unsafe { (&raw const (*self.at(index)).life).read_volatile() }
    }

    fn swap_life(&self, index: u32, old: u64, new: u64) -> bool {
        // SAFETY: inside the mapping and aligned; packets, too, swap this word as a whole.
        let life = unsafe { word(&raw mut (*self.at(index)).life) };
        life.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Writes a pool, and where those of its family end; what says that it is there comes last.
    fn publish(&self, number: u8, pool: Pool) {
        let (place, previous) = (self.place(number.into()), self.pool(number.into()));
        // SAFETY: inside the mapping; packets that meet it half written find no port in it. Where only the
        // range changes, they find one of either range: `end_others` ends what has a port that goes.
        unsafe {
            let count = if previous.address == pool.address { previous.count } else { 0 };
            place.write_volatile(Pool { flags: 0, count, ..pool });
            mapped_array::publish(&raw mut (*place).count, pool.count);
            mapped_array::publish(&raw mut (*place).flags, pool.flags);
        }
        let ends = [Family::V4, Family::V6].map(|family| {
            let first = Pool::first_place(family);
            let last = (0..POOLS_MAX).rfind(|number| self.pool(first + number).count != 0);
            last.map_or(0, |last| u32::try_from(last + 1).unwrap_or(0))
        });
        for (family, end) in ends.into_iter().enumerate() {
            // SAFETY: inside the mapping, aligned.
            unsafe {
                let place = (&raw mut (*self.pools.element()).ends).cast::<u32>().add(family);
                mapped_array::publish(place, end);
            }
        }
    }
}

fn open_elements<T>(
    folder: &Path,
    name: &'static str,
    count: u32,
) -> Result<MappedArray<T>, StoreError> {
    let data = MapData::from_pin(folder.join(name)).map_err(|error| failed("open", name, error))?;
    MappedArray::elements(data.fd().as_fd(), count as usize)
        .map_err(|source| StoreError::Mmap { map: name, source })
}

/// A line at the time of the request.
pub(super) struct Copied(FlowLine);

impl Deref for Copied {
    type Target = FlowLine;

    fn deref(&self) -> &FlowLine {
        &self.0
    }
}

impl BindingMaps {
    /// A word of a line of the flow table; `None` when there is no such place.
    fn flow_word(&self, line: u32, number: u32) -> Option<*mut u64> {
        let inside = line < self.sizes.flow_lines() && (number as usize) < FLOW_WORDS;
        // SAFETY: inside the mapping.
        inside.then(|| unsafe {
            self.flows.element().add(line as usize).cast::<u64>().add(number as usize)
        })
    }
}

impl FlowLines for BindingMaps {
    type Line<'tables> = Copied;

    fn line_mask(&self) -> u32 {
        self.sizes.flow_lines() - 1
    }

    fn flow_line(&self, line: u32) -> Option<Copied> {
        let mut copied = FlowLine::default();
        for (number, word) in (0..).zip(&mut copied.words) {
            // SAFETY: inside the mapping; packets write words, and each is read at once.
            *word = unsafe { self.flow_word(line, number)?.read_volatile() };
        }
        Some(Copied(copied))
    }

    fn swap_flow_word(&self, line: u32, number: u32, old: u64, new: u64) -> bool {
        self.flow_word(line, number).is_some_and(|place| {
            // SAFETY: inside the mapping and aligned.
            let word = unsafe { word(place) };
            word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        })
    }
}
