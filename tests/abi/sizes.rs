//! Maps with other sizes than the requested ones are replaced, and their content is kept. No
//! interface has a program here; `tests/agent/limits.rs` and `tests/network/translated.rs` are
//! about connections.

use std::collections::BTreeMap;

use aya::maps::{Array, Map, MapData};
use lb_common::{
    Address, Be16, Binding, Family, FlowLine, Life, MemoryLine, Owner, Target, Turns, abi::map,
    limits::MEMORY_LINES, listener::protocol,
};
use lb_dataplane::{DataPath, LoadOptions, MapSizes, StatsSource, clock};
use lb_ebpf::{
    flow_hash::{self, KEYS},
    host::{MemoryTables, NatMemory},
    memory::{self, Lines as _},
    nat::{self, table},
};
use lb_plan::{MapOp, MapStore as _};

use crate::{in_sandbox, options, pins::folder};

const FLOWS: u64 = 20_000;

/// Remembers flows in pinned maps of the usual size, as packets would.
fn remember() {
    let tables = MemoryTables::default();
    assert_eq!(tables.memory_mask() as usize, MEMORY_LINES - 1);
    let now = clock::seconds();
    for flow in 1..=FLOWS {
        let owner =
            Owner { target: u16::try_from(flow % 1000).unwrap(), epoch: 3, expires: now + 900 };
        let hash = flow.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        assert!(memory::insert(hash, owner, now, 0, &tables));
    }
    let data = MapData::from_pin(folder().join(map::MEMORY)).unwrap();
    let mut lines: Array<MapData, MemoryLine> =
        Map::from_map_data(data).unwrap().try_into().unwrap();
    for (line, content) in tables.memory.lines.borrow().iter() {
        lines.set(*line, content, 0).unwrap();
    }
}

/// Flows that are remembered: their hashes and targets.
fn remembered() -> BTreeMap<u64, u16> {
    let mut flows = BTreeMap::new();
    let twice = |hash, target, flows: &mut BTreeMap<_, _>| {
        assert_eq!(flows.insert(hash, target), None, "{hash:#x} is there twice");
    };
    let stats = StatsSource::new(&folder());
    stats.each_remembered(|hash, target| twice(hash, target, &mut flows)).unwrap();
    flows
}

/// Bindings in pinned maps, as packets would make them: the client's number is in its port and address.
fn bind(count: u32, keys: &[u64; KEYS]) {
    let tables = MemoryTables::default();
    let bindings: Vec<Binding> = (0..count).map(binding).collect();
    for (index, binding) in (0..).zip(&bindings) {
        for hash in nat::hashes(binding, |key| keys[key]) {
            table::insert(hash, index, &tables).unwrap();
        }
    }
    let open = |name| Map::from_map_data(MapData::from_pin(folder().join(name)).unwrap()).unwrap();
    let mut lines: Array<MapData, FlowLine> = open(map::FLOWS).try_into().unwrap();
    for (line, content) in tables.nat.lines.borrow().iter() {
        lines.set(*line, *content, 0).unwrap();
    }
    let mut all: Array<MapData, Binding> = open(map::BINDINGS).try_into().unwrap();
    for (index, binding) in (0..).zip(&bindings) {
        all.set(index, binding, 0).unwrap();
    }
    let mut turns: Array<MapData, Turns> = open(map::TURNS).try_into().unwrap();
    turns.set(0, Turns { taken: count.into(), ..Turns::default() }, 0).unwrap();
}

fn binding(number: u32) -> Binding {
    let life = Life { seen: clock::seconds(), phase: Life::LIVE, flags: Life::ESTABLISHED };
    let [_, high, middle, low] = number.to_be_bytes();
    Binding {
        life: life.to_word(),
        client: Address::v4([10, high, middle, low]),
        client_port: Be16::new(40_000),
        vip: Address::v4([203, 0, 113, 1]),
        vip_port: Be16::new(80),
        local: Address::v4([192, 0, 2, 1]),
        local_port: Be16::new(1024 + (number % 60_000) as u16),
        target_address: Address::v4([10, 99, 0, u8::try_from(number / 60_000).unwrap()]),
        target_port: Be16::new(8080),
        family: Family::V4 as u8,
        protocol: protocol::TCP,
        listener: 3,
        ..Binding::EMPTY
    }
}

/// How many of these bindings are found from both sides, each time the same one.
fn found(count: u32, keys: &[u64; KEYS], sizes: MapSizes) -> u32 {
    let tables = MemoryTables {
        nat: NatMemory { count: sizes.bindings(), ..NatMemory::default() },
        ..MemoryTables::default()
    };
    let open = |name| Map::from_map_data(MapData::from_pin(folder().join(name)).unwrap()).unwrap();
    let lines: Array<MapData, FlowLine> = open(map::FLOWS).try_into().unwrap();
    for line in 0..lines.len() {
        let content = lines.get(&line, 0).unwrap();
        if content.words.iter().any(|word| *word != 0) {
            tables.nat.lines.borrow_mut().insert(line, Box::leak(Box::new(content)));
        }
    }
    let all: Array<MapData, Binding> = open(map::BINDINGS).try_into().unwrap();
    let is_found = |number: &u32| {
        let wanted = binding(*number);
        let [request, reply] =
            nat::hashes(&wanted, |key| keys[key]).map(|hash| table::holder(hash, &tables));
        request.is_some_and(|index| {
            let found = all.get(&index, 0).unwrap();
            request == reply && Binding { life: wanted.life, ..found } == wanted && found.life != 0
        })
    };
    u32::try_from((0..count).filter(is_found).count()).unwrap()
}

#[test]
fn another_number_of_bindings_keeps_all_flows_that_fit() {
    const COUNT: u32 = 100_000;
    in_sandbox(|| {
        let (data_path, _) = DataPath::load(&options()).unwrap();
        let keys = flow_hash::keys(data_path.hash_seed());
        drop(data_path);
        bind(COUNT, &keys);
        for (bindings, kept) in [(131_072, COUNT), (2_097_152, COUNT), (65_536, 65_536)] {
            let sizes = MapSizes::for_flows(2_097_152, bindings);
            for _again in [false, true] {
                let _loaded = DataPath::load(&LoadOptions { sizes, ..options() }).unwrap();
                assert_eq!(MapSizes::of(&folder()).unwrap(), sizes);
                let stats = StatsSource::new(&folder());
                assert_eq!(stats.translated().unwrap(), (kept, bindings));
                assert_eq!(found(COUNT, &keys, sizes), kept, "{bindings}");
                crate::pins::expect_own_maps();
            }
        }
    });
}

#[test]
fn a_resize_of_the_flow_memory_keeps_all_maps() {
    in_sandbox(|| {
        let (data_path, mut store) = DataPath::load(&options()).unwrap();
        let seed = data_path.hash_seed();
        let target = Target { flags: Target::VALID, group: 9, ..Target::default() };
        store.apply(&MapOp::PutTarget { id: 5, target, fresh: true }).unwrap();
        let tables = store.read(None).unwrap();
        drop(data_path);
        remember();
        let flows = remembered();
        assert_eq!(flows.len() as u64, FLOWS);
        for count in [65_536, 16_777_216, 4_000_000, 65_536, 2_097_152] {
            let sizes = MapSizes::for_flows(count, 0);
            let options = LoadOptions { sizes, ..options() };
            for again in [false, true] {
                let (data_path, store) = DataPath::load(&options).unwrap();
                assert_eq!(data_path.hash_seed(), seed);
                assert_eq!(MapSizes::of(&folder()).unwrap(), sizes, "{count}, {again}");
                assert_eq!(store.read(None).unwrap(), tables, "{count}, {again}");
                assert_eq!(remembered(), flows, "{count}, {again}");
                crate::pins::expect_own_maps();
            }
        }
    });
}
