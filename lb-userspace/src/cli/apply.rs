//! `xelb apply`.

use std::path::PathBuf;

use clap::Args;

use super::{
    Socket, input,
    output::{self, Format},
    preview::{self, Conditions},
};

/// Give a configuration to an agent that runs without --config
///
/// The file replaces the whole configuration of the agent. The agent checks it first. If it has
/// errors, all of them are printed with their lines, and nothing is changed.
///
/// Example: xelb apply -f xelb.yaml
///
/// Example: xelb apply -f xelb.yaml --dry-run
///
/// Example: generate-configuration | xelb apply -f -
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// Configuration file, YAML or JSON; - is the standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Apply {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (document, _, warnings) = input::configuration(&self.file)?;
        let client = self.socket.client();
        if self.conditions.dry_run {
            // The agent's answer has the warnings, too.
            return preview::show(&client, &document, &self.format, self.conditions.force).await;
        }
        for warning in warnings {
            output::print_error(&format!("warning: {warning}"));
        }
        let said = client.apply(&document, self.conditions.terms()).await?;
        output::print(&format!("{said}\n"))
    }
}
