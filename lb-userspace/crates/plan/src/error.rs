//! PURE: why there is no plan.

use lb_common::{ListenerKey, limits::RING_SLOTS_MAX};

use super::map_entry;

/// Why there is no plan. Nothing has been changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More of something than its map holds.
    #[error(
        "the configuration has {count} {what}, and the maps hold {limit}: remove some, or move them \
         to another host"
    )]
    TooMany {
        /// What, in plural.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many are possible.
        limit: usize,
    },
    /// Both the old and the new ones do not fit at the same time.
    #[error(
        "the {what} that this change adds do not fit in addition to those that it replaces (the \
         maps hold {limit}): first remove the old ones, then add the new ones"
    )]
    NoRoomToReplace {
        /// What, in plural.
        what: &'static str,
        /// How many are possible.
        limit: usize,
    },
    /// The array of slots is full.
    #[error(
        "target group {group} needs a ring of {slots} slots, and no free space of that length is \
         left among the {RING_SLOTS_MAX} slots of all rings: remove target groups that no longer \
         need theirs, or move some to another host (a ring has 100 slots a target, rounded up to a \
         power of two)"
    )]
    NoRoomForRing {
        /// The group.
        group: String,
        /// The slots it needs.
        slots: usize,
    },
    /// The array of slots is full, and a listener switches to another group.
    #[error(
        "a listener that switches to target group {group} needs a ring of {slots} slots until its \
         connections have ended, and no free space of that length is left among the \
         {RING_SLOTS_MAX} slots of all rings: remove target groups that no longer need theirs, or \
         try again when other changes are complete (`xelb status` counts armed slots)"
    )]
    NoRoomForTransition {
        /// The group.
        group: String,
        /// The slots that are needed.
        slots: usize,
    },
    /// More listeners than the data path looks through hash to one place.
    #[error(
        "the listener on {listener} does not fit the table of listeners: too many others have the \
         same hash, including those that this change removes: use another port or address, or \
         first remove the old listeners, then add the new ones"
    )]
    TableOverflow {
        /// Its address, port and protocol.
        listener: String,
    },
    /// A listener forwards to a group that is not there.
    #[error(
        "listener {listener} forwards to target group {group}, which does not exist: define it, or \
         change the listener"
    )]
    GroupMissing {
        /// The listener.
        listener: String,
        /// The group.
        group: String,
    },
}

impl PlanError {
    /// A listener without a place.
    #[must_use]
    pub fn first_overflow(key: &ListenerKey) -> Self {
        Self::TableOverflow { listener: map_entry::shown(key) }
    }
}
