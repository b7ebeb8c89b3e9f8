//! PURE: the names of target states.

use lb_common::target::TargetState;

/// The state with a name; `None` if there is none.
#[must_use]
pub fn state_of(name: &str) -> Option<TargetState> {
    use TargetState::{Draining, Healthy, Initial, Unhealthy, Unused};
    [Initial, Healthy, Unhealthy, Draining, Unused]
        .into_iter()
        .find(|state| state_name(*state) == name)
}

/// The name of a state, as the API has it.
#[must_use]
pub const fn state_name(state: TargetState) -> &'static str {
    match state {
        TargetState::Initial => "initial",
        TargetState::Healthy => "healthy",
        TargetState::Unhealthy => "unhealthy",
        TargetState::Draining => "draining",
        TargetState::Unused => "unused",
    }
}
