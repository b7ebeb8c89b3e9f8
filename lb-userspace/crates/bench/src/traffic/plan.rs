//! PURE: turns a request into a plan, or into an error.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;

use super::{
    EgressPath, TrafficError,
    mix::{LENGTH_MAX, Mix, PATTERN},
    sources::Sources,
    unicast::check_unicast,
};

/// The maximum rate, in packets per second.
pub const RATE_MAX: u64 = 1_000_000_000;
/// The most packets of one run.
pub const COUNT_MAX: u64 = 1_000_000_000_000;
/// The longest run.
pub const DURATION_MAX: Duration = Duration::from_hours(1);
const FLOWS_DEFAULT: u64 = 1000;
/// Bytes of an Ethernet header, which the MTU does not count.
const ETHERNET: u32 = 14;

/// What packets carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, packets of established connections.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err("expected tcp or udp".to_owned()),
        }
    }
}

/// The request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where packets go.
    pub to: SocketAddr,
    /// Where they come from; the network of the interface if it is not said.
    pub from: Option<IpNet>,
    /// What they carry.
    pub transport: Transport,
    /// Number of flows.
    pub flows: Option<u64>,
    /// Whether every packet is the SYN of a new flow.
    pub syn_flood: bool,
    /// Packets per second; `None` is as fast as possible.
    pub rate: Option<u64>,
    /// Lengths of frames.
    pub mix: Mix,
    /// How long.
    pub duration: Duration,
    /// How many packets.
    pub count: Option<u64>,
    /// On how many CPUs.
    pub threads: usize,
}

/// What is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where packets go.
    pub to: SocketAddr,
    /// The prefix that they come from.
    pub from: IpNet,
    /// Its addresses.
    pub(super) sources: Sources,
    /// What they carry.
    pub transport: Transport,
    /// Whether they are SYNs.
    pub syn: bool,
    /// Number of flows; one after the other, then from the start again.
    pub flows: u64,
    /// Packets per second.
    pub rate: Option<u64>,
    /// Lengths of frames.
    pub mix: Mix,
    /// How long.
    pub duration: Duration,
    /// How many packets.
    pub count: u64,
    /// On how many CPUs.
    pub threads: usize,
}

impl Plan {
    /// Checks a request against the interface and the number of CPUs that may be used.
    pub fn new(request: &Request, path: &EgressPath, cpus: usize) -> Result<Self, TrafficError> {
        check_destination(request.to, path)?;
        check_bounds(request, cpus)?;
        check_lengths(request, path)?;
        let from = match request.from {
            Some(prefix) => prefix.trunc(),
            None => own_network(request.to.ip(), path)?,
        };
        let sources = Sources::new(&from, request.to.ip())?;
        Ok(Self {
            to: request.to,
            from,
            transport: request.transport,
            syn: request.syn_flood,
            flows: flows(request, &from, &sources)?,
            sources,
            rate: request.rate,
            mix: request.mix,
            duration: request.duration,
            count: request.count.unwrap_or(COUNT_MAX),
            threads: request.threads,
        })
    }

    pub(super) fn lengths(&self) -> [u32; PATTERN] {
        self.mix.lengths(self.to.is_ipv6())
    }
}

fn check_destination(to: SocketAddr, path: &EgressPath) -> Result<(), TrafficError> {
    check_unicast(to)?;
    let refuse = |problem: &str| Err(TrafficError::usage("--to", format!("{to} {problem}")));
    if path.networks.iter().any(|network| network.addr() == to.ip()) {
        return refuse("is an address of this interface itself");
    }
    let broadcast = |network: &IpNet| {
        let IpAddr::V4(address) = to.ip() else { return false };
        let is = |end: IpAddr| end == IpAddr::V4(address);
        network.prefix_len() < 31 && (is(network.broadcast()) || is(network.network()))
    };
    if path.networks.iter().any(broadcast) {
        return refuse("is a broadcast address of this interface");
    }
    Ok(())
}

fn check_bounds(request: &Request, cpus: usize) -> Result<(), TrafficError> {
    let between = |option, value: u64, most: u64| {
        if (1..=most).contains(&value) {
            Ok(())
        } else {
            Err(TrafficError::usage(option, format!("{value} is not between 1 and {most}")))
        }
    };
    if let Some(rate) = request.rate {
        between("--rate", rate, RATE_MAX)?;
    }
    if let Some(count) = request.count {
        between("--count", count, COUNT_MAX)?;
    }
    if request.duration.is_zero() || request.duration > DURATION_MAX {
        let problem = format!(
            "{} is not more than 0 and at most {}",
            humantime::format_duration(request.duration),
            humantime::format_duration(DURATION_MAX)
        );
        return Err(TrafficError::usage("--duration", problem));
    }
    if !(1..=cpus).contains(&request.threads) {
        let problem = format!("{} is not between 1 and the {cpus} CPUs here", request.threads);
        return Err(TrafficError::usage("--threads", problem));
    }
    if request.rate.is_some_and(|rate| rate < request.threads as u64) {
        return Err(TrafficError::usage("--rate", "each thread needs a packet per second"));
    }
    Ok(())
}

fn check_lengths(request: &Request, path: &EgressPath) -> Result<(), TrafficError> {
    let is_v6 = request.to.is_ipv6();
    let refuse = |problem: String| Err(TrafficError::usage("--size", problem));
    for length in request.mix.lengths(is_v6) {
        let least = Mix::length_min(is_v6);
        if length < least {
            return refuse(format!("{length} bytes are too few; the minimum is {least}"));
        }
        if length > LENGTH_MAX {
            return refuse(format!("{length} bytes are too many; the maximum is {LENGTH_MAX}"));
        }
        if length > path.mtu.saturating_add(ETHERNET) {
            return refuse(format!(
                "frames of {length} bytes do not fit the interface, whose MTU is {} (and 14 bytes \
                 of Ethernet header)",
                path.mtu
            ));
        }
    }
    Ok(())
}

/// The interface's own network in the family of an address: the one that holds it, else the first.
fn own_network(to: IpAddr, path: &EgressPath) -> Result<IpNet, TrafficError> {
    let mut networks =
        path.networks.iter().filter(|network| network.addr().is_ipv4() == to.is_ipv4());
    let holding = networks.clone().find(|network| network.contains(&to));
    holding.or_else(|| networks.next()).map(IpNet::trunc).ok_or_else(|| {
        let problem = "the interface has no network of the destination's family; name a prefix of \
                       source addresses";
        TrafficError::usage("--from", problem)
    })
}

fn flows(request: &Request, from: &IpNet, sources: &Sources) -> Result<u64, TrafficError> {
    let space = sources.flows();
    if request.syn_flood {
        if request.transport != Transport::Tcp {
            return Err(TrafficError::usage("--syn-flood", "only TCP has SYNs"));
        }
        if request.flows.is_some() {
            let problem = "every packet is a new flow with --syn-flood; leave this out";
            return Err(TrafficError::usage("--flows", problem));
        }
        if let Some(count) = request.count.filter(|count| *count > space) {
            let problem = format!("{count} new flows are more than {from} has ({space})");
            return Err(TrafficError::usage("--count", problem));
        }
        return Ok(space);
    }
    let flows = request.flows.unwrap_or(FLOWS_DEFAULT);
    if flows == 0 || flows > space {
        let problem = format!(
            "{flows} is not between 1 and {space}, the {} addresses of {from} with 64512 ports each",
            sources.count
        );
        return Err(TrafficError::usage("--flows", problem));
    }
    Ok(flows)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
