//! What the verifier has to walk, and how much code a packet runs through: both bounded, so that a
//! change that doubles them is seen.

use std::path::Path;

use aya::{Ebpf, programs::Xdp};
use lb_common::abi::program::{self, Instance};
use lb_tests::sandbox::BPFFS;
use lb_userspace::dataplane::{Balancer, DECAP_OBJECT, MapSizes};

use crate::support::kernel::SEED;

/// Program, instructions that the verifier may walk, bytes of translated code. The kernel's own
/// limit is 1,000,000 instructions.
const BUDGETS: [(&str, u32, u32); 4] = [
    (program::BALANCE, 17_000, 34_000),
    (program::EXPLAIN, 17_000, 34_000),
    (program::REST, 650_000, 165_000),
    // Headers of the outer and of the inner packet, each with its chain of extensions.
    (program::DECAP, 320_000, 13_000),
];

fn measure(ebpf: &mut Ebpf, name: &str) -> (u32, u32) {
    let program: &mut Xdp = ebpf.program_mut(name).unwrap().try_into().unwrap();
    program.load().unwrap();
    let info = program.info().unwrap();
    (info.verified_instruction_count().unwrap(), info.size_translated().unwrap())
}

crate::support::world::in_sandbox! {
    fn programs_stay_within_their_budgets() {
        let mut over = false;
        for (name, walked_max, bytes_max) in BUDGETS {
            let (walked, bytes) = if name == program::DECAP {
                measure(&mut Ebpf::load(DECAP_OBJECT).unwrap(), name)
            } else {
                let (folder, sizes) = (Path::new(BPFFS), MapSizes::default());
                let opened = Balancer::open(folder, SEED, sizes, Instance::Live);
                measure(opened.unwrap().ebpf(), name)
            };
            println!("{name}: {walked} of {walked_max} instructions walked, {bytes} of {bytes_max} bytes");
            over |= walked > walked_max || bytes > bytes_max;
        }
        assert!(!over, "a program exceeds its budget");
    }
}
