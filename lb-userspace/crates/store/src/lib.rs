//! The desired state of an agent without a configuration file: numbered revisions behind a trait.
//!
//! [`Embedded`] keeps them in the state directory. A store that several hosts share implements the
//! same trait: `base` makes a commit a compare-and-swap, so that two writers never overwrite each
//! other. What an agent must know after a reboot (drains, the seed of the hash) is kept with them.

mod embedded;
mod error;
mod files;
#[cfg(test)]
mod power_cut_tests;
mod record;
mod scaled_groups;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use embedded::Embedded;
pub use error::StoreError;
use lb_config::{Document, Edit, TargetKey};

/// Revisions that can be gone back to; older ones are forgotten.
pub const REVISIONS_KEPT: u64 = 1000;

/// One desired state.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Number, time, author and reason.
    pub head: RevisionHead,
    /// The configuration.
    pub document: Document,
}

/// A revision without its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionHead {
    /// Its number, from 1.
    pub number: u64,
    /// When it was written, seconds since 1970.
    pub written_at: u64,
    /// Who wrote it.
    pub who: String,
    /// What changed, for people.
    pub what: String,
    /// Why, in the words of who wrote it; empty when nothing was said.
    #[serde(default)]
    pub message: String,
}

/// A requested new revision.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Number of the revision that it was made from; 0 for the first one. Another revision in
    /// between is a conflict.
    pub base: u64,
    /// Who.
    pub who: String,
    /// What, for people.
    pub what: String,
    /// Why, in the words of who asks; may be empty.
    pub message: String,
    /// The configuration.
    pub document: Document,
    /// The edit that makes the document from that of `base`, if it is one.
    pub edit: Option<Edit>,
}

/// State that survives a reboot and is not configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Seed of the flow hash: with another one, all flows would move.
    #[serde(default)]
    pub hash_seed: Option<[u64; 2]>,
    /// Targets that are drained by a command.
    #[serde(default)]
    pub drained: Vec<TargetKey>,
    /// Who drained them, and why, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drains: Vec<Drain>,
    /// Last addresses of DNS names among the targets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<Arc<str>, Vec<IpAddr>>,
}

/// Who drained a target, when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The target.
    pub target: TargetKey,
    /// Who.
    pub who: String,
    /// Why; empty when nothing was said.
    pub reason: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// A change of what is kept of a scaled group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupChange<'a> {
    /// The group.
    pub group: &'a str,
    /// The part of its state.
    pub part: &'a str,
    /// What it is now; `None` forgets it.
    pub state: Option<&'a [u8]>,
}

/// Where the desired state is kept. What a call has returned survives a power cut.
pub trait Store: fmt::Debug + Send {
    /// Where that is, for `status`.
    fn place(&self) -> String;

    /// The current revision, if anything has been applied.
    fn current(&self) -> Option<&Revision>;

    /// Makes a document the current revision. After an error nothing has changed.
    fn commit(&mut self, commit: Commit) -> Result<&Revision, StoreError>;

    /// An earlier revision, or the current one; `None` when there is none of that number.
    fn revision(&mut self, number: u64) -> Result<Option<Revision>, StoreError>;

    /// At most `most` revisions with numbers below `before`, newest first.
    fn revisions(&mut self, before: u64, most: usize) -> Result<Vec<RevisionHead>, StoreError>;

    /// What was kept for after a reboot.
    fn runtime(&self) -> &Runtime;

    /// Keeps it.
    fn keep_runtime(&mut self, runtime: Runtime) -> Result<(), StoreError>;

    /// The names of the scaled groups that state is kept of.
    fn scaled_groups(&mut self) -> Result<Vec<String>, StoreError>;

    /// These parts of the state of a scaled group, in their order. The store does not read them. The
    /// part with an empty name is the main one.
    fn scaled_group(
        &mut self,
        name: &str,
        parts: &[&str],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Keeps parts of the state of scaled groups, all or none. A group whose main part is forgotten has
    /// no name any more; its other parts are to be forgotten with it.
    fn keep_scaled_groups(&mut self, changes: &[GroupChange<'_>]) -> Result<(), StoreError>;
}
