//! PURE: from counters of targets to metrics of a group, and to the proof that a target is idle.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use lb_scale::{Moment, Reading, Sample, Samples};

use crate::{
    observed::{GroupSeen, TargetTraffic},
    requests::{RequestRates, per_second},
};

/// Work of a group in packets a second.
pub(crate) const PACKETS: &str = "packets_per_target";
/// Work of a group in bytes a second.
pub(crate) const BYTES: &str = "bytes_per_target";

/// Work of a group in requests a second.
pub(crate) const REQUESTS: &str = "requests_per_target";

/// What is remembered of the counters of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampler {
    /// When work was last counted, and from what.
    base: BTreeMap<SocketAddr, TargetTraffic>,
    since: Option<Moment>,
    /// When each target got its last packet, as far as that was seen.
    last_packet: BTreeMap<SocketAddr, (u64, Moment)>,
    requests: RequestRates,
}

impl Sampler {
    /// Whether there is a target whose work cannot be counted yet.
    pub(crate) fn misses(&self, target: &SocketAddr) -> bool {
        !self.base.contains_key(target)
    }

    /// Notes counters.
    pub(crate) fn note(&mut self, seen: &GroupSeen, now: Moment) {
        if let Some(requests) = &seen.requests {
            self.requests.note(requests);
            return;
        }
        self.base.retain(|target, _| seen.targets.contains_key(target));
        self.last_packet.retain(|target, _| seen.targets.contains_key(target));
        for (target, one) in &seen.targets {
            let Some(traffic) = one.traffic else { continue };
            // A new target had nothing before: its work counts from here.
            self.base.entry(*target).or_insert(traffic);
            let last = self.last_packet.entry(*target).or_insert((traffic.packets, now));
            if last.0 != traffic.packets {
                *last = (traffic.packets, now);
            }
        }
    }

    /// For how long a target was seen without a packet.
    pub(crate) fn idle(&self, target: &SocketAddr, now: Moment) -> Duration {
        self.last_packet.get(target).map_or(Duration::ZERO, |(_, since)| now.since(since))
    }

    /// A target drains from now on: what was seen before proves nothing.
    pub(crate) fn watch(&mut self, target: &SocketAddr) {
        self.last_packet.remove(target);
    }

    /// The work since the last sample, a second.
    pub(crate) fn sample(&mut self, seen: &GroupSeen, now: Moment) -> Samples {
        let since = self.since.replace(now);
        let elapsed = since.map(|since| now.since(&since)).filter(|elapsed| !elapsed.is_zero());
        if let Some(requests) = &seen.requests {
            return [(REQUESTS.to_owned(), self.requests.sample(requests, elapsed))].into();
        }
        let reading = |sample| Reading::Total { sample, saturated: false };
        if let Some(error) = &seen.unread {
            // What was counted meanwhile is not known: the next sample begins anew.
            self.since = None;
            return [PACKETS, BYTES]
                .map(|name| (name.to_owned(), reading(Sample::Error(error.clone()))))
                .into();
        }
        let mut total = TargetTraffic::default();
        for (target, one) in &seen.targets {
            let Some(traffic) = one.traffic else { continue };
            let base = self.base.insert(*target, traffic).unwrap_or(traffic);
            // A smaller number is another entry's: it began at 0.
            let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
            total.packets = total.packets.saturating_add(since(traffic.packets, base.packets));
            total.bytes = total.bytes.saturating_add(since(traffic.bytes, base.bytes));
        }
        let rate = |count: u64| match elapsed {
            Some(elapsed) => Sample::Value(per_second(count, elapsed)),
            None => Sample::Empty,
        };
        [(PACKETS, total.packets), (BYTES, total.bytes)]
            .map(|(name, count)| (name.to_owned(), reading(rate(count))))
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::TargetSeen;

    fn at(seconds: u64) -> Moment {
        let boot = Duration::from_secs(seconds);
        Moment { boot_id: 1, boot, wall: jiff::Timestamp::UNIX_EPOCH }
    }

    fn seen(counts: &[(&str, u64)]) -> GroupSeen {
        let target = |(target, packets): &(&str, u64)| {
            let traffic = Some(TargetTraffic { packets: *packets, bytes: packets * 100 });
            (target.parse().unwrap(), TargetSeen { traffic, ..TargetSeen::default() })
        };
        GroupSeen { targets: counts.iter().map(target).collect(), ..GroupSeen::default() }
    }

    fn packets(samples: &Samples) -> Sample {
        let Reading::Total { sample, .. } = &samples[PACKETS] else { panic!() };
        sample.clone()
    }

    #[test]
    fn work_is_counted_between_samples() {
        let (one, two) = ("10.0.0.1:80", "10.0.0.2:80");
        let mut sampler = Sampler::default();
        let first = sampler.sample(&seen(&[(one, 5000)]), at(0));
        assert_eq!(packets(&first), Sample::Empty, "since when is not known");
        let second = sampler.sample(&seen(&[(one, 6000)]), at(10));
        assert_eq!(packets(&second), Sample::Value(100.0));
        // What a new target had before is not of this group.
        sampler.note(&seen(&[(one, 6000), (two, 70)]), at(11));
        let third = sampler.sample(&seen(&[(one, 6500), (two, 570)]), at(20));
        assert_eq!(packets(&third), Sample::Value(100.0));
        // The entry of a target was made anew, and one is gone.
        let fourth = sampler.sample(&seen(&[(one, 300)]), at(30));
        assert_eq!(packets(&fourth), Sample::Value(30.0));
        assert!(sampler.misses(&two.parse().unwrap()) || sampler.base.len() == 2);
    }

    #[test]
    fn counters_that_cannot_be_read_are_no_load_of_zero() {
        let mut sampler = Sampler::default();
        let _first = sampler.sample(&seen(&[("10.0.0.1:80", 5000)]), at(0));
        let unread = GroupSeen { unread: Some("no map".to_owned()), ..GroupSeen::default() };
        assert_eq!(packets(&sampler.sample(&unread, at(10))), Sample::Error("no map".to_owned()));
        let after = sampler.sample(&seen(&[("10.0.0.1:80", 9000)]), at(20));
        assert_eq!(packets(&after), Sample::Empty);
    }

    #[test]
    fn a_target_is_idle_since_its_last_packet() {
        let target: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let mut sampler = Sampler::default();
        for (second, count) in [(0, 5), (1, 6), (2, 6), (30, 6)] {
            sampler.note(&seen(&[("10.0.0.1:80", count)]), at(second));
        }
        assert_eq!(sampler.idle(&target, at(31)), Duration::from_secs(30));
        sampler.watch(&target);
        assert_eq!(sampler.idle(&target, at(32)), Duration::ZERO);
        sampler.note(&seen(&[("10.0.0.1:80", 6)]), at(33));
        assert_eq!(sampler.idle(&target, at(40)), Duration::from_secs(7));
    }
}
