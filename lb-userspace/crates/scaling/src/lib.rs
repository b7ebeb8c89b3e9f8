//! Ties decision, members, driver and metrics of a scaled group together: how many there should be
//! is decided by `lb_scale`, how they come and go by `lb_members`, and `lb_drivers` makes the calls.
//! It knows no kernel: the agent says what its data path sees, and makes members targets.

#![forbid(unsafe_code)]

mod calls;
mod clock;
mod command;
mod declared;
mod drivers;
mod group;
mod history;
mod loads;
mod number;
mod observed;
mod outline;
mod problem;
mod programs;
mod prometheus;
mod replayed;
mod reports;
mod requests;
mod samples;
mod scaling;
mod settings;
mod sources;
mod stored;
mod view;

pub use clock::Clock;
pub use command::{CommandError, ScaleCommand, process_named};
pub use declared::is_scaled;
pub use drivers::DriverContext;
pub use lb_scale::{CheckedSettings, Scorecard};
pub use loads::MinuteOfLoad;
pub use observed::{GroupSeen, ProxyRequests, TargetReports, TargetSeen, TargetTraffic};
pub use outline::Outline;
pub use problem::{Problem, ProblemKind};
pub use replayed::{Comparison, NoComparison, ReplayOptions, compare};
pub use scaling::{Finished, GroupStore, MemberEvent, PartChange, Scaling};
pub use view::{ActivityView, MemberView, ScaledGroupView, ScalingView};
