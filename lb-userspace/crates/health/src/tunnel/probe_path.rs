//! PURE: where the probes of a target go: the VIP inside, and the entry of the target that says
//! how it is reached.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use lb_common::Target;
use lb_config::{Config, Listener, TargetGroup, TargetKey};

/// How packets get to a target.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeRoute {
    /// By its entry in the maps, whose next hop is known.
    Entry(Box<Target>),
    /// Nobody knows yet, for this reason.
    Pending(String),
    /// Not at all, for this reason.
    Nowhere(String),
}

/// Where the probes of one target go.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePath {
    /// Address and port inside.
    pub vip: SocketAddr,
    /// The way.
    pub route: ProbeRoute,
}

/// The probe paths of all checks with `via: tunnel`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbePaths {
    /// By target.
    pub probe_paths: BTreeMap<TargetKey, ProbePath>,
    /// Key of the flow hash, as the data path has it.
    pub hash_seed: [u64; 2],
}

/// The address that probes of a group have inside when they go to `port`: that of the first
/// listener, in the order of the configuration, that forwards this port to the group; if none
/// does, of the first that forwards to it at all. `None` for a group without listeners.
#[must_use]
pub fn vip_of(config: &Config, group: &TargetGroup, port: u16) -> Option<SocketAddr> {
    let leads_here =
        |listener: &&Arc<Listener>| listener.target_groups().any(|name| *name == *group.name);
    let mut listeners = config.listeners.iter().filter(leads_here).peekable();
    let first = *listeners.peek()?;
    let listener = listeners.find(|listener| listener.ports.contains(port)).unwrap_or(first);
    Some(SocketAddr::new(first_host(listener.address), port))
}

/// The first address of a prefix that a host can have: not the network's own, where that is
/// special (RFC 1122 for IPv4, the subnet-router anycast address of RFC 4291 for IPv6).
fn first_host(prefix: IpNet) -> IpAddr {
    let special = prefix.max_prefix_len() - prefix.prefix_len() > 1;
    prefix.hosts().find(|host| !special || *host != prefix.network()).unwrap_or(prefix.addr())
}

#[cfg(test)]
mod tests {
    use lb_config as config;

    use super::*;

    fn config(listeners: &[(&str, &str)]) -> Config {
        let head = "interfaces: [eth0]
target_groups:
  - { name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.0.1 }] }
  - { name: other, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.0.1 }] }
listeners:
  - { name: z, address: 203.0.113.9, port: 80, protocol: tcp,
      default_action: { forward: { target_group: other } } }
";
        let listener = |(number, (address, port)): (usize, &(&str, &str))| {
            format!(
                "  - {{ name: l{number}, address: \"{address}\", port: {port}, protocol: tcp,
      default_action: {{ forward: {{ target_group: web }} }} }}\n"
            )
        };
        let listeners: String = listeners.iter().enumerate().map(listener).collect();
        config::parse(&format!("{head}{listeners}"), "").unwrap().1
    }

    #[test]
    fn the_first_listener_that_has_the_port_gives_the_vip() {
        let two = [("203.0.113.20", "80"), ("203.0.113.10", "80-90")];
        let cases = [
            (&two[..], 80, "203.0.113.20:80"),
            (&two, 85, "203.0.113.10:85"),
            (&two, 8080, "203.0.113.20:8080"),
            (&[("2001:db8::1", "all")], 80, "[2001:db8::1]:80"),
            (&[("203.0.113.16/28", "all")], 80, "203.0.113.17:80"),
            (&[("203.0.113.16/31", "all")], 80, "203.0.113.16:80"),
            (&[("2001:db8:1::/64", "80")], 80, "[2001:db8:1::1]:80"),
            (&[("2001:db8:1::2/127", "80")], 80, "[2001:db8:1::2]:80"),
        ];
        for (listeners, port, expected) in cases {
            let config = config(listeners);
            let vip = vip_of(&config, &config.target_groups[0], port).unwrap();
            assert_eq!(vip.to_string(), expected, "{listeners:?}");
        }
    }

    #[test]
    fn without_a_listener_there_is_no_vip() {
        let config = config(&[]);
        assert_eq!(vip_of(&config, &config.target_groups[0], 80), None);
    }
}
