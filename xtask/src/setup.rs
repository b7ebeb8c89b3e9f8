//! `cargo xtask setup`: what a machine needs to build and try xelb.
//!
//! Idempotent, and quick when nothing is to do. Outside of the workspace's target directory it
//! changes two things: components of the pinned Rust toolchain, and Debian packages. It mounts
//! nothing and changes no setting of the kernel.

mod cargo_deny;
mod linker;
mod packages;
pub(crate) mod rust;
mod schemathesis;

use std::time::Instant;

use anyhow::Result;

use crate::workspace::{Workspace, human};

/// One thing that a machine needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// `cargo fmt` of the pinned toolchain.
    Rustfmt,
    /// `cargo clippy` of the pinned toolchain.
    Clippy,
    /// The sources of the core library, which is compiled for BPF.
    RustSource,
    /// bpf-linker, built against the compiler's LLVM.
    BpfLinker,
    /// What looks at the crates that xelb is made of.
    CargoDeny,
    /// The programs that the lab's hosts run.
    LabPrograms,
    /// Shells that complete command lines.
    Shells,
    /// The programs that xelb is compared with.
    BenchPrograms,
    /// What asks the API whatever its document allows.
    Schemathesis,
    /// The standard library for programs that are linked statically.
    MuslTarget,
    /// Programs that a release is built with.
    DistPrograms,
    /// A compiler of C++, for libFuzzer.
    CxxCompiler,
}

/// What building the BPF object needs.
pub(crate) const BPF_NEEDS: &[Need] = &[Need::RustSource, Need::BpfLinker];
/// What the tests of the command line need.
pub(crate) const CLI_NEEDS: &[Need] = &[Need::RustSource, Need::BpfLinker, Need::Shells];
/// What the tests of the agent need.
pub(crate) const AGENT_NEEDS: &[Need] =
    &[Need::RustSource, Need::BpfLinker, Need::LabPrograms, Need::Schemathesis];
/// What running the lab needs.
pub(crate) const LAB_NEEDS: &[Need] = &[Need::RustSource, Need::BpfLinker, Need::LabPrograms];

/// What a release needs.
pub(crate) const DIST_NEEDS: &[Need] =
    &[Need::RustSource, Need::BpfLinker, Need::MuslTarget, Need::DistPrograms];

/// What measuring needs: the lab, and those that xelb is compared with.
pub(crate) const BENCH_NEEDS: &[Need] =
    &[Need::RustSource, Need::BpfLinker, Need::LabPrograms, Need::BenchPrograms];

const ALL: &[Need] = &[
    Need::RustSource,
    Need::Rustfmt,
    Need::Clippy,
    Need::BpfLinker,
    Need::CargoDeny,
    Need::LabPrograms,
    Need::Shells,
    Need::BenchPrograms,
    Need::Schemathesis,
];

/// How much is said about what is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    Full,
    OnlyWork,
}

/// What was found, or done, about a need; a line for people.
enum Outcome {
    Present(String),
    Installed(String),
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    satisfy(workspace, ALL, Voice::Full)?;
    println!("setup: everything is in place ({})", human(start.elapsed()));
    Ok(())
}

/// Installs what is missing of the needs; silent when nothing is.
pub(crate) fn ensure(workspace: &Workspace, needs: &[Need]) -> Result<()> {
    satisfy(workspace, needs, Voice::OnlyWork)
}

fn satisfy(workspace: &Workspace, needs: &[Need], voice: Voice) -> Result<()> {
    for need in needs {
        let start = Instant::now();
        let outcome = match need {
            Need::Rustfmt => rust::component(workspace, &rust::RUSTFMT)?,
            Need::Clippy => rust::component(workspace, &rust::CLIPPY)?,
            Need::RustSource => rust::component(workspace, &rust::RUST_SRC)?,
            Need::BpfLinker => linker::ensure(workspace)?,
            Need::CargoDeny => cargo_deny::ensure(workspace)?,
            Need::LabPrograms => packages::ensure(workspace, &packages::LAB)?,
            Need::Shells => packages::ensure(workspace, &packages::SHELLS)?,
            Need::BenchPrograms => packages::ensure(workspace, &packages::BENCH)?,
            Need::MuslTarget => rust::musl_target(workspace)?,
            Need::DistPrograms => packages::ensure(workspace, &packages::DIST)?,
            Need::CxxCompiler => packages::ensure(workspace, &packages::FUZZ)?,
            Need::Schemathesis => schemathesis::ensure(workspace)?,
        };
        match outcome {
            Outcome::Present(what) if voice == Voice::Full => println!("setup: present: {what}"),
            Outcome::Present(_) => {}
            Outcome::Installed(what) => {
                println!("setup: installed: {what} ({})", human(start.elapsed()));
            }
        }
    }
    Ok(())
}
