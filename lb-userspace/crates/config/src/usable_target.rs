//! PURE: whether an address that is not written in a configuration can be a target of a group: one that a
//! driver reports, or that a DNS name has. Both may give anything, and a wrong one must not reach the
//! plan.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use lb_common::Mode;

use crate::model::{Config, HttpTargetGroup, TargetGroup};

/// A target group, whether packets or requests reach its targets.
#[derive(Clone, Copy, Debug)]
pub enum AnyGroup<'group> {
    /// Its targets get packets of the data path.
    Packets(&'group TargetGroup),
    /// Its targets get requests of the proxy.
    Requests(&'group HttpTargetGroup),
}

impl AnyGroup<'_> {
    /// Whether an address and port is that of a target.
    #[must_use]
    pub fn has_target(self, target: SocketAddr) -> bool {
        let is_it = |address: IpAddr, port: u16| SocketAddr::new(address, port) == target;
        match self {
            Self::Packets(group) => group.targets.iter().any(|one| is_it(one.address, one.port)),
            Self::Requests(group) => group.targets.iter().any(|one| is_it(one.address, one.port)),
        }
    }
}

/// Why an address cannot be a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// For people.
    pub text: String,
    /// Whether another address family would do: a name with addresses of both is no mistake.
    pub is_of_family: bool,
}

/// Why an address cannot be a target of the group.
#[must_use]
pub fn unusable_target(
    config: &Config,
    group: AnyGroup<'_>,
    target: SocketAddr,
) -> Option<Unusable> {
    let wrong = |text: String| Some(Unusable { text, is_of_family: false });
    let ip = target.ip();
    let by_proxy = matches!(group, AnyGroup::Requests(_));
    // The proxy can reach servers of its own host.
    if !(is_host(ip) || by_proxy && ip.is_loopback()) {
        let sender = if by_proxy { "proxy can connect" } else { "data path can send packets" };
        return wrong(format!("{ip} is no address that the {sender} to"));
    }
    if target.port() == 0 {
        return wrong("port 0 is no port of a server".to_owned());
    }
    if let Some((_, listener)) = vips(config).find(|(address, _)| address.contains(&ip)) {
        return wrong(format!("{ip} is the address of listener {listener}"));
    }
    let AnyGroup::Packets(group) = group else { return None };
    let sources = config.source_nat.as_ref().map_or(&[][..], |source| &source.addresses);
    if sources.contains(&ip) {
        return wrong(format!("{ip} is an address of `source_nat`"));
    }
    let has_source = || sources.iter().any(|source| source.is_ipv4() == ip.is_ipv4());
    if group.forwarding == Mode::Fullnat && !has_source() {
        let text = format!("`source_nat` has no address of the family of {ip}");
        return Some(Unusable { text, is_of_family: true });
    }
    unforwardable(config, group, target)
}

/// Whether it may be the address of a host.
fn is_host(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            !(v4.is_loopback() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6.to_ipv4_mapped().is_some())
        }
    }
}

/// The addresses of all listeners, and their names.
fn vips(config: &Config) -> impl Iterator<Item = (IpNet, &str)> {
    let packets = config.listeners.iter().map(|one| (one.address, one.name.as_str()));
    let http = config.http_listeners.iter().map(|one| (one.address, one.name.as_str()));
    let tls = config.tls_listeners.iter().map(|one| (one.address, one.name.as_str()));
    packets.chain(http).chain(tls)
}

/// Why packets of the group's listeners cannot be forwarded to a target.
fn unforwardable(config: &Config, group: &TargetGroup, target: SocketAddr) -> Option<Unusable> {
    let ip = target.ip();
    let translates = matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    let same_family = translates || group.forwarding == Mode::L2dsr;
    let mut listeners = config.listeners.iter();
    listeners.by_ref().filter(|listener| listener.target_groups().any(|name| *name == *group.name)).find_map(
        |listener| {
            let mode = group.forwarding.name();
            let name = &listener.name;
            if same_family && listener.address.addr().is_ipv4() != ip.is_ipv4() {
                let address = listener.shown_address();
                let text = format!(
                    "{ip} is of another family than {address} of listener {name}: forwarding {mode} \
                     needs the same"
                );
                return Some(Unusable { text, is_of_family: true });
            }
            (!translates && !listener.ports.contains(target.port())).then(|| {
                let text = format!(
                    "port {} is none of listener {name}: forwarding {mode} cannot translate ports; \
                     nat and fullnat can",
                    target.port()
                );
                Unusable { text, is_of_family: false }
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_targets() {
        let text = |mode: &str| {
            format!(
                "interfaces: [eth0]\nsource_nat: {{ addresses: [10.0.0.2] }}\ntarget_groups:\n  - \
                 {{ name: web, protocol: tcp, port: 80, forwarding: {mode}, scaling: {{ min: 1, max: \
                 2, driver: {{ static: {{ targets: [{{ address: 10.0.1.1 }}] }} }} }} }}\nlisteners:\n  \
                 - {{ name: web, address: 203.0.113.1, port: 80, protocol: tcp, default_action: {{ \
                 forward: {{ target_group: web }} }} }}\n"
            )
        };
        let cases = [
            ("ipip", "10.0.1.1:80", ""),
            ("ipip", "[2001:db8::1]:80", ""),
            ("ipip", "10.0.1.1:81", "port 81 is none of listener web"),
            ("fullnat", "10.0.1.1:81", ""),
            ("nat", "[2001:db8::1]:80", "another family"),
            ("fullnat", "[2001:db8::1]:80", "no address of the family"),
            ("fullnat", "10.0.0.2:80", "10.0.0.2 is an address of `source_nat`"),
            ("ipip", "127.0.0.1:80", "no address that the data path"),
            ("ipip", "0.0.0.0:80", "no address that the data path"),
            ("fullnat", "10.0.1.1:0", "port 0"),
            ("fullnat", "203.0.113.1:80", "the address of listener web"),
        ];
        for (mode, target, expected) in cases {
            let (_, config, _) = crate::parse(&text(mode), "").unwrap();
            let group = AnyGroup::Packets(&config.target_groups[0]);
            let found = unusable_target(&config, group, target.parse().unwrap());
            let found = found.map(|unusable| unusable.text).unwrap_or_default();
            assert_eq!(found.is_empty(), expected.is_empty(), "{mode} {target}: {found}");
            assert!(found.contains(expected), "{mode} {target}: {found}");
        }
    }

    #[test]
    fn addresses_that_the_proxy_cannot_connect_to() {
        let text = "interfaces: [eth0]\ntarget_groups:\n  - { name: web, protocol: http, port: 80, \
                    targets: [{ address: 10.0.1.9 }], scaling: { min: 1, max: 2, driver: { static: { \
                    targets: [{ address: 10.0.1.1 }] } } } }\nlisteners:\n  - { name: web, address: \
                    203.0.113.1, port: 80, protocol: http, default_action: { forward: { \
                    target_group: web } } }\n";
        let (_, config, _) = crate::parse(text, "").unwrap();
        let group = AnyGroup::Requests(&config.http_target_groups[0]);
        assert!(group.has_target("10.0.1.9:80".parse().unwrap()));
        assert!(!group.has_target("10.0.1.9:81".parse().unwrap()));
        for (target, expected) in [
            ("10.0.1.1:81", ""),
            ("[2001:db8::1]:81", ""),
            ("127.0.0.1:81", ""),
            ("0.0.0.0:80", "no address that the proxy can connect to"),
            ("203.0.113.1:80", "the address of listener web"),
        ] {
            let found = unusable_target(&config, group, target.parse().unwrap());
            let found = found.map(|unusable| unusable.text).unwrap_or_default();
            assert_eq!(found.is_empty(), expected.is_empty(), "{target}: {found}");
            assert!(found.contains(expected), "{target}: {found}");
        }
    }
}
