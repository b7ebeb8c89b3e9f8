//! Files that are half written, in another encoding, or full of what YAML can do: each with the exact
//! message. Those that are large are in `tests/bad_files.rs`, with limits of time and memory.

use std::fmt::Write as _;

use super::{
    super::Document, EXAMPLE, HTTP, MODES, SMALL, check_changes, config, errors, parse, with,
};

/// An editor, a full disk or a copy may stop anywhere. A truncated file causes a clear error, or is
/// a shorter configuration, as YAML cannot detect a missing end.
#[test]
fn cut_at_every_byte() {
    for whole in [EXAMPLE, MODES, SMALL, HTTP] {
        let document = parse(whole, "").unwrap().0;
        let json = serde_json::to_string_pretty(&document).unwrap();
        for text in [whole, &json] {
            let mut valid = 0;
            for end in 0..text.len() {
                let part = text.get(..end).expect("ASCII");
                let Err(errors) = parse(part, "xelb.yaml") else {
                    valid += 1;
                    continue;
                };
                let messages = errors.to_string();
                assert!(
                    !messages.is_empty() && messages.lines().count() <= 20,
                    "{end}: {messages}"
                );
                for line in messages.lines() {
                    let place = line.strip_prefix("xelb.yaml:").unwrap_or_default();
                    assert!(place.starts_with(' ') || place.contains(": "), "{end}: {line}");
                    assert!(!line.contains("panic"), "{end}: {line}");
                }
            }
            // JSON says where it ends.
            let most = if text == json { 1 } else { text.len() / 2 };
            assert!(valid <= most, "{valid} parts of {text}");
        }
    }
}

/// A port and its message; none for 80.
const NUMBERS: &[(&str, &str)] = &[
    ("80", ""),
    ("+80", ""),
    ("0x50", ""),
    ("0o120", ""),
    ("0b1010000", ""),
    ("8_0", ""),
    ("!!int \"80\"", ""),
    ("80\t# a tab", ""),
    ("-80", "-80 is not a port from 1 to 65535, such as 80"),
    ("0x1_0000", "65536 is not a port from 1 to 65535, such as 80"),
    ("9223372036854775807", "9223372036854775807 is not a port from 1 to 65535, such as 80"),
    (
        "99999999999999999999",
        "1e20 is not a port from 1 to 65535, such as 80; write it as plain digits without leading \
         zeros",
    ),
    ("80.5", "80.5 is not a port from 1 to 65535, such as 80"),
    (
        "80.0",
        "80.0 is not a port from 1 to 65535, such as 80; write it as plain digits without leading \
         zeros",
    ),
    (
        "8e1",
        "80.0 is not a port from 1 to 65535, such as 80; write it as plain digits without leading \
         zeros",
    ),
    (
        "0120",
        "120.0 is not a port from 1 to 65535, such as 80; write it as plain digits without \
         leading zeros",
    ),
    ("\"80\"", "`80` is not a port from 1 to 65535, such as 80; write it without quotes"),
    ("80:80", "`80:80` is not a port from 1 to 65535, such as 80"),
    ("80s", "`80s` is not a port from 1 to 65535, such as 80"),
    ("true", "true is not a port from 1 to 65535, such as 80"),
    ("[80]", "must be a port from 1 to 65535, such as 80, not a list"),
    ("{ a: 1 }", "must be a port from 1 to 65535, such as 80, not a section with keys"),
];

#[test]
fn numbers_of_every_form() {
    let old = "port: 80\n    forwarding";
    for (number, expected) in NUMBERS {
        let text = with(SMALL, old, &format!("port: {number}\n    forwarding"));
        if expected.is_empty() {
            assert_eq!(config(&text).target_groups[0].port, 80, "{number}");
        } else {
            let expected = format!("xelb.yaml:5:11: target_groups[0].port: {expected}");
            assert_eq!(errors(&text), expected, "{number}");
        }
    }
    for number in [".inf", "-.inf", ".nan", "1e400", "-1e400"] {
        let text = with(SMALL, old, &format!("port: {number}\n    forwarding"));
        assert_eq!(errors(&text), "xelb.yaml:5:11: is not a finite number", "{number}");
    }
}

/// Durations that users may write, and their messages.
#[test]
fn durations_of_every_form() {
    let wanted = "is not a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`";
    for (duration, expected) in [
        ("5", format!("5 {wanted}; did you mean `5s`?")),
        ("\"5\"", format!("`5` {wanted}; did you mean `5s`?")),
        ("5 s", format!("`5 s` {wanted}; did you mean `5s`?")),
        ("5S", format!("`5S` {wanted}; did you mean `5s`?")),
        ("1H", format!("`1H` {wanted}")),
        ("5000", format!("5000 {wanted}")),
        ("0.5", format!("0.5 {wanted}")),
        ("1.5s", format!("`1.5s` {wanted}")),
        ("-5s", format!("`-5s` {wanted}")),
        ("1m30s", format!("`1m30s` {wanted}")),
        ("0s", format!("`0s` {wanted}")),
        ("99999999999999999999s", format!("`99999999999999999999s` {wanted}")),
        ("forever", format!("`forever` {wanted}")),
        ("\"\"", format!("`` {wanted}")),
        ("no", format!("`no` {wanted}")),
        (
            "[5s]",
            "must be a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`, not a list"
                .to_owned(),
        ),
    ] {
        let messages = errors(&with(EXAMPLE, "interval: 5s", &format!("interval: {duration}")));
        let at = "xelb.yaml:14:17: target_groups[0].health_check.interval";
        assert_eq!(messages, format!("{at}: {expected}"), "{duration}");
    }
}

#[test]
fn encodings_and_ends_of_lines() {
    let crlf = SMALL.replace('\n', "\r\n");
    for text in [format!("\u{feff}{SMALL}"), crlf.clone(), SMALL.replace('\n', "\r")] {
        assert_eq!(config(&text), config(SMALL), "{text:?}");
    }
    for (text, expected) in [
        (
            format!("\u{feff}{}", with(SMALL, "eth0", "eth 0")),
            "xelb.yaml:1:14: interfaces[0]: `eth 0` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`",
        ),
        (
            crlf.replace("forwarding: ipip", "forwarding: dsr"),
            "xelb.yaml:6:17: target_groups[0].forwarding: `dsr` is not a forwarding mode: ipip, gue, l2dsr, nat or fullnat",
        ),
        (
            with(SMALL, "listeners", "\u{feff}listeners"),
            "xelb.yaml:9:1: is not valid YAML: a BOM must not appear inside a document",
        ),
        (
            with(SMALL, "name: web\n    protocol", "name: é wieght\n    protocol"),
            "xelb.yaml:3:11: target_groups[0].name: `é wieght` is not a name: 1 to 56 letters, digits, dots, dashes and underscores, such as `web-1`",
        ),
        // Columns count characters.
        (
            with(SMALL, "- address: 10.0.1.11", "- { address: \"é\", wieght: 1 }"),
            "xelb.yaml:8:20: target_groups[0].targets[0].address: `é` is not an address or a DNS name, such as 10.0.1.11 or order.example.org\n\
             xelb.yaml:8:25: target_groups[0].targets[0].wieght: unknown key; did you mean `weight`?",
        ),
    ] {
        assert_eq!(errors(&text), expected, "{text:?}");
    }
}

/// The small configuration with one piece changed: what YAML forbids or means in another way.
#[test]
fn yaml_features_are_read_or_refused() {
    check_changes(
        SMALL,
        &[
            (
                "  - name: web\n    protocol: tcp\n    port: 80\n    forwarding",
                "\t- name: web\n    protocol: tcp\n    port: 80\n    forwarding",
                "~:3:2: is not valid YAML: tabs disallowed within this context (block indentation)",
            ),
            ("eth0", "et\0h", "~:1:16: is not valid YAML: unexpected character: `\\u{0}'"),
            (
                "eth0",
                "\"et\\0\"",
                "~:1:14: interfaces[0]: `et\\u{0}` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`",
            ),
            (
                "    forwarding",
                "    port: 81\n    forwarding",
                "~:6:5: the key `port` occurs twice",
            ),
            (
                "{ target_group: web }",
                "{ target_group: web, \"target_group\": web }",
                "~:14:53: the key `target_group` occurs twice",
            ),
            (
                "- address: 10.0.1.11",
                "- &t { address: 10.0.1.11, wieght: 1 }\n      - { <<: *t, address: 10.0.1.12 }",
                "~:8:34: target_groups[0].targets[0].wieght: unknown key; did you mean `weight`?\n\
                 ~:9:15: target_groups[0].targets[1].wieght: unknown key; did you mean `weight`?",
            ),
            (
                "- address: 10.0.1.11",
                "- { <<: 10.0.1.11 }",
                "~:8:15: is not valid YAML: YAML merge value must be mapping or sequence of mappings",
            ),
            (
                "- address: 10.0.1.11",
                "- &t { <<: *t }",
                "~:8:18: the alias is inside its own anchor",
            ),
            (
                "eth0",
                "&e a b, *e",
                "~:1:17: interfaces[0]: `a b` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`\n\
                 ~:1:22: interfaces[1]: `a b` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`",
            ),
        ],
    );
}

/// A wrong key of every section, and the one that was meant.
#[test]
fn every_section_suggests_the_misspelled_key() {
    let mut text = with(EXAMPLE, "interfaces: [eth0]\n", "interfaces: [eth0]\ninterface: 1\n");
    text.push_str(
        "tunnel: { source_ipv: 1 }\nsource_nat: { adresses: [], addresses: [10.0.0.2] }\n",
    );
    text.push_str("icmp: { echoreply: true }\n");
    for (old, new) in [
        (
            "    protocol: tcp\n    port: 80\n    forwarding",
            "    protocol: tcp\n    ports: 80\n    port: 80\n    forwarding",
        ),
        ("weight: 100 }", "weight: 100, adress: 1 }"),
        ("      path:", "      pth: /\n      path:"),
        (
            "      slow_start",
            "      slowstart: 0s\n      minimum_healthy_targets: { cont: 1 }\n      slow_start",
        ),
        (
            "    default_action: { forward: { target_group: web } }",
            "    defaultaction: 1\n    default_action: { foward: 1, forward: { targetgroup: 1, target_group: web } }\n    attributes: { udpflows: 1 }",
        ),
    ] {
        text = with(&text, old, new);
    }
    let messages = errors(&text);
    let meant: Vec<(&str, &str)> = messages
        .lines()
        .map(|line| {
            let (place, meant) = line.split_once(": unknown key; did you mean ").expect(line);
            (place.rsplit(' ').next().unwrap_or_default(), meant)
        })
        .collect();
    assert_eq!(
        meant,
        [
            ("interface", "`interfaces`?"),
            ("target_groups[0].ports", "`port`?"),
            ("target_groups[0].targets[0].adress", "`address`?"),
            ("target_groups[0].health_check.pth", "`path`?"),
            ("target_groups[0].attributes.slowstart", "`slow_start`?"),
            ("target_groups[0].attributes.minimum_healthy_targets.cont", "`count`?"),
            ("listeners[0].defaultaction", "`default_action`?"),
            ("listeners[0].default_action.foward", "`forward`?"),
            ("listeners[0].default_action.forward.targetgroup", "`target_group`?"),
            ("listeners[0].attributes.udpflows", "`udp_flows`?"),
            ("tunnel.source_ipv", "`source_ipv4`?"),
            ("source_nat.adresses", "`addresses`?"),
            ("icmp.echoreply", "`echo_reply`?"),
        ]
    );
}

/// Aliases and merge keys that are used as they are meant are no bombs.
#[test]
fn many_groups_may_share_a_check() {
    let mut text = "interfaces: [eth0]\ntarget_groups:\n".to_owned();
    for number in 0..1000 {
        let check = if number == 0 {
            "&check { interval: 1s, timeout: 500ms }".to_owned()
        } else {
            format!("{{ <<: *check, healthy_threshold: {} }}", number % 10 + 1)
        };
        writeln!(
            text,
            "  - {{ name: g{number}, protocol: tcp, port: 80, forwarding: ipip, health_check: {check} }}"
        )
        .unwrap();
    }
    assert_eq!(config(&text).target_groups.len(), 1000);
    let document: Document = parse(&text, "").unwrap().0;
    assert!(serde_json::to_string(&document).unwrap().len() < 1 << 20);
}
