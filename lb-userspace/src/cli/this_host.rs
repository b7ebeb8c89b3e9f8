//! What is wrong with a configuration on this host, which need not be the balancer: interfaces that do not
//! exist, addresses that listeners would take, answers of nat and fullnat that could not come back. Asks
//! the kernel; changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use lb_agent::{self as agent, Reached};
use lb_config::{self as config, Config, HostAddresses, Listener, Warning};
use lb_netlink::NetworkLookup;

use super::wait_for;

/// The network of a host, as far as it matters here.
#[derive(Debug, Default)]
struct Host {
    addresses: Vec<IpNet>,
    own: HostAddresses,
    /// Interfaces: index by name.
    interfaces: BTreeMap<String, u32>,
    /// Routes to targets whose answers have to come back here.
    reached: BTreeMap<IpAddr, Reached>,
}

/// Looks at this host. Without netlink, only its addresses are checked.
pub(super) fn warnings(config: &Config) -> Vec<Warning> {
    let addresses = agent::host_addresses().unwrap_or_default();
    let own = agent::own_addresses(config, &addresses);
    let host = wait_for(look_up(config)).unwrap_or_default();
    judge(config, &Host { addresses, own, ..host })
}

async fn look_up(config: &Config) -> anyhow::Result<Host> {
    let mut inquiry = NetworkLookup::open()?;
    let links = inquiry.links().await?;
    // Frames of a VLAN interface come in by the one below it.
    let below = |index| {
        let link = links.iter().find(|link| link.index == index);
        link.and_then(|link| link.vlan_of).unwrap_or(index)
    };
    let groups = config.target_groups.iter().filter(|group| agent::translates(group));
    let targets: BTreeSet<IpAddr> =
        groups.flat_map(|group| &group.targets).map(|target| target.address).collect();
    let mut reached = BTreeMap::new();
    for address in targets {
        if let Ok(Some(output_route)) = inquiry.output_route(address).await {
            let interface = below(output_route.interface);
            reached.insert(address, Reached { interface, on_link: output_route.gateway.is_none() });
        }
    }
    let interfaces = links.iter().map(|link| (link.name.clone(), link.index)).collect();
    Ok(Host { interfaces, reached, ..Host::default() })
}

fn judge(config: &Config, host: &Host) -> Vec<Warning> {
    let mut warnings = own_addresses(config, &host.own);
    if host.interfaces.is_empty() {
        return warnings;
    }
    let mut attached = BTreeSet::new();
    for (number, name) in config.interfaces.iter().enumerate() {
        if let Some(index) = host.interfaces.get(name) {
            attached.insert(*index);
            continue;
        }
        let text = format!(
            "this host has no interface {name}; an agent that starts here waits until it exists, \
             and balances no packets from it"
        );
        warnings.push(Warning::at(format!("interfaces[{number}]"), text));
    }
    if attached.is_empty() {
        // Another host's configuration: routes say nothing.
        return warnings;
    }
    let reached = |address: &IpAddr| host.reached.get(address).copied();
    let name = |index| {
        let mut all = host.interfaces.iter();
        all.find(|(_, number)| **number == index).map(|(name, _)| name.clone())
    };
    for warning in agent::unattached_interfaces(config, &attached, reached, name) {
        let place = config.target_groups.iter().position(|group| *group.name == *warning.subject);
        let path = place.map_or_else(String::new, |place| format!("target_groups[{place}]"));
        warnings.push(Warning::at(path, warning.text));
    }
    for warning in agent::missing_sources(config, &host.addresses, reached) {
        warnings.push(Warning::at("source_nat.addresses", warning.text));
    }
    warnings
}

fn own_addresses(config: &Config, own: &HostAddresses) -> Vec<Warning> {
    let taken = config::own_address_taken(config, own);
    let number = |name: &str| config.listeners.iter().position(|one| one.name == name);
    let warn = |(listener, address): (&Listener, _)| {
        let text = config::own_address_text(listener, address);
        Some(Warning::at(format!("listeners[{}]", number(&listener.name)?), text))
    };
    taken.into_iter().filter_map(warn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "interfaces: [eth0, eth1]
source_nat: { addresses: [10.0.1.3] }
target_groups:
  - { name: web, protocol: tcp, port: 80, forwarding: fullnat, targets: [{ address: 10.0.1.11 }] }
listeners:
  - { name: web, address: 203.0.113.1, port: all, protocol: tcp, default_action: { forward: { \
     target_group: web } } }
";

    /// What is said, as `PATH: TEXT`, of a host with these interfaces and addresses that reaches the target
    /// by an interface.
    fn said(interfaces: &[&str], addresses: &[&str], interface: u32) -> Vec<String> {
        let config = config::parse(TEXT, "x.yaml").unwrap_or_else(|error| panic!("{error}")).1;
        let reached = Reached { interface, on_link: true };
        let addresses: Vec<IpNet> = addresses.iter().map(|one| one.parse().unwrap()).collect();
        let own = HostAddresses {
            addresses: addresses.iter().map(IpNet::addr).collect(),
            ..HostAddresses::default()
        };
        let host = Host {
            addresses,
            own,
            interfaces: (1..)
                .zip(interfaces)
                .map(|(index, name)| ((*name).to_owned(), index))
                .collect(),
            reached: [(config.target_groups[0].targets[0].address, reached)].into(),
        };
        judge(&config, &host).iter().map(|warning| warning.remark().to_string()).collect()
    }

    #[test]
    fn problems_of_this_host_are_reported_with_their_path() {
        let well = said(&["eth0", "eth1"], &["10.0.1.2/24", "10.0.1.3/32"], 2);
        assert_eq!(well, [""; 0]);
        assert_eq!(said(&[], &[], 1), [""; 0], "nothing is known");
        let starts = |said: &[String], parts: &[&str]| {
            assert_eq!(said.len(), parts.len(), "{said:?}");
            for (said, part) in said.iter().zip(parts) {
                assert!(said.starts_with(part), "{said}");
            }
        };
        let one = said(&["eth0", "eth2"], &["10.0.1.2/24", "203.0.113.1/32"], 2);
        starts(
            &one,
            &[
                "listeners[0]: listener web ",
                "interfaces[1]: this host has no interface eth1; an agent that starts here waits",
                "target_groups[0]: target group web: answers of 1 of 1 targets come in by eth2, which is",
                "source_nat.addresses: source_nat: no interface of this host has 10.0.1.3",
            ],
        );
        // Another host altogether.
        let none = said(&["wlan0"], &["10.0.1.2/24"], 1);
        starts(&none, &["interfaces[0]: this host has no interface eth0", "interfaces[1]: "]);
    }
}
