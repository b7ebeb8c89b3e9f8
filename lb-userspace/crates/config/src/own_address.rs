//! PURE: listeners on many ports that take what is for the balancer itself. The data path sees a packet
//! before the host does: SSH, and the answers to the agent's own health checks, would go to targets.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Config, Listener};

/// Listeners on a prefix or several ports that cover an address of the host, and are not allowed to;
/// each with the first such address.
#[must_use]
pub fn own_address_taken<'config>(
    config: &'config Config,
    own: &BTreeSet<IpAddr>,
) -> Vec<(&'config Listener, IpAddr)> {
    let wide = config.listeners.iter().map(|listener| &**listener);
    // One on a single address and port is what somebody has meant.
    wide.filter(|listener| listener.exact().is_none() && !listener.allow_own_address)
        .filter_map(|listener| {
            let covered = own.iter().find(|address| listener.address.contains(*address));
            covered.map(|address| (listener, *address))
        })
        .collect()
}

/// In words.
#[must_use]
pub fn own_address_text(listener: &Listener, address: IpAddr) -> String {
    let Listener { name, protocol, ports, .. } = listener;
    format!(
        "listener {name} takes {protocol} packets to port {ports} of {address}, an address of this \
         host: what is for the host itself, such as SSH and the answers to its health checks, goes to \
         targets; choose another address, or allow it with \
         `attributes: {{ allow_own_address: true }}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const GROUP: &str = "interfaces: [eth0]\ntarget_groups:\n  - { name: web, protocol: tcp, port: 80, \
                         forwarding: nat, targets: [{ address: 10.0.9.1 }] }\nlisteners:\n";

    #[test]
    fn listeners_on_many_ports_of_an_own_address_are_found() {
        let own: BTreeSet<IpAddr> = ["10.0.0.2", "fd00::2"].map(|one| one.parse().unwrap()).into();
        for (address, port, attributes, taken) in [
            ("10.0.0.2", "all", "{}", true),
            ("10.0.0.2", "8000-8099", "{}", true),
            ("10.0.0.0/24", "80", "{}", true),
            ("\"fd00::/64\"", "80", "{}", true),
            ("10.0.0.2", "80", "{}", false),
            ("10.0.0.3", "all", "{}", false),
            ("10.0.0.2", "all", "{ allow_own_address: true }", false),
            ("10.0.0.2", "all", "{ allow_own_address: false }", true),
        ] {
            let text = format!(
                "{GROUP}  - {{ name: l, address: {address}, port: {port}, protocol: tcp, \
                 attributes: {attributes}, default_action: {{ forward: {{ target_group: web }} }} }}\n"
            );
            let text = if address.contains(':') {
                text.replace("10.0.9.1", "\"fd00:9::1\"")
            } else {
                text
            };
            let (_, config, _) = parse(&text, "x.yaml").unwrap_or_else(|error| panic!("{error}"));
            let found = own_address_taken(&config, &own);
            assert_eq!(!found.is_empty(), taken, "{address} {port} {attributes}");
            for (listener, address) in found {
                let text = own_address_text(listener, address);
                assert!(text.contains("allow_own_address: true"), "{text}");
            }
        }
    }
}
