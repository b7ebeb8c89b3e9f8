//! PURE: listeners of the proxy that a change would leave without targets.

use std::collections::{BTreeSet, HashMap, HashSet};

use lb_common::target::TargetState;
use lb_config::{Config, HttpGroupProtocol, HttpTargetGroup, TargetKey};
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
    let known: HashMap<&str, Vec<&str>> = before.groups_of_proxied().collect();
    let mut left = Vec::new();
    for (listener, groups) in after.groups_of_proxied() {
        let Some(previous) = known.get(listener) else { continue };
        for name in groups.into_iter().collect::<BTreeSet<_>>() {
            let of = |all: &HashMap<&str, Service>| all.get(name).copied();
            let now = of(&has).unwrap_or(Service::None);
            let loses = if previous.contains(&name) {
                of(&had).is_some_and(|then| now < then)
            } else {
                now == Service::None
            };
            if loses {
                let group = after.http_target_groups.iter().find(|group| *group.name == *name);
                let count = group.map_or(0, |group| group.targets.len());
                let takes = match group.map(|group| group.protocol) {
                    Some(HttpGroupProtocol::Tcp) => "connections",
                    _ => "requests",
                };
                let why = why(count, now, takes);
                left.push(format!("listener {listener}: its target group {name} {why}"));
            }
        }
    }
    left
}

fn why(count: usize, now: Service, takes: &str) -> String {
    match (count, now) {
        (0, _) => "has no targets".to_owned(),
        (1, Service::None) => format!("has one target, which takes no {takes}"),
        (count, Service::None) => format!("has {count} targets, none of which takes {takes}"),
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
        let keys = targets.map(|target| group.key(target)).filter(|key| !drained.contains(key));
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
        config_of("http", "", targets, group)
    }

    /// With listener `shop` of this protocol.
    fn config_of(protocol: &str, tls: &str, targets: &str, group: &str) -> Config {
        let of_group = if protocol == "tls" { "tcp" } else { protocol };
        let text = format!(
            "interfaces: [eth0]\ntarget_groups:\n  - {{ name: web, protocol: {of_group}, port: 80, targets: \
             [{targets}] }}\n  - {{ name: empty, protocol: {of_group}, port: 80, targets: [] }}\nlisteners:\n  \
             - {{ name: shop, address: 203.0.113.1, port: 80, protocol: {protocol}, {tls} default_action: {{ \
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

    #[test]
    fn the_last_target_of_a_listener_of_tls_is_guarded() {
        let of = |targets: &str| {
            let tls = "certificates: [{ certificate: /c, key: /k }],";
            config_of("tls", tls, targets, "web")
        };
        let both = "{ address: 10.0.0.1 }, { address: 10.0.0.2 }";
        let reports = [report(1, TargetState::Healthy), report(2, TargetState::Healthy)];
        for (drains, expected) in [
            (&[1][..], ""),
            (
                &[1, 2],
                "listener shop: its target group web has 2 targets, none of which takes connections",
            ),
        ] {
            let drained = drains.iter().map(|last| report(*last, TargetState::Healthy).key);
            let after = (&of(both), &drained.collect());
            let left = left_without_targets((&of(both), &BTreeSet::new()), after, &reports);
            assert_eq!(left.join(" "), expected, "{drains:?}");
        }
    }
}
