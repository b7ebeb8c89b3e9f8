//! Programs in the kernel, run on one frame through `BPF_PROG_TEST_RUN`.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, LpmTrie, Map, MapData, PerCpuArray, lpm_trie::Key},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use lb_common::{
    MemoryLine, VipKey, WideKey,
    abi::{map, program, program::Instance},
    settings,
};
use lb_dataplane::{self as dataplane, DECAP_OBJECT, KernelStore, MapSizes};
use lb_tests::sandbox::BPFFS;

/// Least frame that TEST_RUN takes: an Ethernet header.
pub(crate) const FRAME_BYTES_MIN: usize = 14;

/// The seed of every test.
pub(crate) const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

/// What a program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The XDP action.
    pub(crate) action: u32,
    pub(crate) frame: Vec<u8>,
}

fn run(ebpf: &mut Ebpf, name: &str, frame: &[u8]) -> Ran {
    let program: &mut Xdp = ebpf.program_mut(name).unwrap().try_into().unwrap();
    let mut out = vec![0; 4096];
    let result = program
        .test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ..TestRunOptions::default()
        })
        .unwrap();
    out.truncate(result.data_size_out as usize);
    Ran { action: result.return_value, frame: out }
}

fn load(ebpf: &mut Ebpf, name: &str) {
    let program: &mut Xdp = ebpf.program_mut(name).unwrap().try_into().unwrap();
    program.load().unwrap();
}

/// The loaded balancer.
pub(crate) struct Balancer {
    loaded: dataplane::Balancer,
    pub(crate) store: KernelStore,
    pub(crate) folder: PathBuf,
}

impl Balancer {
    /// Loads it; the caller is in a sandbox.
    pub(crate) fn load() -> Self {
        // A test may load several, one after the other.
        static LOADED: AtomicUsize = AtomicUsize::new(0);
        let number = LOADED.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(BPFFS).join(format!("datapath-{number}"));
        std::fs::create_dir(&folder).unwrap();
        let (sizes, instance) = (MapSizes::default(), Instance::Live);
        let mut loaded = dataplane::Balancer::open(&folder, SEED, sizes, instance).unwrap();
        loaded.load().unwrap();
        let store = KernelStore::open(&folder).unwrap();
        Self { loaded, store, folder }
    }

    pub(crate) fn run(&mut self, frame: &[u8]) -> Ran {
        run(self.loaded.ebpf(), program::BALANCE, frame)
    }

    /// Places of the memory of flows that have been used.
    pub(crate) fn memory_in_use(&self) -> usize {
        let data = MapData::from_pin(self.folder.join(map::MEMORY)).unwrap();
        let lines: Array<MapData, MemoryLine> =
            Map::from_map_data(data).unwrap().try_into().unwrap();
        let lines = (0..lines.len()).map(|line| lines.get(&line, 0).unwrap());
        lines.flat_map(|line| line.entries).filter(|entry| entry.owner != 0).count()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // The maps are large; a test may load several. What cannot be removed goes with the sandbox.
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

/// The loaded decapsulator.
pub(crate) struct Decapsulator {
    pub(crate) ebpf: Ebpf,
}

impl Decapsulator {
    /// Loads it with the host's addresses, who may send, VIPs and prefixes of VIPs.
    pub(crate) fn load(
        addresses: &[VipKey],
        gue_port: u16,
        sources: &[(u32, WideKey)],
        vips: &[VipKey],
        prefixes: &[(u32, WideKey)],
    ) -> Self {
        let mut ebpf = EbpfLoader::new()
            .override_global(settings::GUE_PORT.name, &gue_port, true)
            .override_global(settings::CHECK_SOURCES.name, &u32::from(!sources.is_empty()), true)
            .load(DECAP_OBJECT)
            .unwrap();
        load(&mut ebpf, program::DECAP);
        for (name, keys) in [(map::ADDRESSES, addresses), (map::DECAP_VIPS, vips)] {
            let table = ebpf.map_mut(name).unwrap();
            let mut table: HashMap<&mut MapData, VipKey, u32> = table.try_into().unwrap();
            for key in keys {
                table.insert(key, 1, 0).unwrap();
            }
        }
        for (name, prefixes) in [(map::SOURCES, sources), (map::DECAP_PREFIXES, prefixes)] {
            let trie = ebpf.map_mut(name).unwrap();
            let mut trie: LpmTrie<&mut MapData, WideKey, u32> = trie.try_into().unwrap();
            for (length, key) in prefixes {
                trie.insert(&Key::new(*length, *key), 1, 0).unwrap();
            }
        }
        Self { ebpf }
    }

    pub(crate) fn run(&mut self, frame: &[u8]) -> Ran {
        run(&mut self.ebpf, program::DECAP, frame)
    }

    /// Sum over the CPUs of one counter.
    pub(crate) fn counter(&self, index: u32) -> u64 {
        let map = self.ebpf.map(map::COUNTERS).unwrap();
        let counters: PerCpuArray<&MapData, u64> = map.try_into().unwrap();
        counters.get(&index, 0).unwrap().iter().sum()
    }
}
