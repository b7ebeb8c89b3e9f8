//! PURE: what is wrong with the targets of groups that the proxy reaches, as far as listeners use them.

use std::collections::BTreeSet;

use lb_common::target::TargetState;
use lb_config::{Config, HttpGroupProtocol, HttpTargetGroup};
use lb_plan::{
    TargetReport,
    warning::{Warning, WarningKind},
};

/// One at most for each group.
pub(super) fn warnings(config: &Config, reports: &[TargetReport]) -> Vec<Warning> {
    let used: BTreeSet<&str> = config.groups_of_proxied().flat_map(|(_, groups)| groups).collect();
    let groups = config.http_target_groups.iter().filter(|group| used.contains(&*group.name));
    groups.filter_map(|group| of_group(group, reports)).collect()
}

fn of_group(group: &HttpTargetGroup, reports: &[TargetReport]) -> Option<Warning> {
    let name = &group.name;
    let targets = || reports.iter().filter(|report| report.key.group == *name);
    let count =
        |wanted: &dyn Fn(&TargetReport) -> bool| targets().filter(|one| wanted(one)).count();
    let healthy = count(&|one| one.state == TargetState::Healthy);
    let open = count(&|one| one.in_ring && one.state == TargetState::Unhealthy);
    let all = targets().count();
    let harm = group.unserved();
    let what = match group.protocol {
        HttpGroupProtocol::Tcp => "connections",
        HttpGroupProtocol::Http | HttpGroupProtocol::Https | HttpGroupProtocol::Grpc => "requests",
    };
    let (kind, text) = if all == 0 {
        (WarningKind::GroupWithoutTargets, format!("no targets; {harm}"))
    } else if count(&|one| one.in_ring) == 0 {
        let draining = count(&|one| one.state == TargetState::Draining);
        let text = format!("none of {all} targets gets {what}, {draining} of them drain; {harm}");
        (WarningKind::NoTargetInService, text)
    } else if open == 0 {
        return None;
    } else if healthy == 0 {
        let text = format!("no target is healthy; failing open to {open} unhealthy ones");
        (WarningKind::FailOpen, text)
    } else {
        let text = format!(
            "{healthy} of {all} targets are healthy, fewer than minimum_healthy_targets; failing open \
             to {open} unhealthy ones"
        );
        (WarningKind::FailOpen, text)
    };
    Some(Warning::new(kind, &**name, format!("target group {name}: {text}")))
}

#[cfg(test)]
mod tests {
    use lb_config::{TargetKey, parse};

    use super::*;

    fn config() -> Config {
        let text = "interfaces: [eth0]
target_groups:
  - { name: web, protocol: http, port: 80, targets: [] }
  - { name: idle, protocol: http, port: 80, targets: [] }
listeners:
  - { name: shop, address: 203.0.113.1, port: 80, protocol: http, default_action: { forward: { target_group: web } } }
";
        parse(text, "x").unwrap_or_else(|error| panic!("{error}")).1
    }

    #[test]
    fn groups_of_listeners_of_tls_are_used_as_well() {
        let text = "interfaces: [eth0]
target_groups:
  - { name: web, protocol: tcp, port: 80, targets: [] }
listeners:
  - { name: shop, address: 203.0.113.1, port: 443, protocol: tls, certificates: [{ certificate: /c, key: /k }], default_action: { forward: { target_group: web } } }
";
        let config = parse(text, "x").unwrap_or_else(|error| panic!("{error}")).1;
        let found = warnings(&config, &[]);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["target group web: no targets; connections to it are reset"]);
    }

    fn report(last: u8, (state, in_ring): (TargetState, bool)) -> TargetReport {
        TargetReport {
            key: TargetKey { group: "web".into(), address: [10, 0, 0, last].into(), port: 80 },
            id: 0,
            weight: 100,
            state,
            reason: None,
            detail: String::new(),
            in_ring,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    #[test]
    fn each_trouble_of_a_used_group_is_a_warning() {
        use TargetState::{Draining, Healthy, Initial, Unhealthy};
        for (targets, expected) in [
            (
                &[][..],
                "group_without_targets target group web: no targets; requests to it get status 503",
            ),
            (&[(Healthy, true), (Unhealthy, false)], ""),
            (&[(Initial, true), (Initial, true)], ""),
            (
                &[(Unhealthy, true), (Unhealthy, true)],
                "fail_open target group web: no target is healthy; failing open to 2 unhealthy ones",
            ),
            (
                &[(Healthy, true), (Unhealthy, true)],
                "fail_open target group web: 1 of 2 targets are healthy, fewer than \
                 minimum_healthy_targets; failing open to 1 unhealthy ones",
            ),
            (
                &[(Draining, false), (Healthy, false)],
                "no_target_in_service target group web: none of 2 targets gets requests, 1 of them \
                 drain; requests to it get status 503",
            ),
        ] {
            let reports: Vec<_> =
                (1..).zip(targets).map(|(last, one)| report(last, *one)).collect();
            let found = warnings(&config(), &reports);
            let found: Vec<String> =
                found.iter().map(|one| format!("{} {one}", one.kind.name())).collect();
            assert_eq!(found.join("; "), expected, "{targets:?}");
        }
    }
}
