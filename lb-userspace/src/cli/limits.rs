//! Options that say how much an agent allows, of `xelb agent` and `xelb validate`.

use clap::{
    Args,
    builder::{RangedU64ValueParser, TypedValueParser},
};
use lb_config::Limits;

/// How much a configuration may have.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LimitArguments {
    /// Listeners that a configuration may have; a larger one is refused as a whole
    #[arg(long = "max-listeners", value_name = "COUNT", default_value_t = Limits::MOST.listeners,
        value_parser = up_to(Limits::MOST.listeners))]
    listeners: usize,
    /// Target groups that a configuration may have
    #[arg(long = "max-target-groups", value_name = "COUNT", default_value_t = Limits::MOST.target_groups,
        value_parser = up_to(Limits::MOST.target_groups))]
    target_groups: usize,
    /// Targets that a configuration may have, in all groups together
    #[arg(long = "max-targets", value_name = "COUNT", default_value_t = Limits::MOST.targets,
        value_parser = up_to(Limits::MOST.targets))]
    targets: usize,
    /// Slots that the rings of a configuration may need: 100 for each target of a group, rounded up
    /// to a power of two, 4096 at least
    #[arg(long = "max-ring-slots", value_name = "COUNT", default_value_t = Limits::MOST.ring_slots,
        value_parser = up_to(Limits::MOST.ring_slots))]
    ring_slots: usize,
}

impl From<LimitArguments> for Limits {
    fn from(arguments: LimitArguments) -> Self {
        let LimitArguments { listeners, target_groups, targets, ring_slots } = arguments;
        Self { listeners, target_groups, targets, ring_slots, exec_checks: true }
    }
}

fn up_to(most: usize) -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<u64>::new()
        .range(1..=most as u64)
        .map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}
