//! What a developer of xelb runs. Every subcommand sets up what it needs.

mod bench;
mod build_ebpf;
mod demo;
mod process;
mod setup;
mod stages;
mod test;
mod tidy;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Builds, shows and tests xelb.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what building and testing need: Rust components, bpf-linker (inside target/),
    /// Debian packages. Does nothing when all is there.
    Setup,
    /// Builds the BPF objects and says where they are and how big.
    BuildEbpf,
    /// Shows xelb on real traffic between network namespaces; needs root; under a minute.
    Demo {
        /// Passed on to the demo; `--keep` leaves the lab up to play with.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs all tests, or only the named stages; needs root.
    Test {
        /// Stages to run, in their order; all of them when none is named.
        #[arg(value_enum)]
        stages: Vec<stages::Stage>,
        /// Goes on after a stage has failed.
        #[arg(long)]
        keep_going: bool,
    },
    /// Measures; `cargo xtask bench --help` says what.
    Bench {
        /// Passed on to the benchmark.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks the rules of the code base that a program can check.
    Tidy,
}

/// The folder of the workspace.
fn workspace() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup => setup::run(),
        Command::BuildEbpf => build_ebpf::run(),
        Command::Demo { arguments } => demo::run(&arguments),
        Command::Test { stages, keep_going } => test::run(&stages, keep_going),
        Command::Bench { arguments } => bench::run(&arguments),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
