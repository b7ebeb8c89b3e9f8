//! What the verifier has to walk, and how much code a packet runs through: both bounded, so that a
//! change that doubles them is seen. `every_program_loads` is for other kernels, too.

use std::path::Path;

use aya::{
    Ebpf,
    programs::{ProgramError, Xdp},
};
use lb_common::abi::program::{self, Instance};
use lb_dataplane::{Balancer, DECAP_OBJECT, GENERATOR_OBJECT, MapSizes, TRAFFIC_OBJECT};
use lb_tests::sandbox::BPFFS;

use crate::support::kernel::SEED;

/// Program, instructions that the verifier may walk, bytes of translated code. The kernel's own
/// limit is 1,000,000 instructions.
const BUDGETS: [(&str, u32, u32); 5] = [
    (program::BALANCE, 17_000, 34_000),
    (program::EXPLAIN, 17_000, 34_000),
    (program::REST, 90_000, 100_000),
    (program::TRANSLATE, 110_000, 170_000),
    // Headers of the outer and of the inner packet, each with its chain of extensions.
    (program::DECAP, 30_000, 13_000),
];

fn measure(ebpf: &mut Ebpf, name: &str) -> (u32, u32) {
    let program: &mut Xdp = ebpf.program_mut(name).unwrap().try_into().unwrap();
    program.load().unwrap();
    let info = program.info().unwrap();
    (info.verified_instruction_count().unwrap(), info.size_translated().unwrap())
}

/// Loads these programs, or all XDP programs of an object, and prints a line for each; gives how many were refused.
fn load(ebpf: &mut Ebpf, only: Option<&[&str]>) -> usize {
    let mut refused = 0;
    for (name, program) in ebpf.programs_mut() {
        if only.is_some_and(|only| !only.contains(&name)) {
            continue;
        }
        let program: &mut Xdp = program.try_into().unwrap();
        match program.load() {
            Ok(()) => {
                let info = program.info().unwrap();
                let walked = info.verified_instruction_count().unwrap();
                let bytes = info.size_translated().unwrap();
                println!("loaded {name}: {walked} instructions walked, {bytes} bytes");
            }
            Err(error) => {
                println!("refused {name}: {}", reason(&error));
                refused += 1;
            }
        }
    }
    refused
}

/// The line of the verifier that says why: the last one that is not about its own work.
fn reason(error: &ProgramError) -> String {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return error.to_string();
    };
    let log = verifier_log.to_string();
    let statistics = ["verification time", "stack depth", "processed "];
    let why = log.lines().rfind(|line| {
        !line.is_empty() && !statistics.iter().any(|statistic| line.starts_with(statistic))
    });
    format!("{} ({io_error})", why.unwrap_or("its verifier gives no reason"))
}

crate::support::world::in_sandbox! {
    fn every_program_loads() {
        let (folder, sizes) = (Path::new(BPFFS), MapSizes::default());
        let mut refused = 0;
        // So that the first program is on its own line, after the name of the test.
        println!();
        for (instance, names) in [
            (Instance::Live, [program::TRANSLATE, program::REST, program::BALANCE]),
            (Instance::DryRun, [program::TRANSLATE, program::REST, program::EXPLAIN]),
        ] {
            let mut opened = Balancer::open(folder, SEED, sizes, instance).unwrap();
            refused += load(opened.ebpf(), Some(&names));
        }
        for object in [DECAP_OBJECT, GENERATOR_OBJECT, TRAFFIC_OBJECT] {
            refused += load(&mut Ebpf::load(object).unwrap(), None);
        }
        assert_eq!(refused, 0, "programs are refused");
    }

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
