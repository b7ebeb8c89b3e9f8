//! Weights of the targets of a group: the default, and the mistake of setting some and leaving out others.

use crate::{error::At, section::Findings};

/// Weight of a target that has none of its own, unless `defaults` sets it.
pub(super) const WEIGHT: u32 = 100;

/// Weights up to this look as if those that are not set were meant to be 1.
const SMALL_MAX: u32 = WEIGHT / 10;

/// A target: where it stands, and its weight if it has one of its own.
pub(super) struct Weighed {
    pub(super) at: At,
    pub(super) own: Option<u32>,
    pub(super) is_backup: bool,
}

/// Warns of targets without a weight among others with small ones: they get nearly everything.
pub(super) fn warn_of_mixed(group: &str, taken: &str, targets: &[Weighed], findings: &Findings) {
    let in_use = || targets.iter().filter(|target| !target.is_backup);
    let own: Vec<u32> = in_use().filter_map(|target| target.own).filter(|own| *own > 0).collect();
    let (Some(least), Some(most)) = (own.iter().min(), own.iter().max()) else { return };
    let mut without = in_use().filter(|target| target.own.is_none());
    let Some(first) = without.next().filter(|_| *most <= SMALL_MAX) else { return };
    let more = without.count();
    let all: u64 = in_use().map(|target| u64::from(target.own.unwrap_or(WEIGHT))).sum();
    let percent = u64::from(WEIGHT) * 100 / all.max(1);
    let theirs = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let others = match more {
        0 => String::new(),
        1 => ", and so does 1 more target".to_owned(),
        more => format!(", and so do {more} more targets"),
    };
    let message = format!(
        "has no `weight`, and so has {WEIGHT}, where other targets of {group} have {theirs}: it gets \
         {percent} % of the {taken}{others}; write `weight: 1` here, or `defaults: {{ weight: 1 }}` at \
         the top"
    );
    findings.warn(&first.at, message);
}
