//! Tags: what is read, what is refused, and that they are apart from what is planned and served.

use std::collections::BTreeMap;

use super::{
    super::{Checker, Document, Tags, TargetKey, validate},
    EXAMPLE, HTTP, check_changes, config, parse, with,
};

/// The example with tags at every object.
fn tagged() -> String {
    let text = with(
        EXAMPLE,
        "    port: 80\n    forwarding",
        "    port: 80\n    tags: { env: prod }\n    forwarding",
    );
    let text =
        with(&text, "weight: 100 }", "weight: 100, tags: { rack: \"12\", \"a b/c\": x=y } }");
    with(
        &text,
        "    protocol: tcp\n    default_action",
        "    protocol: tcp\n    tags: { owner: é@b.example }\n    default_action",
    )
}

fn of(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn listeners_groups_and_targets_have_tags() {
    let config = config(&tagged());
    assert_eq!(config.tags.of_listener("web"), of(&[("owner", "é@b.example")]));
    assert_eq!(config.tags.of_group("web"), of(&[("env", "prod")]));
    let key = |address: &str| TargetKey {
        group: "web".into(),
        address: address.parse().unwrap(),
        port: 80,
    };
    let rack = of(&[("rack", "12"), ("a b/c", "x=y")]);
    assert_eq!(config.tags.of_target(&key("10.0.1.11")), rack);
    assert_eq!(config.tags.of_target(&key("2001:db8::11")), Tags::new());
    let proxied = with(HTTP, "{ address: 10.0.1.11 }", "{ address: 10.0.1.11, tags: { rack: a } }");
    let key = TargetKey { group: "order".into(), ..key("10.0.1.11") };
    let tags = super::config(&proxied).tags;
    assert_eq!(tags.of_target(&TargetKey { port: 8080, ..key }), of(&[("rack", "a")]));
}

/// What plans are made of is the same, whether parts are read anew or taken from the last document.
#[test]
fn tags_alone_change_no_listener_and_no_group() {
    let mut checker = Checker::default();
    let document = |text: &str| parse(text, "x").unwrap().0;
    let (plain, _) = checker.check(&document(EXAMPLE)).unwrap();
    let (with_tags, _) = checker.check(&document(&tagged())).unwrap();
    assert_eq!(with_tags.target_groups, plain.target_groups);
    assert_eq!(with_tags.listeners, plain.listeners);
    assert_ne!(with_tags.tags, plain.tags);
    // Unchanged parts keep their tags.
    let more = tagged().replace("interval: 5s", "interval: 6s");
    let (again, _) = checker.check(&document(&more)).unwrap();
    assert_eq!(again.tags, with_tags.tags);
    assert_eq!(again, validate(&document(&more)).unwrap().0);
    let (without, _) = checker.check(&document(EXAMPLE)).unwrap();
    assert_eq!(without.tags, plain.tags);
}

/// A proxy is not told of tags, so that another tag is no other configuration for it.
#[test]
fn a_proxy_sees_no_tags() {
    let text = with(HTTP, "{ address: 10.0.1.11 }", "{ address: 10.0.1.11, tags: { a: b } }");
    let text = text.replace("    protocol: http\n", "    protocol: http\n    tags: { a: b }\n");
    let text = text.replace("    protocol: https\n", "    protocol: https\n    tags: { a: b }\n");
    assert!(text.matches("tags:").count() >= 4, "{text}");
    let text =
        with(&text, "        priority: 10\n", "        priority: 10\n        tags: { a: b }\n");
    let part = |text: &str| {
        let (document, config, _) = parse(text, "x").unwrap();
        document.for_proxy(&config).unwrap()
    };
    assert!(part(&text).is_same_as(&part(HTTP)));
}

impl Document {
    fn is_same_as(&self, other: &Self) -> bool {
        serde_json::to_string(self).unwrap() == serde_json::to_string(other).unwrap()
    }
}

#[test]
fn rules_and_members_have_tags() {
    let rule = "        priority: 10\n";
    config(&with(HTTP, rule, &format!("{rule}        tags: {{ team: shop }}\n")));
    let wrong = with(HTTP, rule, &format!("{rule}        tags: {{ team: 7 }}\n"));
    let error = parse(&wrong, "x").unwrap_err().to_string();
    assert!(error.contains("rules[0].tags.team: 7 is not a text"), "{error}");
    let scaled = |tags: &str| {
        let driver = "driver: { exec: { program: /bin/true } }";
        let scaling = format!("    scaling: {{ min: 1, max: 2, {driver}, tags: {tags} }}\n");
        with(
            EXAMPLE,
            "    port: 80\n    forwarding",
            &format!("    port: 80\n{scaling}    forwarding"),
        )
    };
    let group = &config(&scaled("{ tier: spot }")).target_groups[0];
    assert_eq!(group.scaling.as_ref().unwrap().tags, of(&[("tier", "spot")]));
    let error = parse(&scaled("{ tier: true }"), "x").unwrap_err().to_string();
    assert!(error.contains("scaling.tags.tier: true is not a text"), "{error}");
}

#[test]
fn wrong_tags_are_refused() {
    let long = "a".repeat(129);
    let key = "is not the key of a tag: 1 to 128 letters, digits, inner blanks and `+ - . _ : / @`, such as `env`";
    let value = "is not the value of a tag: at most 256 letters, digits, inner blanks and `+ - = . _ : / @`, such as `prod`";
    let with_tags = |tags: &str| format!("    port: 80\n    tags: {tags}\n    forwarding");
    let many: BTreeMap<String, &str> = (0..51).map(|number| (format!("k{number}"), "v")).collect();
    let cases = [
        (
            "[a]".to_owned(),
            "~:6:11: target_groups[0].tags: must be a section with keys, not a list".to_owned(),
        ),
        (
            "{ env: 7 }".to_owned(),
            "~:6:18: target_groups[0].tags.env: 7 is not a text; put it in quotes: \"7\""
                .to_owned(),
        ),
        (
            "{ env: }".to_owned(),
            "~:6:16: target_groups[0].tags.env: must be a text, not nothing".to_owned(),
        ),
        ("{ \"a=b\": c }".to_owned(), format!("~:6:20: target_groups[0].tags.a=b: the key {key}")),
        ("{ \" a\": c }".to_owned(), format!("~:6:19: target_groups[0].tags. a: the key {key}")),
        ("{ a: \"b,c\" }".to_owned(), format!("~:6:16: target_groups[0].tags.a: `b,c` {value}")),
        ("{ a: \"b \" }".to_owned(), format!("~:6:16: target_groups[0].tags.a: `b ` {value}")),
        (
            serde_json::to_string(&many).unwrap(),
            "~:6:11: target_groups[0].tags: 51 tags are more than the 50 of an object".to_owned(),
        ),
    ];
    for (tags, message) in &cases {
        let changed = with_tags(tags);
        check_changes(
            EXAMPLE,
            &[("    port: 80\n    forwarding", changed.as_str(), message.as_str())],
        );
    }
    let text =
        with(EXAMPLE, "    port: 80\n    forwarding", &with_tags(&format!("{{ {long}: x }}")));
    let error = parse(&text, "x").unwrap_err().to_string();
    assert!(error.contains("the key is not the key of a tag"), "{error}");
}
