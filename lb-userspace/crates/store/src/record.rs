//! How revisions are kept: PURE, from values to bytes and back.
//!
//! A revision is the edit that made it, or a whole document. So a change of one target is a few
//! bytes, regardless of the size of the configuration, and at most [`EDITS_MAX`] edits are between
//! a revision and its base document.

use lb_config::Edit;
use serde::{Deserialize, Serialize};

use super::{Commit, RevisionHead};

/// Edits after a document before the next one is kept whole.
pub(super) const EDITS_MAX: u64 = 64;

/// What is kept of a revision, by its number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    written_at: u64,
    who: String,
    what: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    /// Number of the revision with the whole document.
    pub(super) document: u64,
    /// The edit from the previous revision to this one; `None` if its document is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) edit: Option<Edit>,
}

impl Record {
    /// The record of a commit under this number; `newest` is the record before.
    pub(super) fn new(
        commit: &Commit,
        number: u64,
        written_at: u64,
        newest: Option<&Self>,
    ) -> Self {
        let start = newest.map(|record| record.document);
        let near = start.filter(|start| number - start <= EDITS_MAX);
        let edit = commit.edit.clone().filter(|_| near.is_some());
        Self {
            written_at,
            who: commit.who.clone(),
            what: commit.what.clone(),
            message: commit.message.clone(),
            document: if edit.is_some() { near.unwrap_or(number) } else { number },
            edit,
        }
    }

    /// Without what is only for the store.
    pub(super) fn head(self, number: u64) -> RevisionHead {
        let Self { written_at, who, what, message, .. } = self;
        RevisionHead { number, written_at, who, what, message }
    }
}
