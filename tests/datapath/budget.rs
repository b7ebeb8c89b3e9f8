//! What the verifier has to walk, and how much code a packet runs through: both bounded, so that a
//! change that doubles them is seen.

use aya::{Ebpf, EbpfLoader, programs::Xdp};
use lb_common::abi::program;
use lb_tests::sandbox::BPFFS;
use lb_userspace::dataplane::{DECAP_OBJECT, OBJECT};

/// Program, instructions that the verifier may walk, bytes of translated code. The kernel's own
/// limit is 1,000,000 instructions.
const BUDGETS: [(&str, u32, u32); 3] = [
    (program::BALANCE, 40_000, 36_000),
    (program::REST, 780_000, 205_000),
    (program::DECAP, 60_000, 9_500),
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
            let mut loader = EbpfLoader::new();
            loader.default_map_pin_directory(BPFFS);
            let object = if name == program::DECAP { DECAP_OBJECT } else { OBJECT };
            let mut ebpf = loader.load(object).unwrap();
            let (walked, bytes) = measure(&mut ebpf, name);
            println!("{name}: {walked} of {walked_max} instructions walked, {bytes} of {bytes_max} bytes");
            over |= walked > walked_max || bytes > bytes_max;
        }
        assert!(!over, "a program exceeds its budget");
    }
}
