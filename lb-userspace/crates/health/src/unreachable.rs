//! ICMP errors of addresses, shared by all UDP probes: Linux sends one "unreachable" a second to a
//! host (after a burst of six; icmp(7), `icmp_ratelimit`), so that most probes of a dead server
//! meet silence. PURE except for its lock: times are given.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Silence of an address is no success for so long after an error: twice the time in which a host
/// sends one.
const SOON: Duration = Duration::from_secs(2);

/// A host that has sent so many errors within this time may have no more to send: the burst of
/// Linux, minus one that another host may have got.
const BURST: usize = 5;
const BURST_TIME: Duration = Duration::from_secs(6);

/// The meaning of a missing answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// No evidence against a success.
    Believable,
    /// Another probe of the same address and port has seen this error.
    Refuted(String),
    /// Errors for other ports of the address may have used up what its host may send.
    Unclear,
}

/// The errors of the last seconds. Shared by all probes.
#[derive(Debug, Default)]
pub(super) struct Unreachables(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    hosts: HashMap<IpAddr, Host>,
    swept: Option<Instant>,
}

#[derive(Debug, Default)]
struct Host {
    /// The latest errors, of any port.
    times: VecDeque<Instant>,
    /// The last error of each port.
    ports: BTreeMap<u16, (Instant, String)>,
}

impl Unreachables {
    /// Keeps that a probe of this address has seen an error.
    pub(super) fn note(&self, address: SocketAddr, now: Instant, detail: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove_expired(now);
        let host = known.hosts.entry(address.ip()).or_default();
        host.times.push_back(now);
        if host.times.len() > BURST {
            host.times.pop_front();
        }
        host.ports.insert(address.port(), (now, detail.to_owned()));
    }

    /// The meaning of a missing answer for a probe of this address that began then.
    pub(super) fn judge(&self, address: SocketAddr, began: Instant, now: Instant) -> Silence {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(host) = known.hosts.get(&address.ip()) else {
            return Silence::Believable;
        };
        match host.ports.get(&address.port()) {
            Some((at, detail)) if *at + SOON >= began => Silence::Refuted(detail.clone()),
            _ if host.times.len() == BURST
                && host.times.front().is_some_and(|first| *first + BURST_TIME >= now) =>
            {
                Silence::Unclear
            }
            _ => Silence::Believable,
        }
    }
}

impl Known {
    /// Forgets what is too old to matter, now and then.
    fn remove_expired(&mut self, now: Instant) {
        /// Longer than a probe may take is not looked back; see `PROBE_TIME_MAX` of the configuration.
        const KEPT: Duration = Duration::from_mins(6);
        if self.swept.is_some_and(|last| last + SOON > now) {
            return;
        }
        self.swept = Some(now);
        self.hosts.retain(|_, host| {
            host.ports.retain(|_, (at, _)| *at + KEPT > now);
            !host.ports.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn silence_is_refuted_by_errors_of_other_probes_of_the_address() {
        let known = Unreachables::default();
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        known.note(address(53), at(10.0), "refused");
        let refuted = Silence::Refuted("refused".to_owned());
        // (begin of a probe, its end, what its silence means)
        for (began, ended, expected) in [
            (5.0, 10.5, &refuted),
            (10.5, 11.0, &refuted),
            (12.0, 13.0, &refuted),
            (12.1, 13.0, &Silence::Believable),
        ] {
            assert_eq!(&known.judge(address(53), at(began), at(ended)), expected, "{began}");
            assert_eq!(known.judge(address(54), at(began), at(ended)), Silence::Believable);
        }
        let other = ([10, 0, 0, 2], 53).into();
        assert_eq!(known.judge(other, at(10.0), at(11.0)), Silence::Believable);
    }

    #[test]
    fn silence_is_unclear_while_the_host_can_send_no_more_errors() {
        let known = Unreachables::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for second in 0..5 {
            assert_eq!(known.judge(address(99), at(second), at(second)), Silence::Believable);
            known.note(address(u16::try_from(second).unwrap()), at(second), "refused");
        }
        assert_eq!(known.judge(address(99), at(5), at(6)), Silence::Unclear);
        assert_eq!(known.judge(address(99), at(5), at(7)), Silence::Believable);
    }

    #[test]
    fn old_icmp_errors_are_forgotten() {
        let known = Unreachables::default();
        let start = Instant::now();
        for port in 0..1000 {
            known.note(address(port), start, "refused");
        }
        known.note(([10, 0, 0, 2], 1).into(), start + Duration::from_mins(7), "refused");
        assert_eq!(known.0.lock().unwrap().hosts.len(), 1);
    }
}
