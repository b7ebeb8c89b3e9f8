//! PURE: a group that has another name than before is the same group: it keeps its number, its ring
//! and the numbers of its targets, so that no connection moves.
//!
//! The configuration does not say that a group was renamed. It is a rename if a group is new,
//! another one was removed, and both have a common server with the same forwarding; of several, the
//! one with most common servers.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use lb_common::{Address, Be16, Family};
use lb_config::{Config, TargetGroup, TargetKey};

use super::{
    Tables, is_transition,
    previous_targets::{Place, place_of},
};
use crate::HealthTable;

/// A group that has got another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Its number in the maps.
    pub id: u16,
    /// The name that it had.
    pub from: Arc<str>,
    /// The name that it has now.
    pub to: Arc<str>,
}

/// The groups that a configuration gives another name, after what the maps hold.
#[must_use]
pub fn renamed(config: &Config, previous: &Tables) -> Vec<Renamed> {
    let names: HashSet<&str> = config.target_groups.iter().map(|group| &*group.name).collect();
    let known: HashSet<&str> = previous.groups.values().map(|group| &*group.name).collect();
    let new = config.target_groups.iter().filter(|group| !known.contains(&*group.name));
    let new: Vec<&TargetGroup> = new.map(|group| &**group).collect();
    let is_gone = |name: &str| !names.contains(name) && !is_transition(name);
    let mut gone: BTreeMap<u16, HashSet<(Place, u8)>> = previous
        .groups
        .iter()
        .filter(|(_, group)| !new.is_empty() && is_gone(&group.name))
        .map(|(id, _)| (*id, HashSet::new()))
        .collect();
    if gone.is_empty() {
        return Vec::new();
    }
    for target in previous.targets.values() {
        if let Some(servers) = gone.get_mut(&target.group) {
            servers.insert((place_of(target), target.mode));
        }
    }
    let mut renamed = Vec::new();
    for group in new {
        let common = |servers: &HashSet<(Place, u8)>| {
            servers_of(group).filter(|server| servers.contains(server)).count()
        };
        let has_ring = |id: &u16| previous.groups.get(id).is_some_and(|one| !one.ring.is_none());
        let counts = gone.iter().map(|(id, servers)| (common(servers), *id));
        // Of equals one that is used, then the one with the lowest number.
        let most = counts.max_by_key(|(count, id)| (*count, has_ring(id), Reverse(*id)));
        if let Some((1.., id)) = most
            && let Some(before) = previous.groups.get(&id)
        {
            gone.remove(&id);
            renamed.push(Renamed { id, from: before.name.clone(), to: group.name.clone() });
        }
    }
    renamed
}

/// What is known of the targets of such groups, under their new names.
pub fn carry_over(
    renamed: &[Renamed],
    health: &mut HealthTable,
    drained: &mut BTreeSet<TargetKey>,
) {
    for Renamed { from, to, .. } in renamed {
        health.carry_over(from, to);
        let of_group = drained.iter().filter(|key| key.group == *from);
        let under_new = of_group.map(|key| TargetKey { group: to.clone(), ..key.clone() });
        let under_new: Vec<TargetKey> = under_new.collect();
        drained.extend(under_new);
    }
}

/// The same for what is only borrowed: it is copied where a group has another name.
pub fn carry_over_into(
    renamed: &[Renamed],
    health: &mut Cow<'_, HealthTable>,
    drained: &mut Cow<'_, BTreeSet<TargetKey>>,
) {
    if !renamed.is_empty() {
        carry_over(renamed, health.to_mut(), drained.to_mut());
    }
}

/// The servers of a group, and how they are reached.
fn servers_of(group: &TargetGroup) -> impl Iterator<Item = (Place, u8)> + '_ {
    group.targets.iter().map(|target| {
        let address: Address = target.address.into();
        let family = Family::from(&target.address) as u8;
        ((family, address, Be16::new(target.port)), group.forwarding as u8)
    })
}
