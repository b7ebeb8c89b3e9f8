//! PURE: objects in service that a configuration leaves out. `apply` removes them only with `--prune`:
//! a file that is not complete must not take listeners out of service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use lb_config::{Config, HttpListener, Ports, TargetKey};
use lb_plan::{Renamed, TargetReport};

use super::Refusal;

/// Objects that a message names.
const NAMED_MAX: usize = 20;

/// A listener, as clients see it.
type Endpoint = (String, String, String);

/// The objects, as texts: listeners, rules of listeners that stay, target groups that a listener
/// forwards to, and targets that take flows. A listener with another name at the same address and
/// port is the same listener, and so is one with the same name; a renamed group is the same group.
pub(super) fn left_out(
    before: &Config,
    after: &Config,
    renamed: &[Renamed],
    targets: &[&TargetReport],
) -> Vec<String> {
    let mut missing = listeners(before, after);
    missing.extend(rules(before, after));
    let names: BTreeMap<&str, &str> = renamed.iter().map(|one| (&*one.from, &*one.to)).collect();
    let groups = group_names(after);
    let name_now = |name: &'_ str| names.get(name).copied().unwrap_or(name).to_owned();
    let gone = |name: &str| !groups.contains(&*name_now(name));
    let used: BTreeSet<&str> = used_groups(before);
    let known = group_names(before);
    missing.extend(
        used.into_iter()
            .filter(|name| known.contains(name) && gone(name))
            .map(|name| format!("target group {name}")),
    );
    let kept: BTreeSet<TargetKey> = after
        .target_groups
        .iter()
        .flat_map(|group| {
            group.targets.iter().map(|target| TargetKey {
                group: group.name.clone(),
                address: target.address,
                port: target.port,
            })
        })
        .collect();
    let leaves = targets.iter().filter(|report| report.in_ring && !report.leaving);
    let leaves = leaves.filter(|report| !gone(&report.key.group)).filter(|report| {
        let key = TargetKey { group: name_now(&report.key.group).into(), ..report.key.clone() };
        !kept.contains(&key)
    });
    missing.extend(leaves.map(|report| format!("target {}", report.key)));
    missing
}

/// Refuses a configuration that leaves these objects out.
pub(super) fn permit(left_out: &[String]) -> Result<(), Refusal> {
    if left_out.is_empty() {
        return Ok(());
    }
    let mut named: Vec<&str> = left_out.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = left_out.len().saturating_sub(NAMED_MAX);
    let more = format!("and {more} more");
    if left_out.len() > NAMED_MAX {
        named.push(&more);
    }
    Err(Refusal::Harmful(format!(
        "this configuration leaves out what is in service:\n  {}\nnothing was changed; `--prune` \
         removes what is left out, and `xelb get config -o yaml` prints the complete configuration",
        named.join("\n  ")
    )))
}

fn listeners(before: &Config, after: &Config) -> Vec<String> {
    let kept = endpoints(after);
    let names: BTreeSet<&str> = kept.iter().map(|(name, _)| *name).collect();
    let places: BTreeSet<&Endpoint> = kept.iter().map(|(_, place)| place).collect();
    endpoints(before)
        .into_iter()
        .filter(|(name, place)| !names.contains(name) && !places.contains(place))
        .map(|(name, (address, port, protocol))| {
            format!("listener {name} ({protocol}, address {address}, port {port})")
        })
        .collect()
}

/// Names of all listeners, with what clients connect to.
fn endpoints(config: &Config) -> Vec<(&str, Endpoint)> {
    let place = |address: &ipnet::IpNet, ports: Ports, protocol: &dyn Display| {
        (address.to_string(), ports.to_string(), protocol.to_string())
    };
    let packets = config
        .listeners
        .iter()
        .map(|one| (one.name.as_str(), place(&one.address, one.ports, &one.protocol)));
    let http = config
        .http_listeners
        .iter()
        .map(|one| (one.name.as_str(), place(&one.address, Ports::one(one.port), &protocol(one))));
    let tls = config
        .tls_listeners
        .iter()
        .map(|one| (one.name.as_str(), place(&one.address, Ports::one(one.port), &"tls")));
    packets.chain(http).chain(tls).collect()
}

const fn protocol(listener: &HttpListener) -> &'static str {
    if listener.tls.is_some() { "https" } else { "http" }
}

/// Rules that listeners of both configurations have lost.
fn rules(before: &Config, after: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    for former in &before.http_listeners {
        let Some(listener) = after.http_listeners.iter().find(|one| one.name == former.name) else {
            continue;
        };
        let lost = former.rules.iter().filter(|rule| {
            let kept = &listener.rules;
            !kept.iter().any(|one| one.name == rule.name || one.priority == rule.priority)
        });
        missing.extend(lost.map(|rule| {
            format!("rule {} (priority {}) of listener {}", rule.name, rule.priority, former.name)
        }));
    }
    missing
}

fn group_names(config: &Config) -> BTreeSet<&str> {
    let http = config.http_target_groups.iter().map(|group| &*group.name);
    config.target_groups.iter().map(|group| &*group.name).chain(http).collect()
}

fn used_groups(config: &Config) -> BTreeSet<&str> {
    let packets = config.listeners.iter().map(|one| one.target_group.as_str());
    let tls = config.tls_listeners.iter().map(|one| one.target_group.as_str());
    let http = config.http_listeners.iter().flat_map(|one| one.target_groups());
    packets.chain(tls).chain(http).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lb_common::target::TargetState;
    use lb_config::parse;

    use super::*;

    const ALL: &str = r#"
interfaces: [eth0]
target_groups:
  - { name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.1.11 }, { address: 10.0.1.12 }] }
  - { name: spare, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.1.21 }] }
  - { name: dns, protocol: udp, port: 53, forwarding: ipip, health_check: { protocol: tcp, port: 8080 }, targets: [{ address: 10.0.1.53 }] }
  - { name: shop, protocol: http, port: 8080, targets: [{ address: 10.0.1.31 }] }
listeners:
  - { name: web, address: 203.0.113.10, port: 80, protocol: tcp, default_action: { forward: { target_group: web } } }
  - { name: dns, address: 203.0.113.53, port: 53, protocol: udp, default_action: { forward: { target_group: dns } } }
  - name: shop
    address: 203.0.113.30
    port: 80
    protocol: http
    default_action: { fixed_response: { status: 404 } }
    rules:
      - { name: old, priority: 10, conditions: [{ path: ["/old*"] }], action: { forward: { target_group: shop } } }
      - { name: new, priority: 20, conditions: [{ path: ["/new*"] }], action: { forward: { target_group: shop } } }
"#;

    fn report(group: &str, octet: u8, in_ring: bool) -> TargetReport {
        TargetReport {
            key: TargetKey { group: group.into(), address: [10, 0, 1, octet].into(), port: 80 },
            id: octet.into(),
            weight: 100,
            state: TargetState::Healthy,
            reason: None,
            detail: String::new(),
            in_ring,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    fn config(text: &str) -> Config {
        parse(text, "x.yaml").unwrap_or_else(|error| panic!("{error}")).1
    }

    /// Without the lines that begin with one of these.
    fn without(starts: &[&str]) -> String {
        let lines = ALL
            .lines()
            .filter(|line| !starts.iter().any(|start| line.trim_start().starts_with(start)));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    #[test]
    fn what_is_in_service_and_left_out_is_named() {
        let listener = "- { name: dns, address";
        for (text, expected) in [
            (ALL.to_owned(), &[][..]),
            (without(&["- { name: spare"]), &[]),
            (without(&[listener]), &["listener dns (udp, address 203.0.113.53/32, port 53)"]),
            (
                without(&[listener, "- { name: dns, protocol"]),
                &["listener dns (udp, address 203.0.113.53/32, port 53)", "target group dns"],
            ),
            (without(&["- { name: old"]), &["rule old (priority 10) of listener shop"]),
            // Another priority or name is a change.
            (ALL.replace("priority: 10", "priority: 15").replace("name: new", "name: newer"), &[]),
            (ALL.replace("name: web, address", "name: www, address"), &[]),
            (ALL.replace("203.0.113.10", "203.0.113.11"), &[]),
            (ALL.replace("{ address: 10.0.1.11 }, ", ""), &["target web/10.0.1.11:80"]),
            // It takes no flows.
            (ALL.replace(", { address: 10.0.1.12 }", ""), &[]),
        ] {
            let reports = [report("web", 11, true), report("web", 12, false)];
            let reports: Vec<_> = reports.iter().collect();
            let found = left_out(&config(ALL), &config(&text), &[], &reports);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_renamed_group_is_the_same_group() {
        let text = ALL.replace("name: web, protocol", "name: www, protocol");
        let text = text.replace("target_group: web", "target_group: www");
        let renamed = Renamed { id: 1, from: Arc::from("web"), to: Arc::from("www") };
        let reports = [report("web", 11, true)];
        let of = |renamed: &[Renamed]| {
            left_out(&config(ALL), &config(&text), renamed, &reports.iter().collect::<Vec<_>>())
        };
        assert_eq!(of(&[renamed]), [""; 0]);
        assert_eq!(of(&[]), ["target group web"], "its targets go with it");
    }

    #[test]
    fn the_refusal_names_the_first_objects() {
        assert!(permit(&[]).is_ok());
        let many: Vec<String> = (0..22).map(|number| format!("listener {number}")).collect();
        let Err(Refusal::Harmful(message)) = permit(&many) else { panic!("it is refused") };
        assert!(
            message.contains("listener 19\n  and 2 more\nnothing was changed; `--prune`"),
            "{message}"
        );
        assert!(!message.contains("listener 20"), "{message}");
    }
}
