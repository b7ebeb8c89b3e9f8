//! PURE: the names of target states.

use lb_common::target::TargetState;

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
