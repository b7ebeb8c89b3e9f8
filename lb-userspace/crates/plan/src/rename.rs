//! PURE: a group that has another name than before is the same group: it keeps its number, its ring
//! and the numbers of its targets, so that no connection moves.
//!
//! The configuration does not say that a group was renamed. It is a rename if a group is new,
//! another one was removed, and both have a common server with the same forwarding; of several pairs,
//! the one with most common servers.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use lb_common::{Address, Be16, Family};
use lb_config::{Config, TargetGroup, TargetKey};

use super::{
    GroupTable, Tables, is_transition,
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
    let gone = previous.groups.iter().filter(|(_, group)| is_gone(&group.name));
    let mut gone: BTreeMap<u16, &GroupTable> = gone.map(|(id, group)| (*id, group)).collect();
    if new.is_empty() || gone.is_empty() {
        return Vec::new();
    }
    let mut groups_of: HashMap<(Place, u8), BTreeSet<u16>> = HashMap::new();
    for target in previous.targets.values().filter(|target| gone.contains_key(&target.group)) {
        groups_of.entry((place_of(target), target.mode)).or_default().insert(target.group);
    }
    let mut pairs = Vec::new();
    for (number, group) in new.iter().enumerate() {
        let mut common: BTreeMap<u16, usize> = BTreeMap::new();
        for id in servers_of(group).filter_map(|server| groups_of.get(&server)).flatten() {
            *common.entry(*id).or_default() += 1;
        }
        // Of equals one that is used, then the one with the lowest number.
        let pair = |(id, count)| (Reverse(count), gone[&id].ring.is_none(), id, number);
        pairs.extend(common.into_iter().map(pair));
    }
    // An interrupted change has put targets of the new group under the number: its count is higher
    // then, and it gets the same number again.
    pairs.sort_unstable();
    let mut new: Vec<Option<&TargetGroup>> = new.into_iter().map(Some).collect();
    let mut renamed: Vec<(usize, Renamed)> = Vec::new();
    for (.., id, number) in pairs {
        if new[number].is_some()
            && let Some(before) = gone.remove(&id)
            && let Some(group) = new[number].take()
        {
            let (from, to) = (before.name.clone(), group.name.clone());
            renamed.push((number, Renamed { id, from, to }));
        }
    }
    renamed.sort_by_key(|(number, _)| *number);
    renamed.into_iter().map(|(_, one)| one).collect()
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
