//! What a developer of xelb runs: `cargo xtask setup | build-ebpf | demo | test | fuzz | bench | package | dist | tidy`.
//!
//! One subcommand a file; each installs what it needs of `setup` by itself. Nothing here is part
//! of the product: what operators run is `xelb`.

mod bench;
mod build_ebpf;
mod demo;
mod dist;
mod fuzz;
mod package;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, tests and shows xelb.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what the other commands need: rust-src, bpf-linker (inside target/), lab programs
    Setup,
    /// Builds the BPF object and says where it is, its size and its number of instructions
    BuildEbpf,
    /// Shows the load balancer at work, in network namespaces of this machine (as root)
    Demo(demo::Arguments),
    /// Runs every check and test, or the stages that are named (the later ones as root)
    Test(test::Arguments),
    /// Looks for inputs that break what reads the bytes of strangers
    Fuzz(fuzz::Arguments),
    /// Measures everything into docs/benchmarks.md, or parts, or guards ratios (as root)
    Bench(bench::Arguments),
    /// Builds a Debian package of the binary, its units, manual pages and documents
    Package(package::Arguments),
    /// Makes what people download: static tarball, Debian package, OCI image, SBOM and checksums
    Dist(dist::Arguments),
    /// Checks what a program can check of the project's style
    Tidy,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Setup => setup::run(&workspace),
        Command::BuildEbpf => build_ebpf::run(&workspace),
        Command::Demo(arguments) => demo::run(&workspace, &arguments),
        Command::Test(arguments) => test::run(&workspace, &arguments),
        Command::Fuzz(arguments) => fuzz::run_arguments(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Package(arguments) => package::run(&workspace, &arguments),
        Command::Dist(arguments) => dist::run(&workspace, &arguments),
        Command::Tidy => tidy::run(&workspace),
    }
}

/// The names of all subcommands, for the check that README.md names only what exists.
fn subcommand_names() -> Vec<String> {
    use clap::CommandFactory as _;
    Arguments::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .chain(["help".to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Arguments, subcommand_names};

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn subcommands_are_named_with_dashes() {
        assert_eq!(
            subcommand_names(),
            [
                "setup",
                "build-ebpf",
                "demo",
                "test",
                "fuzz",
                "bench",
                "package",
                "dist",
                "tidy",
                "help"
            ]
        );
    }
}
