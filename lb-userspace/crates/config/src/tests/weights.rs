//! Weights of some targets of a group, and none of others: a mistake that is said.

use super::without_via;
use crate::parse;

fn warnings(top: &str, protocol: &str, targets: &str) -> Vec<String> {
    let forwarding = if protocol == "tcp" { "forwarding: ipip, " } else { "" };
    let text = format!(
        "interfaces: [eth0]\n{top}target_groups:\n  - name: web\n    protocol: {protocol}\n    port: 80\n    \
         health_check: {{ interval: 5s }}\n    targets: [{targets}]\n"
    );
    let text = text
        .replace("health_check", &format!("{}health_check", forwarding.replace(", ", "\n    ")));
    let parsed = parse(&text, "x").unwrap_or_else(|errors| panic!("{errors}"));
    without_via(&parsed.2).into_iter().filter(|text| text.contains("weight")).collect()
}

#[test]
fn a_target_without_weight_among_small_ones_is_warned_of() {
    let one = "{ address: 10.0.1.11, weight: 1 }";
    let none = "{ address: 10.0.1.12 }";
    let two = "{ address: 10.0.1.13, weight: 2 }, { address: 10.0.1.14 }, { address: 10.0.1.15 }";
    assert_eq!(
        warnings("", "tcp", &format!("{one}, {none}")),
        [
            "line 8: target_groups[0].targets[1]: has no `weight`, and so has 100, where other targets of web \
          have 1: it gets 99 % of the flows; write `weight: 1` here, or `defaults: { weight: 1 }` at the top"
        ]
    );
    assert_eq!(
        warnings("", "http", &format!("{one}, {none}, {two}")),
        [
            "line 7: target_groups[0].targets[1]: has no `weight`, and so has 100, where other targets of web \
          have 1 to 2: it gets 33 % of the requests, and so do 2 more targets; write `weight: 1` here, or \
          `defaults: { weight: 1 }` at the top"
        ]
    );
}

#[test]
fn other_mixtures_are_meant() {
    let none = "{ address: 10.0.1.12 }";
    for targets in [
        none.to_owned(),
        format!("{none}, {{ address: 10.0.1.11 }}"),
        format!("{none}, {{ address: 10.0.1.11, weight: 50 }}"),
        format!(
            "{none}, {{ address: 10.0.1.11, weight: 1 }}, {{ address: 10.0.1.13, weight: 50 }}"
        ),
        // It takes no new flows.
        format!("{none}, {{ address: 10.0.1.11, weight: 0 }}"),
        "{ address: 10.0.1.11, weight: 1 }, { address: 10.0.1.13, weight: 3 }".to_owned(),
        format!("{none}, {{ address: 10.0.1.11, weight: 1, backup: true }}"),
    ] {
        assert_eq!(warnings("", "tcp", &targets), Vec::<String>::new(), "{targets}");
    }
    let mixed = format!("{none}, {{ address: 10.0.1.11, weight: 1 }}");
    assert_eq!(warnings("defaults: { weight: 1 }\n", "tcp", &mixed), Vec::<String>::new());
    // What somebody has decided, whatever it is.
    assert_eq!(warnings("defaults: { weight: 100 }\n", "tcp", &mixed), Vec::<String>::new());
}
