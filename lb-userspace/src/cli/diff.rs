//! `xelb diff`.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use lb_api::Client;
use lb_config::Difference;

use super::{Socket, input, output::Format};

/// Show what differs between two revisions of the configuration, or between the present one and a file
///
/// A line begins with + for what was added, - for what was removed, ~ for what was changed. With a
/// file, these are the changes that `xelb apply` of this file would make; `xelb apply --dry-run` also
/// shows what they would do to flows.
///
/// Example: xelb diff 11 12
///
/// Example: xelb diff -f xelb.yaml
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Number of the earlier revision
    #[arg(value_name = "FROM", required_unless_present = "file", requires = "to")]
    from: Option<u64>,
    /// Number of the later one
    #[arg(value_name = "TO")]
    to: Option<u64>,
    /// Configuration file, YAML or JSON, or directory of *.yaml files, to compare with the present
    /// configuration; - is the standard input
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["from", "to"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Diff {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let agent = self.socket.transport()?;
        let client = Client::by(agent.clone());
        let differences = match &self.file {
            Some(file) => {
                let (document, ..) = input::configuration_for(file, &agent)?;
                client.configuration().await?.document.differences(&document)
            }
            // The command line has both where it has no file.
            None => client.differences(self.from.unwrap_or(0), self.to.unwrap_or(0)).await?,
        };
        self.format.print(&differences, |differences| lines(differences, ""))
    }
}

/// Differences, each on a line behind `indent`.
pub(super) fn lines(differences: &[Difference], indent: &str) -> String {
    if differences.is_empty() {
        return format!("{indent}nothing differs\n");
    }
    let mut text = String::new();
    for difference in differences {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{indent}{difference}");
    }
    text
}
