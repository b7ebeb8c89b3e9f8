//! The stages of `cargo xtask test`, each a list of commands.

use std::process::Command;

use clap::ValueEnum;

use crate::process::cargo;

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Formatting.
    Fmt,
    /// The rules of `cargo xtask tidy`.
    Tidy,
    /// Lints of the host's code and of the BPF programs.
    Clippy,
    /// Unit and property tests.
    Unit,
    /// Layout of what crosses the kernel border.
    Abi,
    /// The data path on host and kernel.
    Datapath,
    /// The agent and its command line.
    Agent,
    /// Real hosts, servers and clients.
    Network,
}

impl Stage {
    /// All of them, quick ones first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Fmt,
        Self::Tidy,
        Self::Clippy,
        Self::Unit,
        Self::Abi,
        Self::Datapath,
        Self::Agent,
        Self::Network,
    ];

    /// As it is named on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it runs; `Tidy` runs inside this program.
    pub(crate) fn commands(self) -> Vec<Command> {
        match self {
            Self::Fmt => vec![with(&["fmt", "--all", "--check"])],
            Self::Tidy => Vec::new(),
            Self::Clippy => vec![clippy_host(), clippy_bpf()],
            // Property tests are heavy and have their own threads: one package after the other.
            Self::Unit => vec![
                with(&["test", "--quiet", "-p", "lb-common", "-p", "lb-ebpf", "-p", "xtask"]),
                with(&["test", "--quiet", "-p", "lb-userspace"]),
                with(&["test", "--quiet", "-p", "lb-tests", "--lib", "--bins"]),
            ],
            Self::Abi => vec![target("abi")],
            Self::Datapath => vec![target("datapath")],
            Self::Agent => vec![build_xelb(), target("agent")],
            Self::Network => vec![build_xelb(), target("network")],
        }
    }
}

fn with(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(arguments);
    command
}

/// A test target of lb-tests.
fn target(name: &str) -> Command {
    with(&["test", "--quiet", "-p", "lb-tests", "--test", name])
}

fn build_xelb() -> Command {
    with(&["build", "--quiet", "--bin", "xelb"])
}

fn clippy_host() -> Command {
    with(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// The BPF programs, with the flags that aya-build gives them.
fn clippy_bpf() -> Command {
    let mut command = with(&["clippy", "--quiet", "-p", "lb-ebpf", "--bins"]);
    command
        .args(["--features", "kernel", "--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        .args(["--target-dir", "target/clippy-bpf", "--", "-D", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", "--cfg=bpf_target_arch=\"x86_64\"");
    command
}
