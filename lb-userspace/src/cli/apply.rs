//! `xelb apply`.

use std::path::PathBuf;

use clap::Args;
use lb_api::{Client, Terms};

use super::{
    Socket, input,
    output::{self, Format},
    preview::{self, Conditions},
};

/// Give a configuration to an agent that runs without --config
///
/// The file, or the files of the directory, replace the whole configuration of the agent. The agent checks it first. If it has
/// errors, all of them are printed with their lines, and nothing is changed. Files that the configuration
/// names are those of the host of the agent.
///
/// Example: xelb apply -f xelb.yaml
///
/// What is in service and not in the file is removed only with --prune.
///
/// Example: xelb apply -f xelb.yaml --dry-run
///
/// Example: xelb apply -f xelb.yaml --prune -m ticket-4711
///
/// Example: generate-configuration | xelb apply -f -
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// Configuration file, YAML or JSON, or a directory of *.yaml files; - is the standard input
    #[arg(short, long, value_name = "PATH")]
    file: PathBuf,
    /// Remove what is in service and not in the file: listeners, rules, target groups and targets
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Apply {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let agent = self.socket.transport()?;
        let (document, _, warnings) = input::configuration_for(&self.file, &agent)?;
        let names_files = input::is_elsewhere(&agent) && input::names_files(&document);
        let client = Client::by(agent);
        if self.conditions.dry_run {
            if names_files {
                output::print_error(
                    "note: the files that it names are on the host of the agent, which looks at them \
                     when it is applied",
                );
            }
            // The agent's answer has the warnings, too.
            return preview::show(
                &client,
                &document,
                &self.format,
                self.conditions.force,
                self.prune,
            )
            .await;
        }
        for warning in warnings {
            output::print_error(&format!("warning: {warning}"));
        }
        let terms = Terms { prune: self.prune, ..self.conditions.terms() };
        let done = client.apply(&document, &terms).await?;
        preview::report(&client, &done, &self.format, Some(&document)).await
    }
}
