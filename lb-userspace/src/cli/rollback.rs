//! `xelb rollback`.

use clap::Args;
use lb_api::{Client, ClientError};

use super::{
    Socket,
    output::Format,
    preview::{self, Conditions},
};

/// Go back to an earlier revision of the configuration
///
/// The configuration of that revision becomes a new revision, so that a rollback can be undone.
/// `xelb get revisions` lists the revisions, and `xelb diff` shows their differences.
///
/// Example: xelb rollback
///
/// Example: xelb rollback 12 --dry-run
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// Number of the revision [default: the one before the current one]
    #[arg(value_name = "REVISION")]
    revision: Option<u64>,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Rollback {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.socket.client()?;
        let revision = match self.revision {
            Some(revision) => revision,
            None => previous(&client).await?,
        };
        if self.conditions.dry_run {
            let document = client.revision(revision).await?.document;
            return preview::show(&client, &document, &self.format, self.conditions.force, true)
                .await;
        }
        let done = client.rollback(revision, &self.conditions.terms()).await?;
        preview::report(&client, &done, &self.format, None).await
    }
}

/// The revision before the current one.
async fn previous(client: &Client) -> anyhow::Result<u64> {
    let last_two = client.revisions(None, 2).await?.revisions;
    let previous = last_two.get(1).map(|head| head.number);
    let none = || {
        let text = "there is no revision before the current one; `xelb get revisions` lists all";
        ClientError::Invalid(text.to_owned())
    };
    Ok(previous.ok_or_else(none)?)
}
