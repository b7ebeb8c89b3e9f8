//! What proxies say of requests, for scaled groups: how many their groups get, and how many the targets
//! still have that drain.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lb_config::TargetKey;
use lb_scaling::ProxyRequests;

use super::{GroupRequests, Proxies, ProxyReport, Publisher};

/// A proxy reports every 5 s; one that has missed a report is silent.
const SILENT: Duration = Duration::from_secs(8);

/// What is needed of a report.
struct Said<T> {
    proxy: (String, u32),
    age: Duration,
    uptime: Duration,
    what: T,
}

impl<T> Said<T> {
    /// Whether another process has taken its place: it has the same name, and started after this one
    /// said its last word.
    fn is_replaced(&self, all: &[Self]) -> bool {
        all.iter().any(|other| {
            other.proxy.0 == self.proxy.0
                && other.proxy.1 != self.proxy.1
                && other.age + other.uptime < self.age
        })
    }

    const fn is_silent(&self) -> bool {
        self.age.as_nanos() >= SILENT.as_nanos()
    }
}

impl Proxies {
    /// What the processes have said last that are there, or may be.
    fn said<T>(&self, now: Instant, take: impl Fn(&ProxyReport) -> T) -> Vec<Said<T>> {
        let mut all = self.reports(now, |report, age| Said {
            proxy: (report.name.clone(), report.pid),
            age,
            uptime: Duration::from_millis(report.uptime_ms),
            what: take(report),
        });
        let replaced: Vec<bool> = all.iter().map(|said| said.is_replaced(&all)).collect();
        let mut replaced = replaced.into_iter();
        all.retain(|_| !replaced.next().unwrap_or_default());
        all
    }

    /// What proxies say of these groups, by group. Each of them is there.
    pub(crate) fn requests(
        &self,
        groups: &[&str],
        now: Instant,
    ) -> BTreeMap<String, Vec<ProxyRequests>> {
        let mut of_groups: BTreeMap<String, Vec<ProxyRequests>> =
            groups.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        let take = |report: &ProxyReport| -> Vec<GroupRequests> {
            let of = report.groups.iter().filter(|group| of_groups.contains_key(&group.name));
            of.cloned().collect()
        };
        for said in self.said(now, take) {
            for GroupRequests { name, requests } in &said.what {
                if let Some(of_group) = of_groups.get_mut(name) {
                    of_group.push(ProxyRequests {
                        proxy: said.proxy.clone(),
                        requests: *requests,
                        uptime: said.uptime,
                        is_silent: said.is_silent(),
                    });
                }
            }
        }
        of_groups
    }

    /// Requests that a target still has while it drains; `None` unless all proxies that are there have
    /// said so since they know of the drain.
    pub(crate) fn requests_of_draining(
        &self,
        target: &TargetKey,
        publisher: &Publisher,
        now: Instant,
    ) -> Option<u64> {
        let since = publisher.draining_since(target)?;
        self.outstanding(target, since, now)
    }

    /// The same for a drain that proxies know of since a version.
    fn outstanding(&self, target: &TargetKey, since: u64, now: Instant) -> Option<u64> {
        let place = (target.address, target.port).into();
        let take = |report: &ProxyReport| {
            let mut draining = report.draining.iter().filter(|_| report.version >= since);
            let one = draining.find(|one| one.group == *target.group && one.target == place);
            one.map(|one| one.requests)
        };
        let all = self.said(now, take);
        if all.is_empty() {
            return None;
        }
        all.iter().map(|said| said.what.filter(|_| !said.is_silent())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::DrainingTarget, *};

    fn report(pid: u32, requests: u64, uptime: u64) -> ProxyReport {
        let groups = vec![GroupRequests { name: "web".to_owned(), requests }];
        let uptime_ms = uptime * 1000;
        ProxyReport { name: "edge".to_owned(), pid, groups, uptime_ms, ..ProxyReport::default() }
    }

    fn shown(proxies: &Proxies, now: Instant) -> Vec<(u32, u64, bool)> {
        let mut found = proxies.requests(&["web", "none"], now);
        assert_eq!(found["none"], []);
        let of = |one: ProxyRequests| (one.proxy.1, one.requests, one.is_silent);
        found.remove("web").unwrap().into_iter().map(of).collect()
    }

    #[test]
    fn a_proxy_that_was_restarted_is_not_missing() {
        let (proxies, start) = (Proxies::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        assert_eq!(shown(&proxies, start), []);
        proxies.report_at(report(1, 100, 60), start);
        assert_eq!(shown(&proxies, at(1)), [(1, 100, false)]);
        assert_eq!(shown(&proxies, at(8)), [(1, 100, true)], "it should have said something");
        proxies.report_at(report(2, 3, 1), at(3));
        assert_eq!(
            shown(&proxies, at(3)),
            [(2, 3, false)],
            "it began after the last word of the other"
        );
        // During an upgrade both serve.
        proxies.report_at(report(1, 120, 63), at(3));
        assert_eq!(shown(&proxies, at(4)), [(1, 120, false), (2, 3, false)]);
    }

    /// What was said before a proxy knew of the drain proves nothing, nor does silence.
    #[test]
    fn a_target_is_idle_when_all_proxies_say_so_that_know_of_the_drain() {
        let target = TargetKey { group: "web".into(), address: [10, 0, 0, 1].into(), port: 80 };
        let drains = |pid, version, requests, uptime| {
            let place = (target.address, target.port).into();
            let one = DrainingTarget { group: "web".to_owned(), target: place, requests };
            ProxyReport { version, draining: vec![one], ..report(pid, 0, uptime) }
        };
        let (proxies, start) = (Proxies::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        let idle = |second| proxies.outstanding(&target, 7, at(second));
        assert_eq!(idle(0), None, "there is no proxy");
        proxies.report_at(drains(1, 6, 0, 60), at(0));
        assert_eq!(idle(0), None, "it does not know of this drain yet");
        proxies.report_at(drains(1, 7, 2, 61), at(1));
        assert_eq!(idle(1), Some(2));
        proxies.report_at(report(2, 0, 50), at(2));
        assert_eq!(idle(2), None, "another one has not said it");
        proxies.report_at(drains(2, 8, 0, 51), at(3));
        proxies.report_at(drains(1, 8, 0, 63), at(3));
        assert_eq!(idle(3), Some(0));
        proxies.report_at(drains(2, 8, 0, 58), at(10));
        assert_eq!(idle(11), None, "the first one is silent");
        proxies.report_at(drains(3, 8, 0, 1), at(12));
        assert_eq!(idle(12), Some(0), "it was restarted");
    }
}
