//! Targets that come, go and change their weight.

use std::net::IpAddr;

use super::super::{Document, EditError, parse, validate};
use super::{SMALL, with};

fn small() -> Document {
    parse(SMALL, "").unwrap().0
}

fn ip(text: &str) -> IpAddr {
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
    document.add_target("web", ip("10.0.1.12"), None, None).unwrap();
    document.add_target("web", ip("10.0.1.13"), Some(80), Some(7)).unwrap();
    assert_eq!(targets(&document), ["10.0.1.11:80*100", "10.0.1.12:80*100", "10.0.1.13:80*7"]);
    document.weigh_target("web", ip("10.0.1.11"), None, 0).unwrap();
    document.weigh_target("web", ip("10.0.1.13"), Some(80), 9).unwrap();
    document.remove_target("web", ip("10.0.1.12"), Some(80)).unwrap();
    assert_eq!(targets(&document), ["10.0.1.11:80*0", "10.0.1.13:80*9"]);
    document.remove_target("web", ip("10.0.1.11"), None).unwrap();
    document.remove_target("web", ip("10.0.1.13"), None).unwrap();
    assert_eq!(targets(&document), [""; 0]);
    document.add_target("web", ip("10.0.1.11"), None, None).unwrap();
    assert_eq!(targets(&document), ["10.0.1.11:80*100"]);
}

/// The list is made where there is none, or nothing under the key.
#[test]
fn the_first_target() {
    for list in ["", "    targets:\n", "    targets: []\n"] {
        let text = with(SMALL, "    targets:\n      - address: 10.0.1.11\n", list);
        let mut document = parse(&text, "").unwrap().0;
        document.add_target("web", ip("2001:db8::1"), None, Some(3)).unwrap();
        assert_eq!(targets(&document), ["2001:db8::1:80*3"], "{list:?}");
    }
}

/// What an edit writes is checked like everything else.
#[test]
fn a_wrong_edit_is_found_by_the_check() {
    let mut document = small();
    document.add_target("web", ip("127.0.0.1"), Some(81), Some(1001)).unwrap();
    assert_eq!(
        validate(&document).unwrap_err().to_string(),
        "target_groups[0].targets[1].address: 127.0.0.1 is a loopback address\n\
         target_groups[0].targets[1].weight: 1001 is not a whole number from 0 to 1000"
    );
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    type Edit = fn(&mut Document) -> Result<(), EditError>;
    let cases: [(&str, &str, Edit); 11] = [
        (SMALL, "there is no target group wed (there is only web)", |d| {
            d.add_target("wed", ip("10.0.1.12"), None, None)
        }),
        ("interfaces: [eth0]", "there is no target group web (there are none)", |d| {
            d.remove_target("web", ip("10.0.1.12"), None)
        }),
        ("target_groups: []", "there is no target group web (there are none)", |d| {
            d.weigh_target("web", ip("10.0.1.12"), None, 1)
        }),
        (
            "target_groups: [{name: a}, {name: b}, 7]",
            "there is no target group web (there are a, b)",
            |d| d.weigh_target("web", ip("10.0.1.12"), None, 1),
        ),
        (
            SMALL,
            "target group web has 10.0.1.11 already; `xelb target weight` changes its weight",
            |d| d.add_target("web", ip("10.0.1.11"), None, None),
        ),
        (
            SMALL,
            "target group web has 10.0.1.11:80 already; `xelb target weight` changes its weight",
            |d| d.add_target("web", ip("10.0.1.11"), Some(80), Some(5)),
        ),
        (
            SMALL,
            "target group web has no target 10.0.1.11:81; `xelb get targets` lists them",
            |d| d.remove_target("web", ip("10.0.1.11"), Some(81)),
        ),
        (
            SMALL,
            "target group web has no target [2001:db8::1]:80; `xelb get targets` lists them",
            |d| d.weigh_target("web", ip("2001:db8::1"), Some(80), 1),
        ),
        (
            "target_groups: [{name: web}]",
            "target group web has no target 10.0.1.11; `xelb get targets` lists them",
            |d| d.remove_target("web", ip("10.0.1.11"), None),
        ),
        (
            "target_groups: [{name: web, targets: [{address: 10.0.1.11, port: 1}, \
             {address: 10.0.1.11, port: 2}]}]",
            "target group web has 10.0.1.11 on several ports; name one as ADDRESS:PORT",
            |d| d.weigh_target("web", ip("10.0.1.11"), None, 1),
        ),
        (
            "target_groups: [{name: web, targets: none}]",
            "the targets of group web are not a list; correct it with `xelb apply`",
            |d| d.add_target("web", ip("10.0.1.11"), None, None),
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
