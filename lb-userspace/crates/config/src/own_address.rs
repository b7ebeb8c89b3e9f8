//! PURE: listeners that take what is for the balancer itself. The data path sees a packet before the host
//! does: SSH, and the answers to the agent's own health checks, would go to targets.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Config, Listener, Protocol};

/// What a host has for itself.
#[derive(Clone, Debug, Default)]
pub struct HostAddresses {
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Its sockets that take what anybody sends.
    pub listening: Vec<ListeningSocket>,
}

/// A socket that takes what clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListeningSocket {
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The address that it is bound to.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

impl ListeningSocket {
    /// Whether it takes packets for an address of the host.
    #[must_use]
    pub fn accepts(&self, address: IpAddr) -> bool {
        // By default, a socket for all IPv6 addresses accepts IPv4, too.
        let all = self.address.is_unspecified() && (self.address.is_ipv6() || address.is_ipv4());
        self.address == address || all
    }
}

impl HostAddresses {
    /// Whether a program on the host gets what clients send to a port.
    fn serves(&self, protocol: Protocol, address: IpAddr, port: u16) -> bool {
        let name = if protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let mut sockets = self.listening.iter();
        sockets.any(|one| one.protocol == name && one.port == port && one.accepts(address))
    }

    /// The address of the host that a listener takes, if it does.
    fn taken_by(&self, listener: &Listener) -> Option<IpAddr> {
        match listener.exact() {
            // That is intended, unless a program of the host listens there already.
            Some(exact) => {
                let (address, port) = (exact.ip(), exact.port());
                let served = self.addresses.contains(&address)
                    && self.serves(listener.protocol, address, port);
                served.then_some(address)
            }
            None => self.addresses.iter().find(|one| listener.address.contains(*one)).copied(),
        }
    }
}

/// Listeners on a prefix or several ports that cover an address of the host, or on a port of it where a
/// program of the host listens, and are not allowed to; each with the first such address.
#[must_use]
pub fn own_address_taken<'config>(
    config: &'config Config,
    host: &HostAddresses,
) -> Vec<(&'config Listener, IpAddr)> {
    let listeners = config.listeners.iter().map(|listener| &**listener);
    listeners
        .filter(|listener| !listener.allow_own_address)
        .filter_map(|listener| Some((listener, host.taken_by(listener)?)))
        .collect()
}

/// In words.
#[must_use]
pub fn own_address_text(listener: &Listener, address: IpAddr) -> String {
    let Listener { name, protocol, ports, .. } = listener;
    let lost = if listener.exact().is_some() {
        "a program of this host listens there, and gets no packets any more"
    } else {
        "packets for the host itself, such as SSH and answers to its health checks, go to targets"
    };
    format!(
        "listener {name} takes {protocol} packets to port {ports} of {address}, an address of this \
         host: {lost}; choose another address, or allow it with \
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
    fn listeners_that_take_packets_for_the_host_are_found() {
        let addresses = ["10.0.0.2", "fd00::2"].map(|one| one.parse().unwrap()).into();
        let socket = |protocol, address: &str, port| ListeningSocket {
            protocol,
            address: address.parse().unwrap(),
            port,
        };
        let listening = vec![
            socket("tcp", "::", 22),
            socket("udp", "10.0.0.2", 53),
            socket("tcp", "127.0.0.1", 25),
        ];
        let own = HostAddresses { addresses, listening };
        for (address, port, attributes, taken) in [
            ("10.0.0.2", "all", "{}", true),
            ("10.0.0.2", "8000-8099", "{}", true),
            ("10.0.0.0/24", "80", "{}", true),
            ("\"fd00::/64\"", "80", "{}", true),
            ("10.0.0.2", "80", "{}", false),
            ("10.0.0.2", "22", "{}", true),
            ("\"fd00::2\"", "22", "{}", true),
            ("10.0.0.3", "22", "{}", false),
            ("10.0.0.2", "25", "{}", false),
            ("10.0.0.2", "53", "{}", false),
            ("10.0.0.2", "22", "{ allow_own_address: true }", false),
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
