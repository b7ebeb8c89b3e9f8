//! Tests of the configuration: texts in, configurations or exact messages out.

mod bad;
mod bad_checks;
mod bad_groups;
mod bad_top;
mod edit;
mod file;
mod good;
mod mutate;
mod syntax;

/// The example of the design, with the keys that this version has.
const EXAMPLE: &str = r#"interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets:
      - { address: 10.0.1.11, weight: 100 }
      - { address: "2001:db8::11" }
    health_check:
      protocol: http
      path: /healthz
      port: traffic-port
      interval: 5s
      timeout: 2s
      healthy_threshold: 3
      unhealthy_threshold: 2
      matcher: "200-399"
    attributes:
      deregistration_delay: 300s
      slow_start: 0s
      stickiness: none
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
"#;

/// The least that is a configuration of one group and one listener.
const SMALL: &str = "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets:
      - address: 10.0.1.11
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
";

/// A text with one piece changed, which must be there exactly once.
fn with(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "`{old}` in the text");
    text.replace(old, new)
}

/// What is wrong with a text, as a person reads it.
fn errors(text: &str) -> String {
    match super::parse(text, "xelb.yaml") {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

/// The example with one piece changed, and all that is said then; `~` stands for `xelb.yaml`.
fn check_changes(changes: &[(&str, &str, &str)]) {
    for (old, new, expected) in changes {
        let told = errors(&with(EXAMPLE, old, new));
        assert_eq!(told, expected.replace('~', "xelb.yaml"), "{old:?} -> {new:?}");
    }
}
