//! The list `targets` of a group: addresses and names, which the model keeps apart.

use std::net::IpAddr;

use super::weight::{Weighed, warn_of_mixed};
use crate::{
    error::At,
    model::{GroupTags, NamedTarget, Tags},
    section::{List, Section},
};

/// What `targets` says.
pub(super) struct TargetList<T> {
    /// Those with an address.
    pub(super) targets: Vec<T>,
    pub(super) places: Vec<At>,
    pub(super) names: Vec<NamedTarget>,
    pub(super) name_places: Vec<At>,
}

/// An item of the list.
pub(super) struct ReadTarget<T> {
    pub(super) target: Either<T>,
    /// Its weight if it has one of its own.
    pub(super) own: Option<u32>,
    pub(super) is_backup: bool,
    pub(super) tags: Tags,
}

/// A target, or the name of some.
pub(super) enum Either<T> {
    /// With its address and port.
    Address((IpAddr, u16), T),
    Name(NamedTarget),
}

impl<T> TargetList<T> {
    /// Reads the list of a group, which is given with what its targets take and with the weight of
    /// `defaults`.
    pub(super) fn read(
        group: &Section<'_>,
        (taken, name, default_weight): (&str, Option<&str>, Option<u32>),
        all_tags: &mut GroupTags,
        target: impl Fn(Section<'_>) -> Option<ReadTarget<T>>,
    ) -> Self {
        let mut all = Self {
            targets: Vec::new(),
            places: Vec::new(),
            names: Vec::new(),
            name_places: Vec::new(),
        };
        let mut weights = Vec::new();
        for entry in group.list("targets").iter().flat_map(List::entries) {
            let at = entry.at.clone();
            let section = Section::new(entry.node, entry.at, group.findings);
            let Some(read) = section.and_then(&target) else { continue };
            let ReadTarget { target, own, is_backup, tags } = read;
            weights.push(Weighed { at: at.clone(), own, is_backup });
            match target {
                Either::Address(place, target) => {
                    if !tags.is_empty() {
                        all_tags.targets.insert(place, tags);
                    }
                    all.targets.push(target);
                    all.places.push(at);
                }
                Either::Name(named) => {
                    if !tags.is_empty() {
                        all_tags.names.insert((named.name.clone(), named.port), tags);
                    }
                    all.names.push(named);
                    all.name_places.push(at);
                }
            }
        }
        if let (Some(name), None) = (name, default_weight) {
            warn_of_mixed(name, taken, &weights, group.findings);
        }
        all
    }
}
