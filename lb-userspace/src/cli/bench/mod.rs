//! `xelb bench`: one file a subcommand.

mod program;

use clap::Subcommand;

/// Measure what this host can carry, without touching the data path that runs
///
/// Example: xelb bench program --case ipip-4in4 --flows 1,1M
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    Program(program::Program),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Program(command) => command.run(),
        }
    }
}
