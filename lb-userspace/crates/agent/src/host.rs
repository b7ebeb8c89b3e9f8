//! The agent's view of its process, its host and its clock.

use std::{
    io,
    net::IpAddr,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use ipnet::IpNet;
use lb_config::{Config, HostAddresses};
use lb_health::Scheduler;
use lb_log as log;
use lb_netlink::listening_sockets;
use lb_plan::warning::{Warning, WarningKind};
use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};

use super::descriptors::DescriptorBudget;

/// The addresses of this host, each with the length of its prefix; not those that only this host can
/// reach (loopback) or that are every link's own (link-local IPv6).
pub fn addresses() -> io::Result<Vec<IpNet>> {
    let net = |address: SockaddrStorage, mask: Option<SockaddrStorage>| {
        let address = ip_of(&address)?;
        let mask = mask.as_ref().and_then(ip_of);
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = mask.and_then(|mask| ipnet::ip_mask_to_prefix(mask).ok()).unwrap_or(whole);
        let foreign = match address {
            IpAddr::V4(v4) => !v4.is_loopback(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        };
        IpNet::new(address, length).ok().filter(|_| foreign)
    };
    Ok(getifaddrs()?.filter_map(|one| net(one.address?, one.netmask)).collect())
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// The host's own addresses and sockets, as far as listeners of this configuration may take them.
#[must_use]
pub fn own_addresses(config: &Config, addresses: &[IpNet]) -> HostAddresses {
    let addresses = addresses.iter().map(IpNet::addr).collect();
    let mut host = HostAddresses { addresses, listening: Vec::new() };
    let mut exact = config.listeners.iter().filter_map(|listener| listener.exact());
    if exact.any(|socket| host.addresses.contains(&socket.ip())) {
        host.listening = listening_sockets();
    }
    host
}

/// Limited resources of the agent's own process.
#[derive(Debug)]
pub(super) struct OwnLimits {
    lost_lines: LostLines,
    descriptors: DescriptorBudget,
}

impl OwnLimits {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { lost_lines: LostLines::default(), descriptors: DescriptorBudget::new()? })
    }

    /// Looks at them, once a second.
    pub(super) fn poll(&mut self, scheduler: &Scheduler) {
        self.lost_lines.poll();
        self.descriptors.update(scheduler.descriptors(), Instant::now());
    }

    /// The text for people.
    pub(super) fn warnings(&self, scheduler: &Scheduler) -> impl Iterator<Item = Warning> {
        let descriptors = self.descriptors.warning(scheduler.targets());
        let descriptors =
            descriptors.map(|text| Warning::new(WarningKind::FileDescriptors, "", text));
        let lines = log::loss().warning();
        let lines = lines.map(|text| Warning::new(WarningKind::LogLinesLost, "", text));
        descriptors.into_iter().chain(lines)
    }
}

/// Number of lost lines that the log has reported.
#[derive(Debug, Default)]
struct LostLines(u64);

impl LostLines {
    /// Says how many lines are missing as soon as the log is read again.
    fn poll(&mut self) {
        let loss = log::loss();
        let missing = loss.lines.saturating_sub(self.0);
        if missing > 0 && loss.over {
            self.0 = loss.lines;
            tracing::warn!("log lines lost before this one: {missing}");
        }
    }
}

/// The time of day.
pub(super) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
