//! `xelb bench`: tools to measure with.

mod sink;
mod traffic;

use clap::Subcommand;

/// Measure: send packets, count packets
///
/// Example: xelb bench sink --interface eth1 --duration 1m
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    Traffic(Box<traffic::Traffic>),
    Sink(sink::SinkCommand),
}

impl Bench {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Traffic(command) => command.run().await,
            Self::Sink(command) => command.run().await,
        }
    }
}
