//! `xelb driver`: one file a subcommand.

mod check;
mod source;

use clap::Subcommand;

pub(super) use source::DriverUsageError;

/// Test a program or server that starts and ends the members of a target group
///
/// Example: xelb driver check ./my-driver --parameters parameters.yaml
#[derive(Debug, Subcommand)]
pub(super) enum Driver {
    Check(Box<check::Check>),
}

impl Driver {
    /// Whether no rule is broken.
    pub(super) async fn run(self) -> anyhow::Result<bool> {
        match self {
            Self::Check(command) => command.run().await,
        }
    }
}
