//! Names of all listeners, and what each listens on: none twice.

use ipnet::IpNet;

use super::{doubles, listeners::listens_on};
use crate::{
    error::At,
    model::{Config, Ports, Protocol},
    positions::Positions,
    section::Findings,
};

/// What a listener listens on.
struct Endpoint<'a> {
    /// Its place in the document.
    index: usize,
    at: &'a At,
    name: &'a str,
    address: IpNet,
    ports: Ports,
    /// IP protocol number.
    number: u8,
    /// For people.
    shown: String,
    is_proxied: bool,
}

impl Endpoint<'_> {
    fn is_host(&self) -> bool {
        self.address.prefix_len() == self.address.max_prefix_len()
    }

    /// Whether a packet could be for both, and neither is more specific.
    fn collides(&self, other: &Self) -> bool {
        self.number == other.number
            && self.is_host() == other.is_host()
            && self.ports.overlaps(other.ports)
            && (self.address.contains(&other.address) || other.address.contains(&self.address))
    }
}

pub(super) fn check(config: &Config, places: &Positions, findings: &Findings) {
    let all = endpoints(config, places);
    doubles(all.iter().map(|one| (one.name, one.at)), |name, at, other| {
        let other = findings.elsewhere(at, other);
        findings.error(at, format!("there are two listeners named {name}{other}"));
    });
    let keys = all.iter().map(|one| ((one.address, one.ports, one.number), one));
    doubles(keys, |_, Endpoint { at, name, shown, .. }, other| {
        let other = findings.elsewhere(at, other.at);
        findings.error(at, format!("{shown} of listener {name} is taken already{other}"));
    });
    prefixes(&all, findings);
}

fn endpoints<'a>(config: &'a Config, places: &'a Positions) -> Vec<Endpoint<'a>> {
    let of_packets =
        config.listeners.iter().zip(&places.listeners).map(|(listener, place)| Endpoint {
            index: place.index,
            at: &place.at,
            name: &listener.name,
            address: listener.address,
            ports: listener.ports,
            number: listener.protocol.number(),
            shown: listens_on(listener),
            is_proxied: false,
        });
    let http = config.http_listeners.iter().zip(&places.http_listeners);
    let http = http.map(|(one, place)| (&one.name, one.address, one.port, place));
    let tls = config.tls_listeners.iter().zip(&places.tls_listeners);
    let tls = tls.map(|(one, place)| (&one.name, one.address, one.port, place));
    let proxied = http.chain(tls).map(|(name, address, port, place)| {
        let ports = Ports::one(port);
        Endpoint {
            index: place.index,
            at: &place.at,
            name,
            address,
            ports,
            number: Protocol::Tcp.number(),
            shown: shown(address, port),
            is_proxied: true,
        }
    });
    let mut all: Vec<Endpoint<'a>> = of_packets.chain(proxied).collect();
    all.sort_unstable_by_key(|one| one.index);
    all
}

/// Such as `tcp 203.0.113.10:80`.
fn shown(address: IpNet, port: u16) -> String {
    if address.prefix_len() == address.max_prefix_len() {
        format!("tcp {}", std::net::SocketAddr::new(address.addr(), port))
    } else {
        format!("tcp {address} port {port}")
    }
}

/// Listeners of the proxy on a prefix, against all others on one. Those of layer 4 are compared with
/// each other in `wide`.
fn prefixes(all: &[Endpoint<'_>], findings: &Findings) {
    let wide: Vec<&Endpoint<'_>> = all.iter().filter(|one| !one.is_host()).collect();
    for (place, one) in wide.iter().enumerate() {
        let before = wide.iter().take(place);
        let mut others = before.filter(|other| one.is_proxied || other.is_proxied);
        // Duplicates have been reported.
        let is_same =
            |other: &Endpoint<'_>| (other.address, other.ports) == (one.address, one.ports);
        if let Some(other) = others.find(|other| one.collides(other) && !is_same(other)) {
            let message = format!(
                "{} of listener {} overlaps {} of listener {}; keep their addresses or ports apart",
                one.shown, one.name, other.shown, other.name
            );
            findings.error(one.at, message);
        }
        if findings.full() {
            return;
        }
    }
}
