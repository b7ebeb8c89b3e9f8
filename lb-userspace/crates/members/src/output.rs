//! PURE: what follows from an input: whether to store, what to do, and what to tell people.

use std::net::SocketAddr;

use lb_scale::{Moment, Outcome};
use serde::{Deserialize, Serialize};

use crate::{
    call::{Call, CallError, CallId},
    input::HookKind,
    record::Cause,
};

/// What follows from an input.
///
/// If `store` is set, the ledger must be stored before the first action is carried out. If that
/// fails, no action may be carried out, and the group is opened again from what was stored.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Outputs {
    /// Whether the ledger has changed.
    pub store: bool,
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// What happened, for people.
    pub events: Vec<Event>,
    /// Activities that began or ended. One that ends replaces the one that began.
    pub activities: Vec<MemberActivity>,
}

/// Something to do. All actions may be repeated: after a restart, those that still apply are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Call the driver.
    Call(Call),
    /// Kill a call that takes too long. Its result no longer counts.
    Abandon(CallId),
    /// Make a member a target, and check its health.
    Register {
        /// The member.
        name: String,
        /// Where it is.
        address: SocketAddr,
    },
    /// Give a target no new flows, and report its flows from now on.
    Drain {
        /// The member.
        name: String,
    },
    /// Put a target back that drains.
    Undrain {
        /// The member.
        name: String,
    },
    /// Remove a target.
    Deregister {
        /// The member.
        name: String,
    },
    /// Run a hook. After a restart it runs again.
    RunHook {
        /// The member.
        name: String,
        /// Which one.
        kind: HookKind,
    },
    /// Stop a hook whose result no longer matters.
    CancelHook {
        /// The member.
        name: String,
    },
    /// Raise the desired capacity, as if people had asked for it.
    RaiseDesired(u32),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// The member; empty if it is about the group.
    pub name: String,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A member takes traffic.
    InService,
    /// A launch failed.
    LaunchFailed(CallError),
    /// The launch hook gave the member up: no fault of the driver.
    LaunchAbandoned(CallError),
    /// A call failed, and will be repeated.
    CallFailed(CallError),
    /// Launching pauses, for the reason of the last failure.
    LaunchingPauses(CallError),
    /// Launching goes on.
    LaunchingResumes,
    /// A member is ended.
    Ends(Cause),
    /// A draining member was put back.
    DrainUndone,
    /// The drain timeout passed. So many flows were left; `None` if nobody said how many.
    DrainCut(Option<u64>),
    /// A hook did not end in time.
    HookTimedOut,
    /// A member of this group exists that the ledger does not have. It is a member from now on.
    Adopted,
    /// A member is missing in `list` and passes its health checks. The list is not believed.
    ListDoubted,
    /// The address of a member has changed.
    AddressChanged(SocketAddr),
    /// All members are unhealthy at once: none is replaced.
    AllUnhealthy,
    /// A member has ended.
    Ended,
    /// A refresh began.
    RefreshStarted,
    /// A refresh pauses at a checkpoint, at so many percent.
    RefreshPaused(u32),
    /// New members fail, or people asked for it: the refresh goes back.
    RefreshRollsBack,
    /// A refresh ended; false if it was stopped before its end.
    RefreshEnded(bool),
}

/// What an activity does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// It brings a member into service.
    Launch,
    /// It ends a member.
    Terminate,
}

/// One change of a member, from its cause to its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberActivity {
    /// The member.
    pub name: String,
    /// What it does.
    pub kind: ActivityKind,
    /// Why, for people. The activity that ends a launch leaves it empty: its begin has it.
    pub cause: String,
    /// When it began.
    pub start: Moment,
    /// When it ended.
    pub end: Option<Moment>,
    /// How it stands.
    pub outcome: Outcome,
}
