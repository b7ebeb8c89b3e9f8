//! The stages of `cargo xtask test`, as a table: cheap ones first, so that a mistake shows early.

use std::cell::RefCell;
use std::{env, io};

use anyhow::{Result, anyhow};

use super::programs::{self, Pass, TimedTest};
use super::{dependencies, kernels, package};
use crate::bench::guard::{self, Speed};
use crate::setup::{self, Need};
use crate::tidy;
use crate::workspace::{Workspace, run};
use crate::{build_ebpf, fuzz};

/// One stage.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) purpose: &'static str,
    /// Whether it needs root.
    pub(super) privileged: bool,
    /// Whether `--quick` runs it.
    quick: bool,
    /// What must be installed for it.
    pub(super) needs: &'static [Need],
    /// What it does.
    pub(super) action: fn(&Environment<'_>) -> Result<()>,
}

/// What stages are run with.
pub(super) struct Environment<'a> {
    pub(super) workspace: &'a Workspace,
    /// Privileged tests at the same time, if the caller chose.
    threads: Option<usize>,
    /// All tests of the stages that have been run.
    pub(super) timed: RefCell<Vec<TimedTest>>,
}

/// Tests with hosts of their own mostly wait: for probes, timeouts and slots that disarm.
const WAITING_TESTS: usize = 4;

/// Those of the network, while none measures.
const NETWORK_WAITING_TESTS: usize = 8;

/// Of these, long ones.
const NETWORK_LONG_AT_ONCE: usize = 4;

/// Tests of the network that take longest: the stage would wait for them if they began last.
const NETWORK_LONG_TESTS: &[&str] = &["consistency::", "first_start::", "scaling", "traffic::"];

/// Tests that measure (`tests/network/alone/mod.rs`).
const ALONE: &str = "alone::";

/// Tests that compute.
const COMPUTING_TESTS: usize = 2;

/// How long each target is fuzzed.
const FUZZ_SECONDS: u32 = 10;

/// Test programs of the command line: they run `xelb` without privileges, or parts of it without a kernel.
const CLI_TESTS: &[&str] = &[
    "access",
    "bad_files",
    "cli",
    "control",
    "deploy",
    "dns",
    "drivers",
    "exit_codes",
    "log",
    "proxy",
    "service",
    "shells",
];

/// Test programs that live through random sequences: of connections, and of load on target groups that scale.
const SIMULATION_TESTS: &[&str] = &["comparison", "members", "properties", "simulation"];

/// Test programs with hosts in network namespaces.
const NETWORK_TESTS: &[&str] = &["next_hop", "network"];

/// Test programs of a running agent, and of the drivers with a real engine.
const AGENT_TESTS: &[&str] = &["agent", "engines"];

/// These test programs, as arguments for Cargo.
fn selection<'a>(tests: &[&'a str]) -> Vec<&'a str> {
    tests.iter().flat_map(|test| ["--test", test]).collect()
}

impl<'a> Environment<'a> {
    pub(super) fn new(workspace: &'a Workspace, threads: Option<u8>) -> Self {
        Self { workspace, threads: threads.map(usize::from), timed: RefCell::default() }
    }

    /// Builds and runs the test programs of that choice, two at a time, each with as many tests at once as
    /// libtest thinks.
    fn tests(&self, choice: &[&str]) -> Result<()> {
        self.pairs(choice, Pass::default())
    }

    /// Test programs that run `xelb` itself, which is therefore built first.
    fn lab(&self, tests: &[&str], threads: usize) -> Result<()> {
        self.workspace.build_for_tests()?;
        let threads = Some(self.threads.unwrap_or(threads));
        self.pairs(&selection(tests), Pass { threads, filters: &[] })
    }

    fn pairs(&self, choice: &[&str], pass: Pass<'_>) -> Result<()> {
        let programs = programs::build(self.workspace, choice)?;
        programs::run_in_pairs(&programs, pass, &mut io::stdout(), &mut self.timed.borrow_mut())
    }

    /// Builds test programs and runs one after the other: what they say is shown at once.
    fn one_by_one(&self, tests: &[&str]) -> Result<()> {
        let programs = programs::build(self.workspace, &selection(tests))?;
        let parts: Vec<_> = programs.iter().map(|one| vec![(one, Pass::default())]).collect();
        programs::run(&parts, &mut self.timed.borrow_mut())
    }
}

/// Tests that wait side by side, the longest ones in a process of their own so that they begin first; then
/// those that need the machine one by one.
fn network(on: &Environment<'_>) -> Result<()> {
    on.workspace.build_for_tests()?;
    let programs = programs::build(on.workspace, &selection(NETWORK_TESTS))?;
    let skip = |names: &[&'static str]| names.iter().flat_map(|name| ["--skip", *name]).collect();
    let most: Vec<&str> = skip(&[NETWORK_LONG_TESTS, &[ALONE]].concat());
    let long = [NETWORK_LONG_TESTS, &skip(&[ALONE])].concat();
    let of = |threads: usize| Some(on.threads.unwrap_or(threads));
    let long = Pass { threads: of(NETWORK_LONG_AT_ONCE), filters: &long };
    let most = Pass { threads: of(NETWORK_WAITING_TESTS - NETWORK_LONG_AT_ONCE), filters: &most };
    let alone = Pass { threads: Some(1), filters: &[ALONE] };
    let all = programs.iter();
    let mut together: Vec<_> = all.clone().map(|one| (one, most)).collect();
    together.extend(all.clone().filter(|one| one.name == "network").map(|one| (one, long)));
    let alone = all.map(|one| vec![(one, alone)]);
    // Who says how many tests run at a time gets no other ones beside them.
    let first = if on.threads.is_some() {
        together.into_iter().map(|one| vec![one]).collect()
    } else {
        vec![together]
    };
    let groups: Vec<_> = first.into_iter().chain(alone).collect();
    programs::run(&groups, &mut on.timed.borrow_mut())
}

pub(super) const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        purpose: "the code is formatted",
        privileged: false,
        quick: true,
        needs: &[Need::Rustfmt],
        action: |on| run(&mut on.workspace.cargo(["fmt", "--all", "--check"])),
    },
    Stage {
        name: "tidy",
        purpose: "what a program can check of the style",
        privileged: false,
        quick: true,
        needs: &[],
        action: |on| tidy::run(on.workspace),
    },
    Stage {
        name: "dependencies",
        purpose: "licences, duplicate versions and known faults of the crates that are used",
        privileged: false,
        quick: false,
        needs: &[Need::CargoDeny],
        action: dependencies::check,
    },
    Stage {
        name: "clippy",
        purpose: "no warning on the host",
        privileged: false,
        quick: true,
        needs: &[Need::Clippy, Need::RustSource, Need::BpfLinker],
        action: |on| {
            let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            run(&mut on.workspace.cargo(arguments))
        },
    },
    Stage {
        name: "clippy-bpf",
        purpose: "no warning in the BPF binaries",
        privileged: false,
        quick: false,
        needs: &[Need::Clippy, Need::RustSource],
        action: clippy_bpf,
    },
    Stage {
        name: "unit",
        purpose: "unit and property tests of every crate",
        privileged: false,
        quick: true,
        needs: setup::BPF_NEEDS,
        action: |on| {
            on.tests(&["--lib", "--bins"])?;
            run(&mut on.workspace.cargo(["test", "--workspace", "--doc"]))
        },
    },
    Stage {
        name: "cli",
        purpose: "the command line: bad input, exit codes, files; the control plane without a kernel",
        privileged: false,
        quick: false,
        needs: setup::CLI_NEEDS,
        action: |on| on.tests(&selection(CLI_TESTS)),
    },
    Stage {
        name: "simulation",
        purpose: "random lives of target groups: no connection breaks, capacity follows load",
        privileged: false,
        quick: false,
        needs: setup::BPF_NEEDS,
        action: |on| on.one_by_one(SIMULATION_TESTS),
    },
    Stage {
        name: "fuzz",
        purpose: "libFuzzer looks for inputs that break what reads the bytes of strangers",
        privileged: false,
        quick: false,
        needs: fuzz::NEEDS,
        action: |on| {
            let programs = fuzz::build(on.workspace)?;
            fuzz::look(on.workspace, &programs, fuzz::TARGETS, FUZZ_SECONDS, &mut io::stdout())
        },
    },
    Stage {
        name: "kernels",
        purpose: "other kernels load the programs, in emulated machines",
        privileged: true,
        quick: false,
        needs: setup::BPF_NEEDS,
        action: |on| {
            build_ebpf::run(on.workspace)?;
            kernels::run(on)
        },
    },
    Stage {
        name: "package",
        purpose: "the Debian package on a clean system, and its units under systemd",
        privileged: true,
        quick: false,
        needs: setup::LAB_NEEDS,
        action: package::run,
    },
    Stage {
        name: "datapath",
        purpose: "packets, on the host and in the kernel",
        privileged: true,
        quick: false,
        needs: setup::LAB_NEEDS,
        action: |on| on.lab(&["datapath"], COMPUTING_TESTS),
    },
    Stage {
        name: "network",
        purpose: "real connections through hosts in network namespaces",
        privileged: true,
        quick: false,
        needs: setup::LAB_NEEDS,
        action: network,
    },
    Stage {
        name: "agent",
        purpose: "configuration in, tables out; bad input; take-over; drivers with Podman",
        privileged: true,
        quick: false,
        needs: setup::AGENT_NEEDS,
        action: |on| on.lab(AGENT_TESTS, WAITING_TESTS),
    },
    Stage {
        name: "abi",
        purpose: "the layout of what kernel and agent share",
        privileged: true,
        quick: false,
        needs: setup::LAB_NEEDS,
        action: |on| on.lab(&["abi"], 1),
    },
    Stage {
        name: "bench",
        purpose: "no ratio of costs is worse than its bound",
        privileged: true,
        quick: false,
        needs: setup::BPF_NEEDS,
        action: |on| guard::check(on.workspace, Speed::Quick),
    },
];

/// A stage of this name.
pub(super) fn parse(name: &str) -> Result<&'static Stage> {
    STAGES.iter().find(|stage| stage.name == name).ok_or_else(|| {
        let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        anyhow!("the stages are {}", names.join(", "))
    })
}

/// The stages of that choice in the order of the table, each once; if none is chosen, the quick ones
/// or all.
pub(super) fn selected(chosen: &[&'static Stage], quick: bool) -> Vec<&'static Stage> {
    let is_chosen = |stage: &Stage| {
        if chosen.is_empty() {
            return stage.quick || !quick;
        }
        chosen.iter().any(|candidate| candidate.name == stage.name)
    };
    STAGES.iter().filter(|stage| is_chosen(stage)).collect()
}

/// Clippy on the binaries that only BPF can compile; host stages see no line of it.
fn clippy_bpf(on: &Environment<'_>) -> Result<()> {
    let mut command = on.workspace.cargo(["clippy", "--package", "lb-ebpf", "--bins"]);
    command
        .args(["--features", "kernel", "--release", "--target", "bpfel-unknown-none"])
        .args(["-Z", "build-std=core", "--", "-D", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1")
        // As aya-build compiles it: the layouts of what kprobes and the like get depend on it.
        .env("CARGO_ENCODED_RUSTFLAGS", format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH))
        // Where the build of the object has its procedural macros already.
        .env("CARGO_BUILD_BUILD_DIR", on.workspace.target_dir.join("bpf"));
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use super::*;

    fn names(stages: &[&Stage]) -> Vec<&'static str> {
        stages.iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn stages_keep_their_order_and_run_once() {
        let chosen = ["unit", "fmt", "unit"].map(|name| parse(name).unwrap());
        assert_eq!(names(&selected(&chosen, false)), ["fmt", "unit"]);
        assert_eq!(selected(&[], false).len(), STAGES.len());
        let quick = selected(&[], true);
        assert_eq!(names(&quick), ["fmt", "tidy", "clippy", "unit"]);
        assert!(!quick.iter().any(|stage| stage.privileged));
    }

    #[test]
    fn an_unknown_stage_is_answered_with_the_known_ones() {
        let message = parse("units").unwrap_err().to_string();
        assert!(
            message.contains("unit, cli, simulation, fuzz, kernels, package, datapath"),
            "{message}"
        );
    }

    /// Of all packages: a program that no stage names would never run.
    #[test]
    fn every_test_program_belongs_to_a_stage() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let output = command.current_dir(root).output().unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let list = |value: &serde_json::Value, name: &str| value[name].as_array().unwrap().clone();
        let targets = list(&metadata, "packages").into_iter().flat_map(|one| list(&one, "targets"));
        let tests = targets.filter(|target| target["kind"][0] == "test");
        let mut tests: Vec<String> =
            tests.map(|target| target["name"].as_str().unwrap().to_owned()).collect();
        tests.sort();
        let mut known =
            [CLI_TESTS, NETWORK_TESTS, SIMULATION_TESTS, AGENT_TESTS, &["abi", "datapath"]]
                .concat();
        known.sort_unstable();
        assert_eq!(tests, known);
    }

    #[test]
    fn unprivileged_stages_come_first() {
        assert!(STAGES.is_sorted_by_key(|stage| stage.privileged));
    }
}
