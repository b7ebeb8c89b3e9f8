//! PURE: finds the target that a request names.

use std::net::IpAddr;

use lb_config::{Config, TargetKey};

use super::Refusal;

/// The one target of `group` with this address, and this port if one is given.
pub(super) fn target(
    config: &Config,
    group: &str,
    address: IpAddr,
    port: Option<u16>,
) -> Result<TargetKey, Refusal> {
    let Some(found) = places(config, group) else {
        let names = config.target_groups.iter().map(|group| &*group.name);
        let names = names.chain(config.http_target_groups.iter().map(|group| &*group.name));
        let names: Vec<&str> = names.collect();
        let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
        return Err(Refusal::Invalid(format!("there is no target group {group} ({known})")));
    };
    let is_it = |of: IpAddr, its: u16| of == address && port.is_none_or(|port| port == its);
    let ports = found.into_iter().filter(|(of, its)| is_it(*of, *its));
    let ports: Vec<u16> = ports.map(|(_, port)| port).collect();
    match (ports.as_slice(), port) {
        ([port], _) => Ok(TargetKey { group: group.into(), address, port: *port }),
        ([], Some(port)) => Err(Refusal::Invalid(format!(
            "target group {group} has no target {}; `xelb get targets` lists them",
            std::net::SocketAddr::new(address, port)
        ))),
        ([], None) => Err(Refusal::Invalid(format!(
            "target group {group} has no target {address}; `xelb get targets` lists them"
        ))),
        (several, _) => Err(Refusal::Invalid(format!(
            "target group {group} has {address} on several ports ({}); name one as ADDRESS:PORT",
            several.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Addresses and ports of the targets of a group; `None` if there is no such group.
fn places(config: &Config, group: &str) -> Option<Vec<(IpAddr, u16)>> {
    if let Some(found) = config.target_groups.iter().find(|one| *one.name == *group) {
        let targets = found.targets.iter();
        return Some(targets.map(|target| (target.address, target.port)).collect());
    }
    let found = config.http_target_groups.iter().find(|one| *one.name == *group)?;
    let keys = found.targets.iter().map(|target| found.key(target));
    Some(keys.map(|key| (key.address, key.port)).collect())
}
