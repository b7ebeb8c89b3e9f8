//! PURE: verbs on a target whose address comes from a name: what belongs to the name is changed at the name.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use lb_config::{Edit, TargetAddress, TargetKey};

use crate::Refusal;

/// Refuses an edit of a target that is an address of a name.
pub(super) fn refuse(edit: &Edit, origins: &BTreeMap<TargetKey, Arc<str>>) -> Result<(), Refusal> {
    let (group, address, port, verb) = match edit {
        Edit::RemoveTarget { group, address: TargetAddress::Ip(address), port } => {
            (group, address, port, "remove")
        }
        Edit::WeighTarget { group, address: TargetAddress::Ip(address), port, .. } => {
            (group, address, port, "weight")
        }
        _ => return Ok(()),
    };
    let Some((target, name)) = origins.iter().find(|(key, _)| {
        *key.group == **group && key.address == *address && port.is_none_or(|port| port == key.port)
    }) else {
        return Ok(());
    };
    let named = format!("{name}:{}", target.port);
    let command = match verb {
        "weight" => format!("`xelb target weight {group} {named} N` changes all of them"),
        _ => format!("`xelb target remove {group} {named}` removes all of them"),
    };
    Err(Refusal::Invalid(format!(
        "target {target} is an address of the name {name}: {command}, and `xelb target drain {group} {}` \
         takes this one out of service",
        target.place()
    )))
}

/// The address of a target that is drained: a name is refused, with what to type.
pub(crate) fn address_to_drain(
    group: &str,
    target: &TargetAddress,
    origins: &BTreeMap<TargetKey, Arc<str>>,
) -> Result<IpAddr, Refusal> {
    let name = match target {
        TargetAddress::Ip(address) => return Ok(*address),
        TargetAddress::Name(name) => name,
    };
    let places = places(group, name, origins);
    if places.is_empty() {
        return Err(Refusal::Absent(format!(
            "{name} is a DNS name, and it has no targets now in target group {group}; `xelb get targets \
             {group}` lists all"
        )));
    }
    let one = format!("name one of its targets: {}", places.join(", "));
    Err(Refusal::Invalid(format!(
        "{name} is a DNS name, whose addresses may change: {one}; `xelb target weight {group} {name} 0` \
         takes all of them out of service, also later ones"
    )))
}

/// The address of the only target of a name.
pub(crate) fn only_address(
    group: &str,
    target: &TargetAddress,
    origins: &BTreeMap<TargetKey, Arc<str>>,
) -> Result<IpAddr, Refusal> {
    let name = match target {
        TargetAddress::Ip(address) => return Ok(*address),
        TargetAddress::Name(name) => name,
    };
    let mut of_name = of_name(group, name, origins);
    match (of_name.next(), of_name.next()) {
        (Some(key), None) => Ok(key.address),
        (None, _) => Err(Refusal::Absent(format!(
            "target group {group} has no target of the name {name}; `xelb get targets` lists all"
        ))),
        _ => Err(Refusal::Invalid(format!(
            "the name {name} has several addresses; name one of its targets: {}",
            places(group, name, origins).join(", ")
        ))),
    }
}

fn of_name<'a>(
    group: &'a str,
    name: &'a str,
    origins: &'a BTreeMap<TargetKey, Arc<str>>,
) -> impl Iterator<Item = &'a TargetKey> {
    let is_it =
        move |(key, origin): &(&TargetKey, &Arc<str>)| *key.group == *group && ***origin == *name;
    origins.iter().filter(is_it).map(|(key, _)| key)
}

fn places(group: &str, name: &str, origins: &BTreeMap<TargetKey, Arc<str>>) -> Vec<String> {
    of_name(group, name, origins).map(ToString::to_string).collect()
}
