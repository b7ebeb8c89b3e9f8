//! PURE: how names of transition groups differ from those of configured groups (see `transition`).

/// What the name of a transition group begins with; that of a configured group cannot.
pub(super) const MARK: char = '>';

/// Whether a group in the maps is a ring of listeners on their way, and none of the configuration.
#[must_use]
pub fn is_transition(name: &str) -> bool {
    name.starts_with(MARK)
}
