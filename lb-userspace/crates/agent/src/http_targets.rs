//! PURE: the targets that the proxy reaches: their states, from the configuration, verdicts and drains.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use lb_common::target::TargetState;
use lb_config::{Config, HttpTarget, HttpTargetGroup, TargetKey};
use lb_health::FIRST_PROBE_WAIT_MAX;
use lb_plan::{Health, HealthTable, Reason, TargetReport};

use super::{events::Event, transitions};

/// First verdicts are waited for as long as this many first probes may take, and never longer than
/// [`WAIT_MAX`]: the proxy goes on with what it has meanwhile.
const PROBES: u32 = 3;
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct HttpTargets {
    groups: HashSet<Arc<str>>,
    pub(super) health: HealthTable,
    /// Group by group, in the order of the configuration.
    pub(super) reports: Vec<TargetReport>,
    /// Counts changes of the reports.
    pub(super) changes: u64,
    /// Counts changes of members of scaled groups, and of addresses of names.
    pub(super) member_changes: u64,
    /// When the first verdicts are no longer waited for; `None` when they are there.
    wait_until: Option<Instant>,
}

impl HttpTargets {
    /// Those of the first configuration.
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let groups = &config.http_target_groups;
        let timeout = groups.iter().map(|group| group.health_check.timeout).max();
        let wait = timeout.map(|timeout| ((FIRST_PROBE_WAIT_MAX + timeout) * PROBES).min(WAIT_MAX));
        Self { groups: names(config), wait_until: wait.map(|wait| now + wait), ..Self::default() }
    }

    /// Whether a target is of a group that the proxy reaches.
    pub(super) fn has_group(&self, target: &TargetKey) -> bool {
        self.groups.contains(&target.group)
    }

    /// Takes another configuration over. A group with another name and the same targets and checks
    /// keeps its verdicts.
    pub(super) fn configure(&mut self, before: &Config, after: &Config) {
        self.groups = names(after);
        let gone =
            before.http_target_groups.iter().filter(|group| !self.groups.contains(&group.name));
        let gone: Vec<_> = gone.collect();
        for group in &after.http_target_groups {
            let same = |other: &&&Arc<HttpTargetGroup>| {
                other.targets == group.targets && other.health_check == group.health_check
            };
            if self.health.group(&group.name).is_none()
                && let Some(former) = gone.iter().find(same)
            {
                self.health.carry_over(&former.name, &group.name);
            }
        }
        self.forget_absent(after);
    }

    /// Members of scaled groups, or addresses of names, have come or gone.
    pub(super) fn follow_members(&mut self, config: &Config) {
        self.member_changes += 1;
        self.forget_absent(config);
    }

    fn forget_absent(&mut self, config: &Config) {
        let present: BTreeSet<TargetKey> = keys(config).collect();
        self.health.retain(|target| present.contains(target));
    }

    /// Keeps a verdict.
    pub(super) fn judge(&mut self, target: TargetKey, health: Health) {
        self.health.insert(target, health);
    }

    /// Brings the states up to date; what has happened to targets. Some are drained by a command, and
    /// members of scaled groups before they end.
    pub(super) fn update(
        &mut self,
        config: &Config,
        drained: &BTreeSet<TargetKey>,
        members: &BTreeSet<TargetKey>,
    ) -> Vec<Event> {
        let reports = config.http_target_groups.iter();
        let reports: Vec<TargetReport> =
            reports.flat_map(|group| of_group(group, &self.health, (drained, members))).collect();
        if reports == self.reports {
            return Vec::new();
        }
        let [before, after] = [&self.reports, &reports].map(|all| all.iter().collect::<Vec<_>>());
        let events = transitions::between(&before, &after);
        self.reports = reports;
        self.changes += 1;
        events
    }

    /// Whether the states are known: the first verdicts are there, or were waited for.
    pub(super) fn is_ready(&mut self, now: Instant) -> bool {
        let is_known = || self.reports.iter().all(|report| report.state != TargetState::Initial);
        if self.wait_until.is_some_and(|until| now >= until || is_known()) {
            self.wait_until = None;
        }
        self.wait_until.is_none()
    }
}

fn names(config: &Config) -> HashSet<Arc<str>> {
    config.http_target_groups.iter().map(|group| Arc::clone(&group.name)).collect()
}

/// All targets of the configuration that the proxy reaches.
pub(super) fn keys(config: &Config) -> impl Iterator<Item = TargetKey> + '_ {
    let groups = config.http_target_groups.iter();
    groups.flat_map(|group| group.targets.iter().map(|target| group.key(target)))
}

/// The targets of a group, with whether each gets requests, and its part of them by weight.
fn of_group(
    group: &HttpTargetGroup,
    health: &HealthTable,
    (drained, members): (&BTreeSet<TargetKey>, &BTreeSet<TargetKey>),
) -> Vec<TargetReport> {
    let report = |target: &HttpTarget| {
        let key = group.key(target);
        let verdict = health.get(&key);
        let (state, reason, detail) = match verdict {
            _ if drained.contains(&key) => (
                TargetState::Draining,
                Some(Reason::DeregistrationInProgress),
                "drained by `xelb target drain`".to_owned(),
            ),
            _ if members.contains(&key) => (
                TargetState::Draining,
                Some(Reason::DeregistrationInProgress),
                "a member of its scaled group that takes no new requests".to_owned(),
            ),
            Some(Health { state, reason, detail }) => (*state, *reason, detail.clone()),
            None => (TargetState::Initial, Some(Reason::InitialHealthChecking), String::new()),
        };
        TargetReport {
            key,
            id: 0,
            weight: target.weight,
            state,
            reason,
            detail,
            in_ring: false,
            leaving: false,
            until: None,
            share: 0.0,
        }
    };
    let mut reports: Vec<TargetReport> = group.targets.iter().map(report).collect();
    let healthy = reports.iter().filter(|one| one.state == TargetState::Healthy).count();
    let fails_open = !group.minimum_healthy.is_met(healthy, reports.len());
    let gets_requests = |report: &TargetReport| {
        let usable = match report.state {
            TargetState::Healthy => true,
            TargetState::Initial | TargetState::Unhealthy | TargetState::Unused => fails_open,
            TargetState::Draining => false,
        };
        usable && report.weight > 0
    };
    let sum: u32 = reports.iter().filter(|one| gets_requests(one)).map(|one| one.weight).sum();
    for report in &mut reports {
        report.in_ring = gets_requests(report);
        if report.in_ring {
            report.share = f64::from(report.weight) / f64::from(sum);
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use lb_config::parse;

    use super::*;

    pub(in super::super) fn config(groups: &str) -> Config {
        let text = format!(
            "interfaces: [eth0]\ntarget_groups:\n{groups}listeners:\n  - {{ name: shop, address: \
             203.0.113.1, port: 80, protocol: http, default_action: {{ forward: {{ target_group: \
             web }} }} }}\n"
        );
        parse(&text, "x").unwrap_or_else(|error| panic!("{error}")).1
    }

    fn group(name: &str, targets: &[(u8, u32)]) -> String {
        let targets: Vec<String> = targets
            .iter()
            .map(|(last, weight)| format!("{{ address: 10.0.0.{last}, weight: {weight} }}"))
            .collect();
        format!(
            "  - {{ name: {name}, protocol: http, port: 80, targets: [{}] }}\n",
            targets.join(", ")
        )
    }

    fn key(group: &str, last: u8) -> TargetKey {
        TargetKey { group: group.into(), address: [10, 0, 0, last].into(), port: 80 }
    }

    fn verdict(state: TargetState) -> Health {
        Health { state, reason: None, detail: String::new() }
    }

    fn shown(targets: &HttpTargets) -> Vec<String> {
        let one = |report: &TargetReport| {
            let TargetReport { key, state, in_ring, share, .. } = report;
            format!("{} {state:?} {in_ring} {share:.2}", key.place())
        };
        targets.reports.iter().map(one).collect()
    }

    #[test]
    fn states_follow_verdicts_and_drains() {
        use TargetState::{Healthy, Unhealthy};
        let config = config(&group("web", &[(1, 100), (2, 300), (3, 0)]));
        let mut targets = HttpTargets::new(&config, Instant::now());
        let mut drained = BTreeSet::new();
        let texts = |events: Vec<Event>| -> Vec<String> {
            events.iter().map(|one| format!("{}>{}", one.from, one.to)).collect()
        };
        assert_eq!(texts(targets.update(&config, &drained, &BTreeSet::new())), [">initial"; 3]);
        let open = ["10.0.0.1:80 Initial true 0.25", "10.0.0.2:80 Initial true 0.75"];
        assert_eq!(shown(&targets)[..2], open, "it fails open");
        assert_eq!(shown(&targets)[2], "10.0.0.3:80 Initial false 0.00", "weight 0");
        for last in 1..=3 {
            targets.judge(key("web", last), verdict(Healthy));
        }
        assert_eq!(
            texts(targets.update(&config, &drained, &BTreeSet::new())),
            ["initial>healthy"; 3]
        );
        assert!(targets.update(&config, &drained, &BTreeSet::new()).is_empty());
        targets.judge(key("web", 1), verdict(Unhealthy));
        assert_eq!(
            texts(targets.update(&config, &drained, &BTreeSet::new())),
            ["healthy>unhealthy"]
        );
        assert_eq!(
            shown(&targets)[..2],
            ["10.0.0.1:80 Unhealthy false 0.00", "10.0.0.2:80 Healthy true 1.00"]
        );
        drained.insert(key("web", 2));
        assert_eq!(
            texts(targets.update(&config, &drained, &BTreeSet::new())),
            ["healthy>draining"]
        );
        drained.clear();
        assert_eq!(
            texts(targets.update(&config, &drained, &BTreeSet::new())),
            ["draining>healthy"],
            "it was checked on"
        );
        let members = BTreeSet::from([key("web", 2)]);
        assert_eq!(
            texts(targets.update(&config, &drained, &members)),
            ["healthy>draining"],
            "a member ends"
        );
    }

    #[test]
    fn a_renamed_group_keeps_its_verdicts() {
        let before = config(&group("web", &[(1, 100)]));
        let mut targets = HttpTargets::new(&before, Instant::now());
        targets.judge(key("web", 1), verdict(TargetState::Healthy));
        let renamed = group("web", &[(2, 100)]) + &group("shop", &[(1, 100)]);
        let after = config(&renamed);
        targets.configure(&before, &after);
        assert!(targets.health.get(&key("shop", 1)).is_none(), "web is still there");
        let mut gone = before.clone();
        gone.http_target_groups[0] = Arc::clone(&after.http_target_groups[1]);
        targets.judge(key("shop", 1), verdict(TargetState::Healthy));
        targets.configure(&gone, &before);
        assert_eq!(targets.health.get(&key("web", 1)).unwrap().state, TargetState::Healthy);
        assert!(targets.health.get(&key("shop", 1)).is_none());
    }

    #[test]
    fn first_verdicts_are_waited_for_and_not_for_ever() {
        let config = config(&group("web", &[(1, 100)]));
        let now = Instant::now();
        let mut targets = HttpTargets::new(&config, now);
        let _events = targets.update(&config, &BTreeSet::new(), &BTreeSet::new());
        assert!(!targets.is_ready(now));
        assert!(!targets.is_ready(now + WAIT_MAX / 20));
        assert!(targets.is_ready(now + WAIT_MAX), "long enough");
        let mut targets = HttpTargets::new(&config, now);
        targets.judge(key("web", 1), verdict(TargetState::Unhealthy));
        let _events = targets.update(&config, &BTreeSet::new(), &BTreeSet::new());
        assert!(targets.is_ready(now), "a bad verdict is one, too");
    }
}
