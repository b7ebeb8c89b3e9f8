//! Addresses that stand for what the input does not say. They are those of documentation (RFC 5737,
//! RFC 3849), and none that the input uses.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use lb_config::TargetAddress;

use crate::{
    service::{Found, Vip},
    settings::Settings,
};

/// The next free ones.
#[derive(Debug)]
pub(crate) struct Placeholders {
    taken: HashSet<IpAddr>,
    /// For "any address", as given or made: IPv4 and IPv6.
    any: [Option<(IpAddr, bool)>; 2],
}

impl Placeholders {
    pub(crate) fn new(found: &Found, settings: &Settings) -> Self {
        let endpoints = found.services.iter().flat_map(|service| &service.endpoints);
        let vips = endpoints.filter_map(|endpoint| match endpoint.address {
            Vip::Address(address) => Some(address),
            Vip::Any { .. } => None,
        });
        let servers = found.services.iter().flat_map(|service| &service.servers);
        let servers = servers.filter_map(|server| match server.address {
            TargetAddress::Ip(address) => Some(address),
            TargetAddress::Name(_) => None,
        });
        let mut taken: HashSet<IpAddr> = vips.chain(servers).collect();
        taken.extend(found.sources.iter().map(|(address, _)| *address));
        taken.extend(&settings.addresses);
        taken.extend(&settings.source_addresses);
        let given = |ipv6: bool| {
            let mut addresses = settings.addresses.iter().copied();
            addresses.find(|address| address.is_ipv6() == ipv6).map(|address| (address, true))
        };
        Self { taken, any: [given(false), given(true)] }
    }

    /// What stands for "any address" of a family, and whether the user gave it.
    pub(crate) fn any(&mut self, ipv6: bool) -> (IpAddr, bool) {
        if let Some(known) = self.any[usize::from(ipv6)] {
            return known;
        }
        let made = (self.next(ipv6), false);
        self.any[usize::from(ipv6)] = Some(made);
        made
    }

    /// A new one.
    pub(crate) fn next(&mut self, ipv6: bool) -> IpAddr {
        let candidate = |number: u16| {
            if ipv6 {
                IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0xffff, number))
            } else {
                let [high, low] = number.to_be_bytes();
                IpAddr::from(Ipv4Addr::new(192, 0, 2_u8.wrapping_add(high), low))
            }
        };
        let free = (1..=254).map(candidate).find(|address| !self.taken.contains(address));
        // Nobody uses all of them; then one of theirs is refused with a message.
        let address = free.unwrap_or_else(|| candidate(1));
        self.taken.insert(address);
        address
    }
}
