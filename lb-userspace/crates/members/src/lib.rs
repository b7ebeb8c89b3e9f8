//! PURE: the life of the members of a scaled group: which calls of a driver to make, which targets
//! to register and to drain, and what to store before that. docs/decisions/members.md has the
//! reasons.
//!
//! How many members there should be is decided by `lb_scale::decide`.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use lb_members::{Action, Demand, Group, Input, Ledger, MemberSettings, Verb};
//! use lb_scale::{Limits, Moment};
//!
//! let settings = MemberSettings { group: "web".to_owned(), ..MemberSettings::default() };
//! let (mut group, _) = Group::open(Ledger::new(0x3f2a), Arc::new(settings));
//! let wall = "2026-11-29T12:00:00Z".parse()?;
//! let now = Moment { boot_id: 1, boot: Duration::from_secs(60), wall };
//! let limits = Limits { min: 1, max: 4 };
//! let demand = Demand { desired: 1, limits, launch: true, scale_in: true, replace: Vec::new() };
//! let outputs = group.step(Input::Demand(demand), now);
//! assert!(outputs.store, "store `group.ledger()` first, then make the calls");
//! let calls: Vec<_> = outputs.actions.iter().filter_map(|action| match action {
//!     Action::Call(call) => Some((call.verb, call.name.as_str())),
//!     _ => None,
//! }).collect();
//! assert_eq!(calls, [(Verb::Ensure, "web-3f2a-0"), (Verb::List, "")]);
//! # Ok::<(), jiff::Error>(())
//! ```

#![forbid(unsafe_code)]

mod answers;
mod breaker;
mod call;
mod capacity;
mod commands;
mod group;
mod input;
mod launches;
mod ledger;
mod output;
mod progress;
mod reconcile;
mod record;
mod refresh;
mod replacement;
mod settings;
mod step;
mod victims;
mod warm_pool;

pub use breaker::{Breaker, CAPACITY_PAUSE_MAX, QUOTA_PAUSE, RETRY_MAX};
pub use call::{
    Answer, Call, CallError, CallId, CallResult, ErrorClass, MemberState, Reported, Verb,
};
pub use group::Group;
pub use input::{Command, Demand, HookKind, Input};
pub use ledger::{Ledger, Pinned, Refresh};
pub use output::{Action, ActivityKind, Event, EventKind, MemberActivity, Outputs};
pub use record::{Cause, Phase, Presence, Record, Retry};
pub use settings::{
    Hook, HookResult, MemberSettings, RefreshOptions, TerminationPolicy, WarmPool, WarmState,
};
pub use step::ANSWER_MARGIN;
