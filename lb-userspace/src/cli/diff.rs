//! `xelb diff`.

use std::fmt::Write as _;

use clap::Args;
use lb_config::Difference;

use super::{Socket, output::Format};

/// Show what differs between two revisions of the configuration
///
/// A line begins with + for what was added, - for what was removed, ~ for what was changed.
///
/// Example: xelb diff 11 12
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Number of the earlier revision
    #[arg(value_name = "FROM")]
    from: u64,
    /// Number of the later one
    #[arg(value_name = "TO")]
    to: u64,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Diff {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let differences = self.socket.client().differences(self.from, self.to).await?;
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
