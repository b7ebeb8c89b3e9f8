//! PURE: how names of transition groups differ from those of configured groups (see `transition`).

/// Prefix of the names of transition groups, which is invalid for configured groups.
pub(super) const MARK: char = '>';

/// Whether a group in the maps is a ring of listeners in transition, and not of the configuration.
#[must_use]
pub fn is_transition(name: &str) -> bool {
    name.starts_with(MARK)
}
