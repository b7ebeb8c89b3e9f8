//! What a proxy tells its agent of requests: how many each group has got, and how many the targets still
//! have that drain.

use std::time::{Duration, Instant};

use lb_agent::{DrainingTarget, GroupRequests, ProxyReport};
use lb_proxy_control::{Monitor, Observed};

/// Targets that drain which a report has; the agent waits for others until their delay is over.
const DRAINING_MAX: usize = 1000;

/// Looks at the proxy of this process.
pub(super) struct Observer {
    monitor: Monitor,
    start: Instant,
}

impl Observer {
    pub(super) fn new(monitor: Monitor) -> Self {
        Self { monitor, start: Instant::now() }
    }

    /// A report with what is counted now.
    pub(super) fn add_to(&self, report: ProxyReport) -> ProxyReport {
        of(&self.monitor.observe(), self.start.elapsed(), report)
    }
}

fn of(observed: &Observed, uptime: Duration, report: ProxyReport) -> ProxyReport {
    let groups = observed.state.groups.iter().map(|group| {
        let requests = observed.requests_of(&group.name);
        GroupRequests { name: group.name.clone(), requests }
    });
    let draining = observed.state.groups.iter().flat_map(|group| {
        group.draining.iter().map(|target| {
            let requests = observed.outstanding_of(&group.name, *target);
            DrainingTarget { group: group.name.clone(), target: *target, requests }
        })
    });
    ProxyReport {
        uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        groups: groups.collect(),
        draining: draining.take(DRAINING_MAX).collect(),
        ..report
    }
}

#[cfg(test)]
mod tests {
    use lb_proxy_control::GroupState;

    use super::*;

    #[test]
    fn groups_and_draining_targets_are_reported_before_their_first_request() {
        let group = |name: &str, draining| GroupState {
            name: name.to_owned(),
            targets: 2,
            healthy: 1,
            draining,
        };
        let mut observed = Observed::default();
        let target = ([10, 0, 0, 1], 80).into();
        observed.state.groups = vec![group("web", vec![target]), group("none", Vec::new())];
        let report = of(&observed, Duration::from_secs(3), ProxyReport::default());
        let names: Vec<(&str, u64)> =
            report.groups.iter().map(|group| (group.name.as_str(), group.requests)).collect();
        assert_eq!(names, [("web", 0), ("none", 0)]);
        let web = DrainingTarget { group: "web".to_owned(), target, requests: 0 };
        assert_eq!((report.uptime_ms, report.draining), (3000, vec![web.clone()]));
        let sums = observed.metrics.targets.entry(("web".to_owned(), target)).or_default();
        sums.outstanding = 4;
        let report = of(&observed, Duration::ZERO, ProxyReport::default());
        assert_eq!(report.draining, [DrainingTarget { requests: 4, ..web }]);
    }
}
