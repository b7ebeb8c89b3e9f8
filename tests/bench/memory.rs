//! Measurements with armed slots and remembered flows, and what a BPF LRU hash costs instead.

use std::path::Path;

use anyhow::{Context as _, Result};
use aya::maps::{Array, Map, MapData};
use lb_common::{
    Address, Be16, Family, MemoryLine, Owner, Slot,
    abi::map,
    listener::protocol::{TCP, UDP},
};
use lb_ebpf::{Content, Datagram, flow_hash, host::MemoryTables, memory as table};
use lb_userspace::{
    clock,
    dataplane::{KernelStore, MapStore as _},
    plan::MapOp,
};

use crate::datapath::{
    CLIENT_PORT, Case, Generator, Memory, SEED, STEADY, VIP_V4, nanoseconds, xdp,
};

/// Flows that are remembered: half of what fits.
pub(crate) const FLOWS: u32 = 1 << 20;

/// Seconds for which they are remembered: longer than any measurement.
const LASTS: u32 = 100_000;

/// Arms the slots and remembers the flows that a case wants.
pub(crate) fn prepare(case: &Case, folder: &Path) -> Result<()> {
    let (arms, epoch) = match case.memory {
        Memory::Steady => return Ok(()),
        Memory::Home | Memory::Remembered | Memory::Opening => (true, 1),
        Memory::Tracked => (false, 0),
    };
    let mut store = KernelStore::open(folder)?;
    if arms {
        let tables = store.read(None)?;
        for group in tables.groups.values() {
            let armed = |slot: &Slot| Slot {
                current: slot.current,
                // Any other target.
                home: slot.current % 1000 + 1,
                epoch,
                flags: Slot::ARMED,
            };
            let slots = (group.ring.base()..).zip(group.slots.iter().map(armed)).collect();
            store.apply(&MapOp::WriteSlots(slots))?;
        }
    }
    match case.memory {
        Memory::Remembered => remember(folder, TCP, epoch),
        Memory::Tracked => remember(folder, UDP, epoch),
        _ => Ok(()),
    }
}

/// Fills the memory with the generator's flows, in the places that the data path would take.
fn remember(folder: &Path, protocol: u8, epoch: u16) -> Result<()> {
    let tables = MemoryTables::default();
    let now = clock::seconds();
    let mut refused = 0;
    for flow in 0..FLOWS {
        let hash = flow_hash(&datagram(flow, protocol), SEED);
        let target = u16::try_from(flow % 1000 + 1)?;
        let owner = Owner { target, epoch, expires: now.wrapping_add(LASTS) };
        refused += u32::from(!table::insert(hash, owner, now, &tables));
    }
    println!("{FLOWS} flows remembered, {refused} without a place");
    let data = MapData::from_pin(folder.join(map::MEMORY)).context("opening the memory")?;
    let mut lines: Array<MapData, MemoryLine> = Map::from_map_data(data)?.try_into()?;
    for (number, line) in tables.memory.lines.borrow().iter() {
        lines.set(*number, line, 0)?;
    }
    Ok(())
}

/// A packet of the generator's flow with this number.
fn datagram(flow: u32, protocol: u8) -> Datagram {
    let [_, high, middle, low] = flow.to_be_bytes();
    Datagram {
        family: Family::V4,
        source: Address::v4([10, high, low, middle]),
        destination: Address::v4(VIP_V4.octets()),
        protocol,
        traffic_class: 0,
        length: 0,
        header_length: 20,
        source_port: Be16::new(CLIENT_PORT),
        destination_port: Be16::new(80),
        tcp_flags: 0,
        content: Content::Whole,
    }
}

/// Prints what looking a flow up in a BPF LRU hash of 2^21 flows costs, and entering it when it is
/// not there: nothing but that.
pub(crate) fn print_lru(repetitions: usize, packets: u32) -> Result<()> {
    print!("{:<12}", "LRU hash");
    for (flows, all_new) in
        [(1, false), (1 << 10, false), (1 << 16, false), (1 << 20, false), (1 << 24, true)]
    {
        let mut generator = Generator::load(&STEADY, flows, all_new, 1 << 21)?;
        let lru = xdp(&mut generator.ebpf, "xelb_lru")?.try_clone()?;
        // Enters the flows.
        generator.run(&lru, if all_new { packets } else { flows.saturating_mul(8).max(1000) })?;
        let mut samples = Vec::new();
        for _ in 0..repetitions {
            let reflect = generator.reflect.try_clone()?;
            let own = generator.run(&reflect, packets)?;
            let whole = generator.run(&lru, packets)?;
            samples.push(nanoseconds(whole) - nanoseconds(own));
        }
        samples.sort_unstable();
        let median = samples.get(samples.len() / 2).copied().unwrap_or_default();
        let (low, high) = (samples.first().copied(), samples.last().copied());
        let spread = format!("({} to {})", low.unwrap_or_default(), high.unwrap_or_default());
        print!(" {median:>5} {spread:>10}");
        if flows == 1 << 20 {
            print!(" {:>16}", "-");
        }
    }
    println!();
    Ok(())
}
