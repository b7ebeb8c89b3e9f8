//! Changes of single objects: what `create`, `set`, `delete` and `edit` have in common.

use clap::Args;
use lb_api::{ClientError, PartChanges, Terms};
use lb_config::Change;

use super::{
    Socket,
    output::Format,
    preview::{self, Conditions},
};

/// How a change is made, and how its outcome is shown.
#[derive(Debug, Args)]
pub(super) struct How {
    #[command(flatten)]
    pub(super) conditions: Conditions,
    #[command(flatten)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) socket: Socket,
}

impl How {
    /// Makes the changes, or shows what they would do. `base` is the revision that they were made
    /// from, unless the options name one.
    pub(super) async fn make(&self, changes: Vec<Change>, base: Option<u64>) -> anyhow::Result<()> {
        let Self { conditions, format, socket } = self;
        let (client, changes) = (socket.client()?, PartChanges { changes });
        if conditions.dry_run {
            let preview = client.preview_changes(&changes).await?;
            return preview::show_preview(preview, format, conditions.force, true);
        }
        let terms = conditions.terms();
        let terms = Terms { base: terms.base.or(base), ..terms };
        let done = client.change_parts(&changes, &terms).await?;
        preview::report(&client, &done, format, None).await
    }
}

/// The command line is wrong.
pub(super) fn wrong(message: String) -> anyhow::Error {
    ClientError::Invalid(message).into()
}
