//! PURE: listeners of the proxy that a change would leave without targets.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use lb_common::target::TargetState;
use lb_config::{Config, HttpListener, HttpTargetGroup, TargetKey};
use lb_plan::TargetReport;

/// What a group can do for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    /// No target gets any.
    None,
    /// Only targets that are known to be unhealthy.
    FailOpen,
    /// A target that is healthy, or not checked yet.
    Full,
}

/// Listeners that lose the last healthy target of a group, or the last one that gets requests, by a change
/// of the configuration or of drains; as texts.
pub(super) fn left_without_targets(
    (before, drained_before): (&Config, &BTreeSet<TargetKey>),
    (after, drained_after): (&Config, &BTreeSet<TargetKey>),
    reports: &[TargetReport],
) -> Vec<String> {
    let unhealthy = reports.iter().filter(|report| report.state == TargetState::Unhealthy);
    let unhealthy: HashSet<&TargetKey> = unhealthy.map(|report| &report.key).collect();
    let had = services(before, drained_before, &unhealthy);
    let has = services(after, drained_after, &unhealthy);
    let listeners = before.http_listeners.iter();
    let known: HashMap<&str, &Arc<HttpListener>> =
        listeners.map(|listener| (listener.name.as_str(), listener)).collect();
    let mut left = Vec::new();
    for listener in &after.http_listeners {
        let Some(previous) = known.get(listener.name.as_str()) else { continue };
        let previous: BTreeSet<&str> = previous.target_groups().collect();
        for name in listener.target_groups().collect::<BTreeSet<_>>() {
            let of = |all: &HashMap<&str, Service>| all.get(name).copied();
            let now = of(&has).unwrap_or(Service::None);
            let loses = if previous.contains(name) {
                of(&had).is_some_and(|then| now < then)
            } else {
                now == Service::None
            };
            if loses {
                let group = after.http_target_groups.iter().find(|group| *group.name == *name);
                let count = group.map_or(0, |group| group.targets.len());
                left.push(format!(
                    "listener {}: its target group {name} {}",
                    listener.name,
                    why(count, now)
                ));
            }
        }
    }
    left
}

fn why(count: usize, now: Service) -> String {
    match (count, now) {
        (0, _) => "has no targets".to_owned(),
        (1, Service::None) => "has one target, which takes no requests".to_owned(),
        (count, Service::None) => format!("has {count} targets, none of which takes requests"),
        (1, _) => "has one target, which is not healthy".to_owned(),
        (count, _) => format!("has {count} targets, none of which is healthy"),
    }
}

fn services<'config>(
    config: &'config Config,
    drained: &BTreeSet<TargetKey>,
    unhealthy: &HashSet<&TargetKey>,
) -> HashMap<&'config str, Service> {
    let service = |group: &HttpTargetGroup| {
        let targets = group.targets.iter().filter(|target| target.weight > 0);
        let keys =
            targets.filter_map(|target| group.key(target)).filter(|key| !drained.contains(key));
        let of_target = |key: TargetKey| {
            if unhealthy.contains(&key) { Service::FailOpen } else { Service::Full }
        };
        keys.map(of_target).max().unwrap_or(Service::None)
    };
    config.http_target_groups.iter().map(|group| (&*group.name, service(group))).collect()
}

#[cfg(test)]
mod tests {
    use lb_config::parse;
    use lb_plan::Reason;

    use super::*;

    fn config(targets: &str, group: &str) -> Config {
        let text = format!(
            "interfaces: [eth0]\ntarget_groups:\n  - {{ name: web, protocol: http, port: 80, targets: \
             [{targets}] }}\n  - {{ name: empty, protocol: http, port: 80, targets: [] }}\nlisteners:\n  \
             - {{ name: shop, address: 203.0.113.1, port: 80, protocol: http, default_action: {{ \
             forward: {{ target_group: {group} }} }} }}\n"
        );
        parse(&text, "x").unwrap_or_else(|error| panic!("{error}")).1
    }

    fn report(last: u8, state: TargetState) -> TargetReport {
        TargetReport {
            key: TargetKey { group: "web".into(), address: [10, 0, 0, last].into(), port: 80 },
            id: 0,
            weight: 100,
            state,
            reason: Some(Reason::Timeout),
            detail: String::new(),
            in_ring: false,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    #[test]
    fn the_last_target_of_a_listener_is_guarded() {
        use TargetState::{Healthy, Unhealthy};
        let both = "{ address: 10.0.0.1 }, { address: 10.0.0.2 }";
        for (targets, group, drains, second, expected) in [
            (both, "web", &[][..], Healthy, ""),
            (both, "web", &[2], Healthy, ""),
            (both, "web", &[1, 2], Healthy, "web has 2 targets, none of which takes requests"),
            (both, "web", &[1], Unhealthy, "web has 2 targets, none of which is healthy"),
            (both, "web", &[2], Unhealthy, ""),
            ("{ address: 10.0.0.1 }", "web", &[], Healthy, ""),
            (
                "{ address: 10.0.0.2 }",
                "web",
                &[],
                Unhealthy,
                "web has one target, which is not healthy",
            ),
            (
                "{ address: 10.0.0.1, weight: 0 }",
                "web",
                &[],
                Healthy,
                "web has one target, which takes no requests",
            ),
            ("", "web", &[], Healthy, "web has no targets"),
            (both, "empty", &[], Healthy, "empty has no targets"),
            ("{ address: 10.0.0.9 }", "web", &[], Healthy, ""),
        ] {
            let reports = [report(1, Healthy), report(2, second)];
            let drained = drains.iter().map(|last| report(*last, Healthy).key).collect();
            let (before, after) = (config(both, "web"), config(targets, group));
            let left =
                left_without_targets((&before, &BTreeSet::new()), (&after, &drained), &reports);
            let text = left.join(" ");
            let expected = if expected.is_empty() {
                String::new()
            } else {
                format!("listener shop: its target group {expected}")
            };
            assert_eq!(text, expected, "{targets} {group} {drains:?}");
        }
    }
}
