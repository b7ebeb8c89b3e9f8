//! PURE: from a target group of the configuration to the settings of its members.

use data_encoding::HEXLOWER;
use lb_config::{Containers, Driver, Hook, Scaling, Termination, Units};
use lb_members::{
    self as members, HookResult, MemberSettings, RefreshOptions, TerminationPolicy, WarmState,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::declared::Declared;

/// Hexadecimal digits of a template's digest.
const DIGEST_DIGITS: usize = 12;

/// How the members of a group come and go.
pub(crate) fn member_settings(group: &Declared, scaling: &Scaling) -> MemberSettings {
    MemberSettings {
        group: group.name().to_string(),
        template: template(&scaling.driver),
        launch_hook: scaling.launch_hook.as_ref().map(hook),
        terminate_hook: scaling.terminate_hook.as_ref().map(hook),
        max_at_once_percent: scaling.settings.replacement.max_at_once_percent,
        termination: scaling.termination.iter().copied().map(termination).collect(),
        warm_pool: scaling.warm_pool.map(|pool| members::WarmPool {
            size: pool.size,
            state: if pool.running { WarmState::Running } else { WarmState::Stopped },
        }),
        drain_timeout: group.deregistration_delay(),
        ..MemberSettings::default()
    }
}

/// How an instance refresh of the group proceeds.
pub(crate) fn refresh_options(scaling: &Scaling) -> RefreshOptions {
    RefreshOptions {
        min_healthy_percent: scaling.min_healthy_percent,
        max_at_once_percent: scaling.settings.replacement.max_at_once_percent,
        ..RefreshOptions::default()
    }
}

/// What a driver creates members from.
pub(crate) fn parameters(driver: &Driver) -> Map<String, Value> {
    let document = match driver {
        Driver::Exec { parameters, .. } | Driver::Webhook { parameters, .. } => parameters,
        Driver::Static { .. } => return Map::new(),
        Driver::Systemd(units) => return of_units(units),
        Driver::Docker(containers) => return of_containers(containers),
    };
    match serde_json::to_value(document) {
        Ok(Value::Object(parameters)) => parameters,
        _ => Map::new(),
    }
}

/// Which ports they get is no part of the template.
fn of_units(units: &Units) -> Map<String, Value> {
    map([("unit", json!(units.unit)), ("revision", json!(units.revision))])
}

fn of_containers(containers: &Containers) -> Map<String, Value> {
    let Containers { image, port, network, command, environment, memory_bytes, revision, .. } =
        containers;
    map([
        ("image", json!(image)),
        ("port", json!(port)),
        ("network", json!(network)),
        ("command", json!(command)),
        ("environment", json!(environment)),
        ("memory_bytes", json!(memory_bytes)),
        ("revision", json!(revision)),
    ])
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The digest of what members are created from. Another program or server that creates the same
/// members is no other template.
fn template(driver: &Driver) -> String {
    // Keys are in order.
    let text = Value::Object(parameters(driver)).to_string();
    let mut digest = HEXLOWER.encode(&Sha256::digest(text));
    digest.truncate(DIGEST_DIGITS);
    digest
}

fn hook(hook: &Hook) -> members::Hook {
    let default = if hook.continues { HookResult::Continue } else { HookResult::Abandon };
    members::Hook { timeout: hook.timeout, default }
}

const fn termination(policy: Termination) -> TerminationPolicy {
    match policy {
        Termination::LeastFlows => TerminationPolicy::LeastFlows,
        Termination::Newest => TerminationPolicy::Newest,
        Termination::Oldest => TerminationPolicy::Oldest,
        Termination::OldTemplate => TerminationPolicy::OldTemplate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(change: (&str, &str)) -> Declared {
        let text = "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    attributes: { deregistration_delay: 20s }
    scaling:
      min: 1
      max: 4
      driver: { exec: { program: /bin/driver, parameters: { size: small, count: 1 } } }
      replacement: { max_at_once: 25%, min_healthy: 80% }
      hooks: { launch: { program: /bin/true, timeout: 5s, default: continue } }
"
        .replace(change.0, change.1);
        let (_, config, _) = lb_config::parse(&text, "").unwrap_or_else(|error| panic!("{error}"));
        Declared::Packets(config.target_groups[0].clone())
    }

    #[test]
    fn settings_of_members_follow_the_group() {
        let group = group(("", ""));
        let scaling = group.scaling().unwrap();
        let settings = member_settings(&group, scaling);
        assert_eq!((settings.max_at_once_percent, settings.drain_timeout.as_secs()), (25, 20));
        let launch = settings.launch_hook.unwrap();
        assert_eq!((launch.timeout.as_secs(), launch.default), (5, HookResult::Continue));
        let options = refresh_options(scaling);
        assert_eq!((options.min_healthy_percent, options.max_at_once_percent), (80, 25));
    }

    #[test]
    fn only_parameters_change_the_template() {
        let of = |change| {
            let group = group(change);
            member_settings(&group, group.scaling().unwrap()).template
        };
        let before = of(("", ""));
        assert_eq!(before.len(), DIGEST_DIGITS);
        assert_eq!(of(("size: small, count: 1", "count: 1, size: small")), before);
        assert_eq!(of(("/bin/driver", "/bin/other")), before);
        assert_ne!(of(("size: small", "size: large")), before);
    }

    /// Where containers run, and how they are stopped, is no part of them.
    #[test]
    fn the_template_of_containers_and_units() {
        let exec = "exec: { program: /bin/driver, parameters: { size: small, count: 1 } }";
        let of = |driver: &str| {
            let group = group((exec, driver));
            member_settings(&group, group.scaling().unwrap()).template
        };
        let containers = of("docker: { image: web:1 }");
        for same in ["socket: /run/podman.sock", "stop_timeout: 1s", "port: 80"] {
            assert_eq!(of(&format!("docker: {{ image: web:1, {same} }}")), containers, "{same}");
        }
        let others =
            ["port: 81", "network: a", "command: [a]", "environment: { A: a }", "memory_bytes: 1"];
        for other in others.into_iter().chain(["revision: a"]) {
            assert_ne!(of(&format!("docker: {{ image: web:1, {other} }}")), containers, "{other}");
        }
        let units = |keys: &str| {
            of(&format!("systemd: {{ unit: app@.service, addresses: [10.0.0.5], {keys} }}"))
        };
        assert_eq!(units("ports: [80, 81]"), units("ports: [80, 89]"));
        assert_ne!(units("ports: [80, 81]"), units("ports: [80, 81], revision: b"));
    }
}
