//! PURE: what a group is told. What follows from it is in `step`.

use lb_scale::{Decision, Limits};

use crate::{
    call::{CallId, CallResult},
    settings::{HookResult, RefreshOptions},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time passed. It comes about once a second.
    Tick,
    /// How many members there should be.
    Demand(Demand),
    /// A call has ended.
    Called {
        /// Which one.
        call: CallId,
        /// How.
        result: CallResult,
    },
    /// What the health checks of a member say.
    Health {
        /// The member.
        name: String,
        /// Whether they pass.
        healthy: bool,
    },
    /// How many flows a member has. For one that drains, it is counted after [`Action::Drain`] was
    /// carried out, and reported again and again.
    ///
    /// [`Action::Drain`]: crate::Action::Drain
    Flows {
        /// The member.
        name: String,
        /// How many; 0 proves that it is drained.
        flows: u64,
    },
    /// A hook has ended.
    Hook {
        /// The member.
        name: String,
        /// Which of its hooks.
        kind: HookKind,
        /// How.
        result: HookResult,
    },
    /// A hook needs more time: its timeout begins anew.
    Heartbeat {
        /// The member.
        name: String,
    },
    /// People ask for something.
    Command(Command),
}

/// How many members there should be, and what may be done for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The desired capacity.
    pub desired: u32,
    /// The capacity limits.
    pub limits: Limits,
    /// Whether members may be launched.
    pub launch: bool,
    /// Whether members may be ended to lower capacity. It is false while the group fails open.
    pub scale_in: bool,
    /// Unhealthy members to replace.
    pub replace: Vec<String>,
}

impl Demand {
    /// What a decision demands. `scale_in` is false while the group fails open, or while the
    /// process `terminate` is suspended.
    #[must_use]
    pub fn of(decision: &Decision, scale_in: bool) -> Self {
        Self {
            desired: decision.desired,
            limits: decision.limits,
            launch: decision.launch,
            scale_in,
            replace: decision.replace.clone(),
        }
    }
}

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Before a new member takes traffic.
    Launch,
    /// Before a drained member is ended.
    Terminate,
}

/// What people ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Protect a member from scale-in and replacement, or end the protection.
    Protect {
        /// The member.
        name: String,
        /// Whether it is protected.
        protected: bool,
    },
    /// Take a member out of service and keep it, or put it back.
    Standby {
        /// The member.
        name: String,
        /// Whether it is out of service.
        standby: bool,
    },
    /// End a member. Another one is launched if the desired capacity asks for it.
    End {
        /// The member.
        name: String,
    },
    /// Exchange all members of other templates.
    Refresh(RefreshOptions),
    /// Go on after a checkpoint.
    ContinueRefresh,
    /// Go back to the template before.
    RollBack,
    /// Stop the refresh; members stay as they are.
    CancelRefresh,
    /// Launch again, whatever failed before.
    ResetBreaker,
    /// A first packet or request wants a member, and the desired capacity is 0.
    Wake,
}
