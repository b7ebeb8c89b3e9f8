//! Targets that come, go and change their weight.

use std::sync::Arc;

use super::{
    super::{Document, EditError, TargetAddress, validate},
    parse,
};
use super::{MODES, SMALL, with};

fn small() -> Document {
    parse(SMALL, "").unwrap().0
}

fn ip(text: &str) -> TargetAddress {
    text.parse().unwrap()
}

/// The targets of the first group, as `ADDRESS:PORT*WEIGHT`.
fn targets(document: &Document) -> Vec<String> {
    let (config, _) = validate(document).unwrap();
    let group = config.target_groups.first().unwrap();
    group.targets.iter().map(|one| format!("{}:{}*{}", one.address, one.port, one.weight)).collect()
}

#[test]
fn targets_come_and_go() {
    let mut document = small();
    document.add_target("web", &ip("10.0.1.12"), None, None).unwrap();
    document.add_target("web", &ip("10.0.1.13"), Some(80), Some(7)).unwrap();
    assert_eq!(targets(&document), ["10.0.1.11:80*100", "10.0.1.12:80*100", "10.0.1.13:80*7"]);
    document.weigh_target("web", &ip("10.0.1.11"), None, 0).unwrap();
    document.weigh_target("web", &ip("10.0.1.13"), Some(80), 9).unwrap();
    document.remove_target("web", &ip("10.0.1.12"), Some(80)).unwrap();
    assert_eq!(targets(&document), ["10.0.1.11:80*0", "10.0.1.13:80*9"]);
    document.remove_target("web", &ip("10.0.1.11"), None).unwrap();
    document.remove_target("web", &ip("10.0.1.13"), None).unwrap();
    assert_eq!(targets(&document), [""; 0]);
    document.add_target("web", &ip("10.0.1.11"), None, None).unwrap();
    assert_eq!(targets(&document), ["10.0.1.11:80*100"]);
}

/// The list is made where there is none, or nothing under the key.
#[test]
fn the_first_target() {
    for list in ["", "    targets:\n", "    targets: []\n"] {
        let text = with(SMALL, "    targets:\n      - address: 10.0.1.11\n", list);
        let mut document = parse(&text, "").unwrap().0;
        document.add_target("web", &ip("2001:db8::1"), None, Some(3)).unwrap();
        assert_eq!(targets(&document), ["2001:db8::1:80*3"], "{list:?}");
    }
}

/// What an edit writes is checked like everything else.
#[test]
fn a_wrong_edit_is_found_by_the_check() {
    let mut document = small();
    document.add_target("web", &ip("127.0.0.1"), Some(81), Some(1001)).unwrap();
    assert_eq!(
        validate(&document).unwrap_err().to_string(),
        "target_groups[0].targets[1].address: 127.0.0.1 is a loopback address\n\
         target_groups[0].targets[1].weight: 1001 is not a whole number from 0 to 1000"
    );
}

/// Other keys stay as they are, and the edit is checked against them.
#[test]
fn targets_of_every_mode() {
    let mut document = parse(MODES, "").unwrap().0;
    let before = validate(&document).unwrap().0;
    document.add_target("tunnel", &ip("fd00:1::12"), Some(9), None).unwrap();
    document.add_target("local", &ip("10.0.1.13"), Some(99), None).unwrap();
    document.remove_target("far", &ip("192.0.2.1"), Some(81)).unwrap();
    let mut after = validate(&document).unwrap().0;
    let targets: Vec<_> = after.target_groups.iter().map(|group| group.targets.len()).collect();
    assert_eq!(targets, [3, 2, 1]);
    for (group, old) in after.target_groups.iter_mut().zip(&before.target_groups) {
        Arc::make_mut(group).targets.clone_from(&old.targets);
    }
    assert_eq!(after, before);
    document.add_target("far", &ip("fd00:1::12"), None, None).unwrap();
    document.add_target("local", &ip("203.0.113.15"), None, None).unwrap();
    document.add_target("local", &ip("10.0.0.2"), None, None).unwrap();
    assert_eq!(
        validate(&document).unwrap_err().to_string(),
        "source_nat.addresses[0]: 10.0.0.2 belongs to a target of group local; use an address that only the balancer has\n\
         target_groups[1].targets[2]: 203.0.113.15 is in 203.0.113.0/28 of listener prefix: packets to it would come back to this host\n\
         target_groups[2].targets[1]: fd00:1::12 is of another family than 203.0.113.3 of listener inside: fullnat does not translate between families; ipip and gue carry both"
    );
}

#[test]
fn an_impossible_edit_changes_nothing() {
    type Edit = fn(&mut Document) -> Result<(), EditError>;
    let cases: [(&str, &str, Edit); 11] = [
        (SMALL, "there is no target group wed (there is only web)", |d| {
            d.add_target("wed", &ip("10.0.1.12"), None, None)
        }),
        ("interfaces: [eth0]", "there is no target group web (there are none)", |d| {
            d.remove_target("web", &ip("10.0.1.12"), None)
        }),
        ("target_groups: []", "there is no target group web (there are none)", |d| {
            d.weigh_target("web", &ip("10.0.1.12"), None, 1)
        }),
        (
            "target_groups: [{name: a}, {name: b}, 7]",
            "there is no target group web (there are a, b)",
            |d| d.weigh_target("web", &ip("10.0.1.12"), None, 1),
        ),
        (
            SMALL,
            "target group web has 10.0.1.11 already; change its weight with `xelb target weight`",
            |d| d.add_target("web", &ip("10.0.1.11"), None, None),
        ),
        (
            SMALL,
            "target group web has 10.0.1.11:80 already; change its weight with `xelb target \
             weight`",
            |d| d.add_target("web", &ip("10.0.1.11"), Some(80), Some(5)),
        ),
        (
            SMALL,
            "target group web has no target 10.0.1.11:81; `xelb get targets` lists them",
            |d| d.remove_target("web", &ip("10.0.1.11"), Some(81)),
        ),
        (
            SMALL,
            "target group web has no target [2001:db8::1]:80; `xelb get targets` lists them",
            |d| d.weigh_target("web", &ip("2001:db8::1"), Some(80), 1),
        ),
        (
            "target_groups: [{name: web}]",
            "target group web has no target 10.0.1.11; `xelb get targets` lists them",
            |d| d.remove_target("web", &ip("10.0.1.11"), None),
        ),
        (
            "target_groups: [{name: web, targets: [{address: 10.0.1.11, port: 1}, \
             {address: 10.0.1.11, port: 2}]}]",
            "target group web has 10.0.1.11 on several ports; name one as ADDRESS:PORT",
            |d| d.weigh_target("web", &ip("10.0.1.11"), None, 1),
        ),
        (
            "target_groups: [{name: web, targets: none}]",
            "the targets of group web are not a list; correct it with `xelb apply`",
            |d| d.add_target("web", &ip("10.0.1.11"), None, None),
        ),
    ];
    for (text, expected, edit) in cases {
        let before: Document = unchecked(text);
        let mut document = before.clone();
        assert_eq!(edit(&mut document).unwrap_err().to_string(), expected);
        assert_eq!(document, before, "{expected}");
    }
}

/// A document that need not be a good configuration.
fn unchecked(text: &str) -> Document {
    super::super::syntax::document(text).unwrap()
}
