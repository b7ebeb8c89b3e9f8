//! Local routes for the VIPs of listeners that the proxy serves, so that a VIP needs no address of the host.
//! They stay when the agent stops, since the proxy goes on; `xelb detach` removes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use lb_config::Config;
use lb_netlink::{add_vip_route, local_prefixes, remove_vip_route, vip_routes};
use lb_plan::warning::{Warning, WarningKind};

use super::host;

/// How often the routes are compared with what they should be, without another configuration.
const INTERVAL: Duration = Duration::from_secs(5);

/// The routes, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct VipRoutes {
    /// Configurations that were applied at the last comparison.
    applied_count: u64,
    compared_at: Option<Instant>,
    /// Errors, by prefix.
    faults: BTreeMap<String, String>,
}

impl VipRoutes {
    /// Makes the routes that are missing, and removes those that are not wanted any more.
    pub(super) fn update(&mut self, config: &Config, applied_count: u64, now: Instant) {
        let is_due =
            self.compared_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL);
        if applied_count == self.applied_count && !is_due {
            return;
        }
        (self.applied_count, self.compared_at) = (applied_count, Some(now));
        let vips: BTreeSet<IpNet> = vips(config).collect();
        self.faults.clear();
        if let Err(error) = self.compare(&vips) {
            let text = format!("cannot read the local routes of this host: {error}");
            self.faults.insert(String::new(), text);
        }
    }

    fn compare(&mut self, vips: &BTreeSet<IpNet>) -> io::Result<()> {
        let made = vip_routes()?;
        if vips.is_empty() && made.is_empty() {
            return Ok(());
        }
        let addresses: Vec<IpNet> = host::addresses()?;
        let foreign: Vec<IpNet> =
            local_prefixes()?.into_iter().filter(|prefix| !made.contains(prefix)).collect();
        let wanted: BTreeSet<IpNet> =
            vips.iter().filter(|vip| !is_local(**vip, &addresses, &foreign)).copied().collect();
        for prefix in made.difference(&wanted) {
            match remove_vip_route(*prefix) {
                Ok(()) => {
                    tracing::info!("the local route of {prefix} is removed: no listener needs it");
                }
                Err(error) => self.fail(*prefix, "removed", &error),
            }
        }
        for prefix in wanted.difference(&made) {
            match add_vip_route(*prefix) {
                Ok(()) => tracing::info!("{prefix} is local: a route is made for it"),
                Err(error) => self.fail(*prefix, "made", &error),
            }
        }
        Ok(())
    }

    fn fail(&mut self, prefix: IpNet, what: &str, error: &io::Error) {
        let text = format!("the local route of {prefix} cannot be {what}: {error}");
        self.faults.insert(prefix.to_string(), text);
    }

    /// One for each route that is not as it should be.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> {
        let kind = WarningKind::VipRouteMissing;
        self.faults.iter().map(move |(prefix, text)| Warning::new(kind, prefix, text))
    }
}

/// Addresses of the listeners that the proxy serves.
fn vips(config: &Config) -> impl Iterator<Item = IpNet> + '_ {
    let http = config.http_listeners.iter().map(|listener| listener.address);
    http.chain(config.tls_listeners.iter().map(|listener| listener.address))
}

/// Whether packets for all of a VIP come to this host's sockets without a route of xelb.
fn is_local(vip: IpNet, addresses: &[IpNet], foreign: &[IpNet]) -> bool {
    let is_host = vip.prefix_len() == vip.max_prefix_len();
    let has_address = is_host && addresses.iter().any(|own| own.addr() == vip.addr());
    has_address || foreign.iter().any(|prefix| prefix.contains(&vip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_has_needs_no_route() {
        let nets = |texts: &[&str]| -> Vec<IpNet> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let addresses = nets(&["203.0.113.10/24", "2001:db8::1/64"]);
        let foreign = nets(&["198.51.100.0/24"]);
        for (vip, expected) in [
            ("203.0.113.10/32", true),
            ("203.0.113.11/32", false),
            ("203.0.113.0/24", false),
            ("198.51.100.7/32", true),
            ("198.51.100.0/25", true),
            ("198.51.0.0/16", false),
            ("2001:db8::1/128", true),
            ("2001:db8::/64", false),
        ] {
            assert_eq!(is_local(vip.parse().unwrap(), &addresses, &foreign), expected, "{vip}");
        }
    }
}
