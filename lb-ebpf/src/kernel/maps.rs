//! The maps. Names and layouts are part of the ABI (`lb_common::abi`).

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    macros::map,
    maps::{Array, DevMapHash, HashMap, LpmTrie, LruHashMap, PerCpuArray, ProgramArray, Queue},
};
use lb_common::{
    Binding, Bucket, FlowLine, FragmentFlow, FragmentKey, MemoryLine, Switches, Traffic, Turns,
    VipKey, WideKey, WideListeners,
    abi::{
        Meta,
        program::{Instance, Next},
    },
    counter::COUNTERS_MAX,
    explain::Explanation,
    group::Groups,
    limits::{
        DEVICES_MAX, FRAGMENTS_MAX, LISTENERS_MAX, MEMORY_LINES, TARGETS_MAX, VIPS_MAX,
        WIDE_LISTENERS_MAX,
    },
    listener::Listeners,
    macs::Macs,
    memory::Seen,
    nat::{self, Pools},
    ring::{Rings, Slots},
    switches::LIMITS as LIMITS_MAX,
    target::Targets,
};

/// Read by the agent only; here so that it is made and pinned with the others.
#[map]
static META: Array<Meta> = Array::pinned(1, 0);

/// See [`lb_common::abi::program::Instance::place`].
#[map]
pub(crate) static PROGRAMS: ProgramArray = ProgramArray::pinned(Instance::COUNT * Next::COUNT, 0);

/// What the program for plain packets leaves to the other one: a word of [`lb_ebpf::Step`].
#[map]
pub(crate) static LEFT: PerCpuArray<u64> = PerCpuArray::pinned(Instance::COUNT, 0);

#[map]
pub(crate) static LISTENERS: Array<Listeners> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static VIPS: HashMap<VipKey, u32> = HashMap::pinned(VIPS_MAX as u32, 0);

#[map]
pub(crate) static GROUPS: Array<Groups> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static RINGS: Array<Rings> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static SLOTS: Array<Slots> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static TARGETS: Array<Targets> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static DEVICES: DevMapHash = DevMapHash::pinned(DEVICES_MAX as u32, 0);

#[map]
pub(crate) static LISTENER_TRAFFIC: PerCpuArray<Traffic> =
    PerCpuArray::pinned(LISTENERS_MAX as u32, 0);

#[map]
pub(crate) static TARGET_TRAFFIC: PerCpuArray<Traffic> = PerCpuArray::pinned(TARGETS_MAX as u32, 0);

#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::pinned(COUNTERS_MAX as u32, 0);

/// Not pinned: each instance of the program has its own.
#[map]
pub(crate) static EXPLANATION: Array<Explanation> = Array::with_max_entries(1, 0);

#[map]
pub(crate) static POOLS: Array<Pools> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static BINDINGS: Array<Binding> = Array::pinned(nat::BINDINGS as u32, BPF_F_MMAPABLE);

#[map]
pub(crate) static FLOWS: Array<FlowLine> =
    Array::pinned(nat::flow_lines(nat::BINDINGS) as u32, BPF_F_MMAPABLE);

#[map]
pub(crate) static FREE: Queue<u32> = Queue::pinned(nat::BINDINGS as u32, 0);

#[map]
pub(crate) static TURNS: Array<Turns> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static HANDS: PerCpuArray<u32> = PerCpuArray::pinned(1, 0);

#[map]
pub(crate) static SWITCHES: Array<Switches> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static LIMITS: PerCpuArray<Bucket> = PerCpuArray::pinned(LIMITS_MAX as u32, 0);

#[map]
pub(crate) static WIDE_LISTENERS: LpmTrie<WideKey, WideListeners> =
    LpmTrie::pinned(WIDE_LISTENERS_MAX as u32, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static FRAGMENTS: LruHashMap<FragmentKey, FragmentFlow> =
    LruHashMap::pinned(FRAGMENTS_MAX as u32, 0);

#[map]
pub(crate) static MACS: Array<Macs> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static SEEN: Array<Seen> = Array::pinned(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static MEMORY: Array<MemoryLine> = Array::pinned(MEMORY_LINES as u32, BPF_F_MMAPABLE);
