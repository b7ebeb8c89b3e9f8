//! `xelb rollback`.

use clap::Args;

use super::{
    Socket,
    output::{self, Format},
    preview::{self, Conditions},
};

/// Go back to an earlier revision of the configuration
///
/// The configuration of that revision becomes a new revision, so that a rollback can be undone.
/// `xelb get revisions` lists the revisions, and `xelb diff` shows their differences.
///
/// Example: xelb rollback 12 --dry-run
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// Number of the revision
    #[arg(value_name = "REVISION")]
    revision: u64,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Rollback {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.socket.client();
        if self.conditions.dry_run {
            let document = client.revision(self.revision).await?.document;
            return preview::show(&client, &document, &self.format, self.conditions.force).await;
        }
        let said = client.rollback(self.revision, self.conditions.terms()).await?;
        output::print(&format!("{said}\n"))
    }
}
