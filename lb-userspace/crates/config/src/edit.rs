//! Edits: what they do to a document, and how they are kept in its history.
//!
//! A revision is kept as the edit that made it, so what an edit does to a document must never change.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    change::Change,
    document::{Document, EditError},
    model::TargetAddress,
};

/// Changes that the history names.
const CHANGES_NAMED: usize = 3;

/// A change of a document that is not a whole new document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// Registers a target; weight 100 and the group's port unless said otherwise.
    AddTarget {
        /// The group's name.
        group: String,
        /// Its address or name.
        address: TargetAddress,
        /// Its port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// Its weight.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weight: Option<u32>,
    },
    /// Deregisters a target.
    RemoveTarget {
        /// The group's name.
        group: String,
        /// Its address or name.
        address: TargetAddress,
        /// Its port; may be left out when the address alone names the target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
    },
    /// Changes a target's weight.
    WeighTarget {
        /// The group's name.
        group: String,
        /// Its address or name.
        address: TargetAddress,
        /// Its port; may be left out when the address alone names the target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// The new weight.
        weight: u32,
    },
    /// Sets the capacity limits of a scaled group; what is left out stays.
    LimitCapacity {
        /// The group's name.
        group: String,
        /// The fewest targets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<u32>,
        /// The most targets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u32>,
    },
    /// Changes parts by their paths, one after the other.
    ChangeParts {
        /// The changes.
        changes: Vec<Change>,
    },
}

impl Edit {
    /// Changes a document. After an error it is as before.
    pub fn apply(&self, document: &mut Document) -> Result<(), EditError> {
        match self {
            Self::AddTarget { group, address, port, weight } => {
                document.add_target(group, address, *port, *weight)
            }
            Self::RemoveTarget { group, address, port } => {
                document.remove_target(group, address, *port)
            }
            Self::WeighTarget { group, address, port, weight } => {
                document.weigh_target(group, address, *port, *weight)
            }
            Self::LimitCapacity { group, min, max } => document.limit_capacity(group, *min, *max),
            Self::ChangeParts { changes } => {
                // A clone shares all that does not change.
                let mut changed = document.clone();
                for change in changes {
                    change.apply(&mut changed)?;
                }
                *document = changed;
                Ok(())
            }
        }
    }
}

/// What it does, for people.
impl fmt::Display for Edit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddTarget { group, address, .. } => {
                write!(formatter, "add target {address} to {group}")
            }
            Self::RemoveTarget { group, address, .. } => {
                write!(formatter, "remove target {address} from {group}")
            }
            Self::WeighTarget { group, address, weight, .. } => {
                write!(formatter, "weight of {address} in {group}: {weight}")
            }
            Self::LimitCapacity { group, min, max } => {
                write!(formatter, "capacity limits of {group}:")?;
                min.map_or(Ok(()), |min| write!(formatter, " min {min}"))?;
                max.map_or(Ok(()), |max| write!(formatter, " max {max}"))
            }
            Self::ChangeParts { changes } => {
                let named: Vec<String> =
                    changes.iter().take(CHANGES_NAMED).map(Change::text).collect();
                formatter.write_str(&named.join(", "))?;
                match changes.len().saturating_sub(CHANGES_NAMED) {
                    0 => Ok(()),
                    more => write!(formatter, " and {more} more"),
                }
            }
        }
    }
}
