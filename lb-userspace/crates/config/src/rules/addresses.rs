//! The owner of an address: a listener, a target, or the balancer itself.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;

use crate::{
    model::{Config, Listener},
    positions::Positions,
    section::Findings,
};

/// The addresses of all listeners.
pub(super) struct Vips<'a> {
    listeners: HashMap<IpNet, &'a Listener>,
    /// Lengths of their prefixes, longest first.
    lengths: Vec<u8>,
}

impl<'a> Vips<'a> {
    pub(super) fn of(listeners: &'a [Arc<Listener>]) -> Self {
        let lengths: BTreeSet<u8> = listeners.iter().map(|one| one.address.prefix_len()).collect();
        // Of several with one address the first is meant.
        let listeners = listeners.iter().rev().map(|one| (one.address, &**one)).collect();
        Self { listeners, lengths: lengths.into_iter().rev().collect() }
    }

    /// The listener that has an address, the most specific of several.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a Listener> {
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
            let address = target.address;
            let message = match vips.owner(address) {
                None => continue,
                Some(owner) if owner.is_host() => {
                    format!("{address} is the address of a listener, not of a server")
                }
                Some(Listener { address: prefix, name, .. }) => format!(
                    "{address} is in {prefix} of listener {name}: packets to it would come back \
                     to this host"
                ),
            };
            findings.error(at, message);
        }
    }
}
