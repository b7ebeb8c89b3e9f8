//! Options that say how much an agent allows, of `xelb agent` and `xelb validate`.

use clap::{
    Args,
    builder::{RangedU64ValueParser, TypedValueParser},
};
use lb_config::Limits;

/// How much a configuration may have.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LimitArguments {
    /// Maximum number of listeners; a configuration with more is refused
    #[arg(long = "max-listeners", value_name = "COUNT", default_value_t = Limits::MOST.listeners,
        value_parser = up_to(Limits::MOST.listeners))]
    listeners: usize,
    /// Maximum number of target groups of a configuration
    #[arg(long = "max-target-groups", value_name = "COUNT", default_value_t = Limits::MOST.target_groups,
        value_parser = up_to(Limits::MOST.target_groups))]
    target_groups: usize,
    /// Maximum number of targets of a configuration, in all groups together
    #[arg(long = "max-targets", value_name = "COUNT", default_value_t = Limits::MOST.targets,
        value_parser = up_to(Limits::MOST.targets))]
    targets: usize,
    /// Maximum number of slots in the rings of a configuration. A group's ring has 100 for each
    /// target, rounded up to a power of two, and at least 4096
    #[arg(long = "max-ring-slots", value_name = "COUNT", default_value_t = Limits::MOST.ring_slots,
        value_parser = up_to(Limits::MOST.ring_slots))]
    ring_slots: usize,
}

impl From<LimitArguments> for Limits {
    fn from(arguments: LimitArguments) -> Self {
        let LimitArguments { listeners, target_groups, targets, ring_slots } = arguments;
        Self { listeners, target_groups, targets, ring_slots, ..Self::MOST }
    }
}

fn up_to(most: usize) -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<u64>::new()
        .range(1..=most as u64)
        .map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}
