//! `xelb bench`: one file a subcommand.

mod program;
mod sink;
mod traffic;

use clap::Subcommand;

/// Measure the capacity of this host: the cost of the program, or packets on a wire
///
/// Example: xelb bench program --case ipip-4in4 --flows 1,1M
///
/// Example: xelb bench sink --interface eth1 --duration 1m
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    Program(program::Program),
    Traffic(Box<traffic::Traffic>),
    Sink(sink::SinkCommand),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Program(command) => command.run(),
            Self::Traffic(command) => super::wait_for(command.run()),
            Self::Sink(command) => super::wait_for(command.run()),
        }
    }
}
