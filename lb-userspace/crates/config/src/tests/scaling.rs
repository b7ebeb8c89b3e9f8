//! Auto scaling of target groups: right and wrong texts, and edits of the limits.

use std::{net::SocketAddr, sync::Arc};

use lb_scale::{Adjustment, Limits, PolicyKind, Settings};
use serde_json::json;

use super::{
    super::{Document, Driver, Edit, EditError, HIDDEN, HttpTarget, Termination, validate},
    SMALL, config, errors, parse, with,
};

/// A scaled group with every kind of policy.
const SCALED: &str = r#"interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: fullnat
    scaling:
      min: 2
      max: 20
      driver:
        exec:
          program: /etc/xelb/checks/driver
          parameters: { command: [server, "{port}"], ports: [9000, 9099] }
      policies:
        - name: load
          target_tracking: { metric: packets_per_target, value: 1000 }
        - name: burst
          step:
            metric: bytes_per_target
            threshold: 1.5
            steps: [{ lower: 0, upper: 50, adjust: +10% }, { lower: 50, adjust: +30% }]
            min_adjustment: 2
        - name: quiet
          simple: { metric: packets_per_target, threshold: 10, breach: below, adjust: -1 }
        - name: night
          schedule: { cron: "0 22 * * *", timezone: Europe/Berlin, min: 1, max: 5, desired: 2 }
      hooks: { launch: { program: /etc/xelb/checks/warm-up, timeout: 5m } }
      replacement: { max_at_once: 20% }
      termination: [oldest]
      warm_pool: { size: 1, state: running }
source_nat: { addresses: [10.0.0.2] }
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
"#;

#[test]
fn a_scaled_group_is_read_with_its_defaults() {
    let (_, config, warnings) = parse(SCALED, "xelb.yaml").unwrap();
    assert_eq!(warnings, [], "it needs no targets of its own");
    let scaling = config.target_groups[0].scaling.as_ref().unwrap();
    let settings = &scaling.settings;
    let expected = Settings::new(2, 20);
    assert_eq!(settings.limits, Limits { min: 2, max: 20 });
    assert_eq!(
        (settings.initial(), settings.warmup, settings.scale_in_window, settings.sample_interval),
        (2, expected.warmup, expected.scale_in_window, expected.sample_interval)
    );
    assert_eq!(settings.replacement.max_at_once_percent, 20);
    assert_eq!(scaling.min_healthy_percent, 90);
    assert_eq!(scaling.termination, [Termination::Oldest]);
    let hook = scaling.launch_hook.as_ref().unwrap();
    assert_eq!((hook.timeout.as_secs(), hook.continues), (300, false));
    assert!(scaling.warm_pool.unwrap().running && scaling.terminate_hook.is_none());
    let Driver::Exec { parameters, .. } = &scaling.driver else { panic!() };
    let parameters = serde_json::to_value(parameters).unwrap();
    assert_eq!(parameters, json!({ "command": ["server", "{port}"], "ports": [9000, 9099] }));
    let kinds: Vec<&str> = settings.policies.iter().map(|policy| policy.kind.name()).collect();
    assert_eq!(kinds, ["target_tracking", "step", "simple", "schedule"]);
    let PolicyKind::Step(step) = &settings.policies[1].kind else { panic!() };
    let adjustments: Vec<Adjustment> = step.steps.iter().map(|step| step.adjust).collect();
    assert_eq!(adjustments, [Adjustment::Percent(10), Adjustment::Percent(30)]);
}

#[test]
fn other_drivers_are_read() {
    let exec = "        exec:
          program: /etc/xelb/checks/driver
          parameters: { command: [server, \"{port}\"], ports: [9000, 9099] }
";
    let declared =
        "        static: { targets: [{ address: 10.0.1.1 }, { address: 10.0.1.1, port: 81 }] }\n";
    let config = config(&with(SCALED, exec, declared));
    let Driver::Static { targets } = &config.target_groups[0].scaling.as_ref().unwrap().driver
    else {
        panic!()
    };
    let shown: Vec<String> = targets.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.1.1:80", "10.0.1.1:81"]);
    for (url, good) in [
        ("https://scaler.example.org/members", true),
        ("http://127.0.0.1:8080/", true),
        ("http://[::1]:8080", true),
        ("http://scaler.example.org", false),
        ("http://[::1].example.org", false),
        ("https:///x", false),
        ("ftp://x", false),
    ] {
        let webhook = format!("        webhook: {{ url: \"{url}\", secret_file: /s }}\n");
        let text = with(SCALED, exec, &webhook);
        assert_eq!(errors(&text) == "nothing is wrong", good, "{url}: {}", errors(&text));
    }
}

/// One change of the example, and the messages; `S` stands for the path of the section.
const WRONG: &[(&str, &str, &str)] = &[
    ("      min: 2\n", "", "7:5: S: `min` is missing; for example `min: 2`"),
    ("min: 2\n", "min: 21\n", "8:12: S.min: min 21 exceeds max 20: lower it, or raise max"),
    ("max: 20\n", "max: 2000\n", "9:12: S.max: 2000 is not a whole number from 0 to 1000"),
    (
        "max: 20\n",
        "max: 20\n      initial: 1\n",
        "10:16: S.initial: 1 is outside the limits 2 to 20",
    ),
    (
        "/etc/xelb/checks/driver",
        "driver",
        "12:20: S.driver.exec.program: `driver` is not the absolute path of a file, such as \
         /etc/xelb/checks/local-processes",
    ),
    (
        "        exec:\n          program: /etc/xelb/checks/driver\n          parameters: { command: \
         [server, \"{port}\"], ports: [9000, 9099] }\n",
        "        exac: {}\n",
        "10:7: S.driver: names no driver: write one of `exec`, `static`, `systemd`, `docker`, `webhook`\n\
         11:9: S.driver.exac: unknown key; did you mean `exec`?",
    ),
    (
        "{ metric: packets_per_target, value: 1000 }",
        "{ metric: packet_per_target, value: 1000 }",
        "16:38: S.policies[0].target_tracking.metric: `packet_per_target` is not a metric; did you \
         mean `packets_per_target`?",
    ),
    (
        "{ metric: packets_per_target, value: 1000 }",
        "{ metric: requests_per_target, value: 1000 }",
        "16:38: S.policies[0].target_tracking.metric: `requests_per_target` is counted by the proxy, \
         and this group is reached without it; metrics of this group are `packets_per_target`, \
         `bytes_per_target`",
    ),
    (
        "value: 1000",
        "value: 0",
        "16:65: S.policies[0].target_tracking.value: 0 is no work of one target: it must be above 0",
    ),
    (
        "{ lower: 50, adjust",
        "{ lower: 40, adjust",
        "21:69: S.policies[1].step.steps[1].lower: it overlaps steps[0]",
    ),
    (
        "{ lower: 50, adjust: +30% }",
        "{ lower: 50, adjust: 30% }",
        "21:81: S.policies[1].step.steps[1].adjust: `30%` is not a change of capacity: so many \
         targets (2, -1), percent (+10%, -10%), or a capacity (=3)",
    ),
    (
        "0 22 * * *",
        "0 25 * * *",
        "26:29: S.policies[3].schedule.cron: `25` is no hour: write *, a number from 0 to 23, a-b, \
         */n, or a list of them",
    ),
    (
        "Europe/Berlin",
        "Europe/Bern",
        "26:53: S.policies[3].schedule.timezone: `Europe/Bern` is no time zone: write an IANA name, \
         for example Europe/Berlin",
    ),
    ("name: burst", "name: load", "17:17: S.policies[1].name: another policy is called load, too"),
    (
        "      termination",
        "      scale_in_window: 10s\n      termination",
        "29:24: S.scale_in_window: 10s is shorter than the sample interval of 15s: it would hold no \
         sample",
    ),
    (
        "termination: [oldest]",
        "termination: [eldest]",
        "29:21: S.termination[0]: `eldest` is not a termination policy: least_flows, newest, oldest \
         or old_template",
    ),
    ("state: running", "state: hot", "30:36: S.warm_pool.state: `hot` is not stopped or running"),
    (
        "min: 2\n",
        "min: 2\n      processes: []\n",
        "9:7: S.processes: unknown key; known are `metrics`, `min`, `max`, `initial`, `policies`, `warmup`, \
         `scale_in_window`, `cooldown`, `health_grace`, `sample_interval`, `tolerance`, `scale_out_rate`, \
         `scale_in_rate`, `driver`, `hooks`, `replacement`, `termination`, `warm_pool`, `tags`",
    ),
];

#[test]
fn each_mistake_has_its_place() {
    for (old, new, expected) in WRONG {
        let messages = errors(&with(SCALED, old, new));
        let expected: Vec<String> = expected
            .lines()
            .map(|line| format!("xelb.yaml:{}", line.replace('S', "target_groups[0].scaling")))
            .collect();
        assert_eq!(messages, expected.join("\n"), "{old:?} -> {new:?}");
    }
}

pub(super) fn of_requests(policy: &str) -> String {
    format!(
        "interfaces: [eth0]
target_groups:
  - name: web
    protocol: http
    port: 80
    scaling:
      min: 1
      max: 20
      driver: {{ exec: {{ program: /etc/xelb/checks/driver }} }}
      policies: [{policy}]
"
    )
}

#[test]
fn groups_of_the_proxy_are_scaled_by_requests() {
    let by = |metric: &str| {
        of_requests(&format!(
            "{{ name: load, target_tracking: {{ metric: {metric}, value: 50 }} }}"
        ))
    };
    let (_, config, warnings) = parse(&by("requests_per_target"), "").unwrap();
    let scaling = config.http_target_groups[0].scaling.as_ref().unwrap();
    assert_eq!(scaling.settings.policies[0].kind.metric(), Some("requests_per_target"));
    assert!(warnings.is_empty(), "members are not known here: {warnings:?}");
    let used = crate::Limits::use_of(&config);
    assert_eq!((used.targets, used.exec_checks), (20, true));
    let at = "xelb.yaml:10:59: target_groups[0].scaling.policies[0].target_tracking.metric: ";
    assert_eq!(
        errors(&by("packets_per_target")),
        format!(
            "{at}`packets_per_target` is counted by the data path, and this group is reached by the \
             proxy; metrics of this group are `requests_per_target`"
        )
    );
    assert_eq!(
        errors(&by("request_per_target")),
        format!("{at}`request_per_target` is not a metric; did you mean `requests_per_target`?")
    );
}

/// The proxy gets members as targets, and nothing of how they come and go.
#[test]
fn a_proxy_gets_members_as_targets() {
    let text = of_requests("{ name: night, schedule: { cron: \"0 1 * * *\", desired: 1 } }")
        + "listeners:\n  - { name: web, address: 203.0.113.1, port: 80, protocol: http, \
           default_action: { forward: { target_group: web } } }\n";
    let document = parse(&text, "").unwrap().0;
    let of = |members: &[&str], document: &Document| {
        let mut config = validate(document).unwrap().0;
        let members = members.iter().map(|one| one.parse::<SocketAddr>().unwrap());
        let target =
            |one: SocketAddr| HttpTarget { address: one.ip(), port: one.port(), weight: 100 };
        Arc::make_mut(&mut config.http_target_groups[0]).targets.extend(members.map(target));
        validate(&document.for_proxy(&config).unwrap()).unwrap().0.http_target_groups[0].clone()
    };
    let group = of(&["10.0.0.1:9000", "[2001:db8::1]:9001"], &document);
    assert!(group.scaling.is_none());
    let targets: Vec<_> = group.targets.iter().map(|one| format!("{one} {}", one.weight)).collect();
    assert_eq!(targets, ["10.0.0.1:9000 100", "[2001:db8::1]:9001 100"]);
    assert!(of(&[], &document).targets.is_empty());
    let declared =
        with(&text, "    scaling:\n", "    targets: [{ address: 10.0.0.1 }]\n    scaling:\n");
    let declared = parse(&declared, "").unwrap().0;
    let both = of(&["10.0.0.2:80"], &declared);
    assert_eq!(both.targets.len(), 2, "one is declared: {:?}", both.targets);
}

#[test]
fn limits_are_edited_and_checked() {
    let mut document = parse(SCALED, "").unwrap().0;
    let edit = |min, max| Edit::LimitCapacity { group: "web".to_owned(), min, max };
    edit(Some(3), Some(30)).apply(&mut document).unwrap();
    edit(None, Some(40)).apply(&mut document).unwrap();
    let (config, _) = validate(&document).unwrap();
    let limits = config.target_groups[0].scaling.as_ref().unwrap().settings.limits;
    assert_eq!(limits, Limits { min: 3, max: 40 });
    assert_eq!(edit(Some(3), None).to_string(), "capacity limits of web: min 3");
    edit(Some(50), None).apply(&mut document).unwrap();
    let error = validate(&document).unwrap_err().to_string();
    assert!(error.contains("min 50 exceeds max 40"), "{error}");

    let mut fixed = parse(SMALL, "").unwrap().0;
    let not_scaled = EditError::NotScaled { group: "web".to_owned() };
    assert_eq!(edit(Some(3), None).apply(&mut fixed), Err(not_scaled));
}

#[test]
fn differences_of_limits_and_policies_have_names() {
    let other = with(SCALED, "max: 20\n", "max: 30\n").replace("value: 1000", "value: 800");
    let [before, after] = [SCALED, &other].map(|text| parse(text, "").unwrap().0);
    let differences: Vec<String> =
        before.differences(&after).iter().map(ToString::to_string).collect();
    assert_eq!(
        differences,
        [
            "~ target_groups[web].scaling.max: 20 -> 30",
            "~ target_groups[web].scaling.policies[load].target_tracking.value: 1000 -> 800"
        ]
    );
}

#[test]
fn parameters_of_drivers_are_hidden() {
    let text = with(SCALED, "command: [server,", "token: s3cret, command: [server,");
    let hidden = parse(&text, "").unwrap().0.without_secrets();
    let shown = serde_json::to_string(&hidden).unwrap();
    assert!(!shown.contains("s3cret") && shown.contains(HIDDEN), "{shown}");
    let errors = validate(&hidden).unwrap_err();
    assert_eq!(errors.errors().len(), 1, "{errors}");
}

/// A member that may come needs a place in the maps.
#[test]
fn all_members_count_towards_the_limits_of_the_agent() {
    let within = crate::Limits { targets: 19, ..crate::Limits::MOST };
    let error = crate::parse_within(SCALED, "", &within).unwrap_err().to_string();
    assert!(error.contains("20 targets are more than the 19"), "{error}");
    let off = crate::Limits { exec_checks: false, ..crate::Limits::MOST };
    for (within, expected) in [
        (off, "checks may not run programs here"),
        (crate::Limits::OF_PROXY, "a proxy with a file runs no programs and starts no members"),
    ] {
        let error = crate::parse_within(SCALED, "", &within).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
