//! The stage `kernels`: all programs on kernels of Debian, each booted in QEMU under software emulation.
//!
//! The verifier differs from kernel to kernel: what one loads, another refuses, or walks twice as long. In the
//! machine that is booted there is nothing but the test `datapath` and what it needs to run.

mod debian;
mod image;
mod machine;
mod report;

use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, anyhow, ensure};

use self::debian::Kernel;
use self::report::Report;
use super::stage::Environment;
use crate::workspace::human;

/// A kernel of Debian, and how far its verifier may walk.
struct Row {
    /// What it is called here.
    name: &'static str,
    /// The suite of Debian that has it, as its newest.
    suite: &'static str,
    /// Instructions that its verifier may walk for a program; the kernel's own limit is 1,000,000.
    walked_max: u32,
}

/// The oldest that is promised, that of the stable release, and the newest that can be had as a release.
const MATRIX: &[Row] = &[
    Row { name: "6.1", suite: "bookworm", walked_max: 150_000 },
    Row { name: "6.12", suite: "trixie", walked_max: 150_000 },
    Row { name: "newest", suite: "trixie-backports", walked_max: 150_000 },
];

/// Which tests run on each kernel: those of this name. All programs are loaded.
const LOAD: &str = "budget::every_program_loads";
/// A word that tells to run the tests of the data path instead, which send packets in every mode: by hand, since
/// that takes minutes a kernel.
const FORWARD: &str = "XELB_KERNELS_FORWARD";
/// All but those that send tens of thousands of packets, for which emulation is too slow, the one that wants
/// `ip`, and the budgets of the machine's own kernel.
const FORWARDED: &str = "--skip agreement:: --skip nat_rate:: --skip the_egress_interface_decides \
                         --skip programs_stay_within_their_budgets";

/// How long a machine may take: a boot takes 15 to 60 seconds when nothing else runs.
const LOADING: Duration = Duration::from_mins(15);
const FORWARDING: Duration = Duration::from_hours(1);

pub(super) fn run(on: &Environment<'_>) -> Result<()> {
    on.workspace.build_for_tests()?;
    let folder = on.workspace.target_dir.join("kernels");
    fs::create_dir_all(&folder)?;
    let forward = std::env::var_os(FORWARD).is_some();
    let system = debian::emulator(on.workspace, &folder)?;
    let image =
        image::make(on.workspace, &folder, &system, if forward { FORWARDED } else { LOAD })?;
    let kernels: Vec<(&Row, Kernel)> = MATRIX
        .iter()
        .map(|row| Ok((row, debian::kernel(on.workspace, &folder, row.name, row.suite)?)))
        .collect::<Result<_>>()?;
    machine::place_image(&system, &image)?;
    println!("kernels: {:<26} {:<16} {:>10} {:>8}", "Linux", "program", "walked", "bytes");
    // An emulated machine keeps one CPU busy.
    let patience = if forward { FORWARDING } else { LOADING };
    let boot = |row: &Row, kernel: &Kernel| {
        let start = Instant::now();
        let console = folder.join(row.name).join("console.log");
        machine::boot(on.workspace, &system, kernel, &console, patience)?;
        let report = Report::read(&fs::read_to_string(&console)?).with_context(|| {
            format!("Linux {}; all of it is in {}", kernel.release, console.display())
        })?;
        anyhow::Ok((report, start.elapsed()))
    };
    let mut failed = Vec::new();
    thread::scope(|scope| {
        let boot = &boot;
        let machines = kernels.iter().map(|(row, kernel)| scope.spawn(move || boot(row, kernel)));
        let machines: Vec<_> = machines.collect();
        for ((row, kernel), machine) in kernels.iter().zip(machines) {
            let booted = machine.join().unwrap_or_else(|_| Err(anyhow!("its thread has panicked")));
            match booted.and_then(|(report, took)| show(row, kernel, &report).map(|()| took)) {
                Ok(took) => println!("kernels: {:<26} {}", kernel.release, human(took)),
                Err(error) => {
                    println!("kernels: {:<26} FAILED: {error:#}", kernel.release);
                    failed.push(kernel.release.clone());
                }
            }
        }
    });
    ensure!(failed.is_empty(), "Linux {}", failed.join(", "));
    Ok(())
}

/// Prints what the verifier has walked; an error when that is too much.
fn show(row: &Row, kernel: &Kernel, report: &Report) -> Result<()> {
    for program in &report.programs {
        let report::Program { name, walked, bytes } = program;
        println!("kernels: {:<26} {name:<16} {walked:>10} {bytes:>8}", kernel.release);
    }
    let over = report.programs.iter().filter(|program| program.walked > row.walked_max);
    let over: Vec<&str> = over.map(|program| program.name.as_str()).collect();
    ensure!(
        over.is_empty(),
        "the verifier walks more than {} instructions in {}",
        row.walked_max,
        over.join(", ")
    );
    Ok(())
}
