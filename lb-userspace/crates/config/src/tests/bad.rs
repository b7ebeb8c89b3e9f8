//! Wrong configurations as a whole: lines, several errors at once, what follows from an error, limits.

use std::fmt::Write as _;

use super::{
    super::{Document, Limits, check_files, validate, validate_within},
    SMALL, errors, parse, with,
};

/// Lines of items in block form, in flow form over several lines, and through an alias.
#[test]
fn lines_of_nested_items() {
    let text = "\
interfaces:
  - eth0

  - eth0
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets:
      - address: 10.0.1.11
        weight: 1

      - weight: -2
        address:
          10.0.1.999
      - { address: 10.0.1.13,
          weight: -3 }
      -
        weight: 4
      - address: 10.0.1.11
  - { name: other, protocol: tcp, port: 80, forwarding: ipip, targets: [
      { address: 10.0.1.14 },
      { address: b..d } ] }
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action:

      forward:
        target_group: none
";
    assert_eq!(
        errors(text),
        "xelb.yaml:4:5: interfaces[1]: interface eth0 is named twice\n\
             xelb.yaml:14:17: target_groups[0].targets[1].weight: -2 is not a whole number from 0 to 1000\n\
             xelb.yaml:15:9: target_groups[0].targets[1].address: `10.0.1.999` is not an address or a DNS name, such as 10.0.1.11 or order.example.org\n\
             xelb.yaml:18:19: target_groups[0].targets[2].weight: -3 is not a whole number from 0 to 1000\n\
             xelb.yaml:20:9: target_groups[0].targets[3]: `address` is missing; for example `address: 10.0.1.11`\n\
             xelb.yaml:21:9: target_groups[0].targets[4]: target 10.0.1.11:80 is in the group web twice\n\
             xelb.yaml:24:18: target_groups[1].targets[1].address: `b..d` is not an address or a DNS name, such as 10.0.1.11 or order.example.org\n\
             xelb.yaml:33:23: listeners[0].default_action.forward.target_group: there is no target group none; there are other, web"
    );
}

/// In the order of the file, whatever they are.
#[test]
fn several_errors_at_once() {
    let text = "\
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
  - name: dns
    address: 203.0.113.10
    port: 53
    protocol: udp
    default_action: { forward: { target_group: web } }
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: l2dsr
    targets:
      - { address: 10.0.1.11 }
      - { address: 10.0.1.11, port: 80 }
      - { address: \"2001:db8::11\" }
      - { address: 203.0.113.10 }
  - name: web
    protocol: udp
    port: 53
    forwarding: ipip
colour: red
";
    assert_eq!(
        errors(text),
        "xelb.yaml:1:1: `interfaces` is missing; for example `interfaces: [eth0]`\n\
             xelb.yaml:7:5: listeners[1]: there are two listeners named web\n\
             xelb.yaml:7:5: listeners[1]: tcp 203.0.113.10:80 of listener web is taken already\n\
             xelb.yaml:12:5: listeners[2]: listener dns is udp, its target group web is tcp\n\
             xelb.yaml:20:11: target_groups[0].port: port 80 is not port 53 of listener dns: forwarding l2dsr cannot translate ports; nat and fullnat can\n\
             xelb.yaml:24:9: target_groups[0].targets[1]: target 10.0.1.11:80 is in the group web twice\n\
             xelb.yaml:25:9: target_groups[0].targets[2]: 2001:db8::11 is of another family than 203.0.113.10 of listener web: l2dsr does not change packets\n\
             xelb.yaml:25:9: target_groups[0].targets[2]: 2001:db8::11 is of another family than 203.0.113.10 of listener dns: l2dsr does not change packets\n\
             xelb.yaml:26:9: target_groups[0].targets[3]: 203.0.113.10 is the address of a listener, not of a server\n\
             xelb.yaml:27:5: target_groups[1]: a udp group needs a `health_check`: a missing answer on udp says nothing about the target; for example `health_check: { protocol: tcp, port: 8080 }`\n\
             xelb.yaml:27:5: target_groups[1]: there are two target groups named web\n\
             xelb.yaml:31:1: colour: unknown key; known are `hash_seed`, `hash_seed_file`, `tunnel`, `source_nat`, `icmp`, `resolver`, `interfaces`, `defaults`, `target_groups`, `listeners`, `on_event`"
    );
}

/// A listener of a group that could not be read causes no error about a missing group.
#[test]
fn an_error_has_no_followers() {
    assert_eq!(
        errors(&with(SMALL, "forwarding: ipip", "forwarding: dsr")),
        "xelb.yaml:6:17: target_groups[0].forwarding: `dsr` is not a forwarding mode: ipip, gue, l2dsr, nat or fullnat"
    );
    assert_eq!(
        errors(&with(SMALL, "target_groups:", "target_groups: 1\nunknown:")),
        "xelb.yaml:2:16: target_groups: must be a list, not a number\n\
             xelb.yaml:3:1: unknown: unknown key; known are `hash_seed`, `hash_seed_file`, `tunnel`, `source_nat`, `icmp`, `resolver`, `interfaces`, `defaults`, `target_groups`, `listeners`, `on_event`"
    );
}

#[test]
fn without_a_file_there_are_only_paths() {
    let document: Document = serde_json::from_str(
        r#"{"interfaces": [], "target_groups": [{"name": "web"}], "listeners": 1}"#,
    )
    .unwrap();
    let messages = validate(&document).unwrap_err();
    assert_eq!(
        messages.to_string(),
        "interfaces: is empty; name at least one interface\n\
             target_groups[0]: `protocol` is missing; for example `protocol: tcp`\n\
             target_groups[0]: `port` is missing; for example `port: 80`\n\
             target_groups[0]: `forwarding` is missing; for example `forwarding: ipip`\n\
             listeners: must be a list, not a number"
    );
    let first = &messages.errors()[0];
    assert_eq!((first.path(), first.line()), ("interfaces", None));
}

#[test]
fn a_document_that_is_no_json_object() {
    for (text, expected) in [
        ("[]", "must be a section with keys, not a list"),
        (r#"{"a": 1, "a": 2}"#, "the key `a` occurs twice at line 1 column 12"),
        (
            "{\"interfaces\": [18446744073709551615]}",
            "the number 18446744073709551615 is too large at line 1 column 36",
        ),
    ] {
        let messages = match serde_json::from_str::<Document>(text) {
            Ok(document) => validate(&document).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(messages, expected, "{text}");
    }
}

/// What a person wrote is repeated, but not a whole page of it.
#[test]
fn long_and_strange_texts_are_repeated_in_brief() {
    let long = "x".repeat(1_000);
    let brief = format!("{}...", "x".repeat(80));
    let messages = errors(&with(SMALL, "[eth0]", &format!("[{long}]")));
    let rest = "is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`";
    assert_eq!(messages, format!("xelb.yaml:1:14: interfaces[0]: `{brief}` {rest}"));
    let messages = errors(&format!("{long}: 1\n{SMALL}"));
    let known = "`hash_seed`, `hash_seed_file`, `tunnel`, `source_nat`, `icmp`, `resolver`, `interfaces`, `defaults`, `target_groups`, `listeners`, `on_event`";
    assert_eq!(messages, format!("xelb.yaml:1:1: {brief}: unknown key; known are {known}"));
    assert_eq!(
        errors(&format!("\"a\\tb\\u2028\": 1\n{SMALL}")),
        format!("xelb.yaml:1:1: a\\tb\\u{{2028}}: unknown key; known are {known}")
    );
}

fn listeners(count: usize, group: &str) -> String {
    (0..count).fold("listeners:\n".to_owned(), |mut text, number| {
        let (high, low) = (number / 250, number % 250);
        writeln!(
            text,
            "  - {{ name: l{number}, address: 198.18.{high}.{low}, port: 80, protocol: tcp, \
             default_action: {{ forward: {{ target_group: {group} }} }} }}"
        )
        .unwrap();
        text
    })
}

fn targets(count: usize, port: u16) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let (high, low) = (number / 250, number % 250);
        writeln!(text, "      - {{ address: 10.0.{high}.{low}, port: {port}, weight: 1 }}")
            .unwrap();
        text
    })
}

/// The largest configuration is valid, and one more listener or target is an error.
#[test]
fn limits() {
    let head = SMALL.split_once("      - address").unwrap().0;
    let text = |listen: usize, target: usize, port: u16| {
        format!("{head}{}{}", targets(target, port), listeners(listen, "web"))
    };
    assert!(parse(&text(4095, 16_383, 80), "").is_ok());
    assert_eq!(
        errors(&text(4096, 1, 80)),
        "xelb.yaml:9:1: listeners: 4096 listeners are more than the 4095 that this version supports"
    );
    assert_eq!(
        errors(&text(1, 16_384, 80)),
        "xelb.yaml:2:1: target_groups: 16384 targets are more than the 16383 that this version \
         supports"
    );
    let groups = (0..2048).fold(String::new(), |mut text, number| {
        writeln!(text, "  - {{ name: g{number}, protocol: tcp, port: 80, forwarding: ipip }}")
            .unwrap();
        text
    });
    assert_eq!(
        errors(&format!("interfaces: [eth0]\ntarget_groups:\n{groups}")),
        "xelb.yaml:2:1: target_groups: 2048 target groups are more than the 2047 that this \
         version supports"
    );
    // Sixteen million wrong pairs: only the first ones are reported.
    let messages = errors(&text(1000, 16_000, 81));
    assert_eq!(messages.lines().count(), 201);
    assert_eq!(
        messages.lines().last(),
        Some("only the first 200 errors are shown; there may be more")
    );
}

/// Each listener whose key has the same place as the others of these.
fn crowd(count: usize) -> String {
    crate::listener_table::colliding(count).iter().fold(String::new(), |mut text, key| {
        let (vip, port) = (key.address.to_ip(lb_common::Family::V4), key.port.get());
        writeln!(
            text,
            "  - {{ name: l{vip}-{port}, address: {vip}, port: {port}, protocol: tcp, default_action: \
             {{ forward: {{ target_group: web }} }} }}"
        )
        .unwrap();
        text
    })
}

#[test]
fn listeners_beyond_the_probe_limit_are_refused() {
    // Mode fullnat translates ports.
    let head = "interfaces: [eth0]\nsource_nat: { addresses: [192.0.2.1] }\ntarget_groups:\n  - \
                name: web\n    protocol: tcp\n    port: 80\n    forwarding: fullnat\n    targets: [{ \
                address: 10.0.0.1 }]\nlisteners:\n";
    assert!(parse(&format!("{head}{}", crowd(32)), "").is_ok());
    let messages = errors(&format!("{head}{}", crowd(33)));
    assert!(
        messages.contains("does not fit the table of listeners: too many others"),
        "{messages}"
    );
    assert!(messages.starts_with("xelb.yaml:42:5: listeners[32]: tcp 203.0.113."), "{messages}");
}

#[test]
fn limits_of_the_agent_are_enforced() {
    let most =
        Limits { listeners: 1, target_groups: 2, targets: 3, ring_slots: 4096, ..Limits::MOST };
    let told_within =
        |text: &str, most: &Limits| match super::super::parse_within(text, "xelb.yaml", most) {
            Ok(_) => String::new(),
            Err(errors) => errors.to_string(),
        };
    let messages = |text: &str| told_within(text, &most);
    let head = SMALL.split_once("      - address").unwrap().0;
    let text =
        |listen, target| format!("{head}{}{}", targets(target, 80), listeners(listen, "web"));
    assert_eq!(messages(&text(1, 3)), "");
    let allows = "listeners are more than the 1 that `xelb agent --max-listeners` allows: remove some, \
                  or start the agent with a larger number, 4095 at most";
    assert_eq!(messages(&text(2, 3)), format!("xelb.yaml:11:1: listeners: 2 {allows}"));
    assert!(
        messages(&text(1, 4))
            .contains("4 targets are more than the 3 that `xelb agent --max-targets`")
    );
    // Rings follow from what is read, which is not done where there are too many targets.
    let rings = told_within(&text(1, 50), &Limits { targets: 50, ..most });
    assert!(rings.contains("8192 slots of their rings are more than the 4096"), "{rings}");
}

/// A document with too much of something is not read any further.
#[test]
fn counts_come_before_everything_else() {
    let mut text = String::from("interfaces: [eth0]\ntarget_groups:\n");
    for number in 0..4 {
        writeln!(text, "  - {{ name: g{number}, health_check: {{ verify: /nonexistent }} }}")
            .unwrap();
    }
    let document = super::super::syntax::document(&text).unwrap();
    let most = Limits { target_groups: 3, ..Limits::MOST };
    let errors = validate_within(&document, &most).unwrap_err();
    let [error] = errors.errors() else { panic!("{errors}") };
    assert_eq!(error.path(), "target_groups");
    assert!(error.message().starts_with("4 target groups are more than the 3"), "{error}");
}

/// Checks of files do not depend on other errors, and each file is checked once.
#[test]
fn check_files_reports_only_files() {
    let (head, listeners) = SMALL.split_once("listeners:").unwrap();
    let check = "health_check: { protocol: https, verify: /nonexistent/ca.pem }";
    let text = format!("{head}    {check}\nlisteners:{listeners}");
    let mut document = super::super::syntax::document(&text).unwrap();
    document.0.set("interfaces", super::super::tree::Node::text("eth0"));
    let messages = check_files(&document, &|file| Err(format!("{file:?} is missing"))).unwrap_err();
    let messages = messages.to_string();
    let wanted =
        "target_groups[0].health_check.verify: Authorities(\"/nonexistent/ca.pem\") is missing";
    assert_eq!(messages, wanted);
    check_files(&document, &|_| Ok(())).unwrap();
}
