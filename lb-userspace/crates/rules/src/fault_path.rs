//! PURE: where in a rule a fault is, in the keys of the configuration.

/// A step from a rule, or from the default action, to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Under this key.
    Key(String),
    /// At this place of a list, from 0.
    Item(usize),
}
