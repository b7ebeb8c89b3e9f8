//! The owner of an address: a listener, a target, or the balancer itself.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{error::At, model::Config, positions::Positions, section::Findings};

/// The address of a listener, and its name.
#[derive(Clone, Copy)]
pub(super) struct Vip<'a> {
    pub(super) address: IpNet,
    pub(super) name: &'a str,
}

impl Vip<'_> {
    fn is_host(&self) -> bool {
        self.address.prefix_len() == self.address.max_prefix_len()
    }
}

/// The addresses of all listeners.
pub(super) struct Vips<'a> {
    listeners: HashMap<IpNet, Vip<'a>>,
    /// Lengths of their prefixes, longest first.
    lengths: Vec<u8>,
}

impl<'a> Vips<'a> {
    pub(super) fn of(config: &'a Config) -> Self {
        let of_packets = config.listeners.iter().map(|one| (one.address, &one.name));
        let of_http = config.http_listeners.iter().map(|one| (one.address, &one.name));
        let of_tls = config.tls_listeners.iter().map(|one| (one.address, &one.name));
        let all: Vec<Vip<'_>> = of_packets
            .chain(of_http)
            .chain(of_tls)
            .map(|(address, name)| Vip { address, name })
            .collect();
        let lengths: BTreeSet<u8> = all.iter().map(|one| one.address.prefix_len()).collect();
        // Of several with one address the first is meant.
        let listeners = all.into_iter().rev().map(|one| (one.address, one)).collect();
        Self { listeners, lengths: lengths.into_iter().rev().collect() }
    }

    /// The listener that has an address, the most specific of several.
    pub(super) fn owner(&self, address: IpAddr) -> Option<Vip<'a>> {
        self.lengths.iter().find_map(|length| {
            let prefix = IpNet::new(address, *length).ok()?.trunc();
            self.listeners.get(&prefix).copied()
        })
    }
}

/// No target has the address of a listener: its packets would come back here for ever.
pub(super) fn check(config: &Config, places: &Positions, vips: &Vips<'_>, findings: &Findings) {
    for (group, place) in config.target_groups.iter().zip(&places.groups) {
        for (target, at) in group.targets.iter().zip(&place.targets) {
            check_target(target.address, at, vips, findings);
        }
    }
    for (group, place) in config.http_target_groups.iter().zip(&places.http_groups) {
        for (target, at) in group.targets.iter().zip(&place.targets) {
            check_target(target.address, at, vips, findings);
        }
    }
}

fn check_target(address: IpAddr, at: &At, vips: &Vips<'_>, findings: &Findings) {
    let message = match vips.owner(address) {
        None => return,
        Some(owner) if owner.is_host() => {
            format!("{address} is the address of a listener, not of a server")
        }
        Some(Vip { address: prefix, name }) => format!(
            "{address} is in {prefix} of listener {name}: packets to it would come back to this host"
        ),
    };
    findings.error(at, message);
}
