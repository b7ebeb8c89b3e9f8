//! Maps of other sizes than those that are asked for: replaced, with what they hold. No interface has a
//! program here; `tests/agent/limits.rs` is about connections.

use std::collections::BTreeMap;

use aya::maps::{Array, Map, MapData};
use lb_common::{MemoryLine, Owner, Target, abi::map, limits::MEMORY_LINES};
use lb_ebpf::{
    host::MemoryTables,
    memory::{self, Lines as _},
};
use lb_userspace::{
    clock,
    dataplane::{DataPath, LoadOptions, MapSizes, MapStore as _, StatsSource},
    plan::MapOp,
};

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

#[test]
fn another_size_of_the_memory_keeps_what_is_in_all_maps() {
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
            let sizes = MapSizes::for_flows(count);
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
