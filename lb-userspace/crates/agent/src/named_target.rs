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
    let found = config.target_groups.iter().find(|candidate| *candidate.name == *group);
    let Some(found) = found else {
        let names: Vec<&str> = config.target_groups.iter().map(|group| &*group.name).collect();
        let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
        return Err(Refusal::Invalid(format!("there is no target group {group} ({known})")));
    };
    let ports: Vec<u16> = found
        .targets
        .iter()
        .filter(|target| target.address == address && port.is_none_or(|port| port == target.port))
        .map(|target| target.port)
        .collect();
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
