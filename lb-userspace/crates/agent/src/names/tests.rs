//! What the loop makes of names: words of warnings, and refused edits.

use lb_config::{Edit, TargetAddress};
use lb_dns::{Resolver, SystemFiles};
use lb_plan::warning::{Warning, WarningKind};

use super::{known::*, *};

fn key(group: &str, last: u8) -> TargetKey {
    TargetKey { group: group.into(), address: [10, 0, 0, last].into(), port: 80 }
}

fn origins() -> BTreeMap<TargetKey, Arc<str>> {
    let order: Arc<str> = "order.example.org".into();
    let one: Arc<str> = "one.example.org".into();
    [(key("web", 1), Arc::clone(&order)), (key("web", 2), order), (key("api", 3), one)].into()
}

fn said(result: Result<impl std::fmt::Debug, Refusal>) -> String {
    result.map_or_else(|refusal| refusal.to_string(), |value| format!("{value:?}"))
}

#[test]
fn what_belongs_to_a_name_is_changed_at_the_name() {
    let group = || "web".to_owned();
    let at = |address: &str| address.parse::<TargetAddress>().unwrap();
    let remove = |address, port| Edit::RemoveTarget { group: group(), address: at(address), port };
    let weigh =
        |address| Edit::WeighTarget { group: group(), address: at(address), port: None, weight: 5 };
    for (edit, expected) in [
        (
            remove("10.0.0.1", Some(80)),
            "target web/10.0.0.1:80 is an address of the name order.example.org: `xelb target remove \
             web order.example.org:80` removes all of them, and `xelb target drain web 10.0.0.1:80` \
             takes this one out of service",
        ),
        (
            weigh("10.0.0.2"),
            "target web/10.0.0.2:80 is an address of the name order.example.org: `xelb target weight \
             web order.example.org:80 N` changes all of them, and `xelb target drain web 10.0.0.2:80` \
             takes this one out of service",
        ),
        (remove("10.0.0.1", Some(81)), "()"),
        (remove("10.0.0.3", None), "()"),
        (remove("order.example.org", None), "()"),
        (weigh("10.0.0.9"), "()"),
    ] {
        assert_eq!(said(edits::refuse(&edit, &origins())), expected, "{edit}");
    }
}

#[test]
fn a_name_stands_for_its_only_address() {
    for (group, target, drain, described) in [
        ("web", "10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("api", "one.example.org", "", "10.0.0.3"),
        (
            "web",
            "order.example.org",
            "",
            "the name order.example.org has several addresses; name one of its targets: web/10.0.0.1:80, web/10.0.0.2:80",
        ),
        (
            "web",
            "two.example.org",
            "",
            "target group web has no target of the name two.example.org; `xelb get targets` lists all",
        ),
    ] {
        let target: TargetAddress = target.parse().unwrap();
        assert_eq!(said(only_address(group, &target, &origins())), described);
        if let TargetAddress::Name(_) = target {
            continue;
        }
        assert_eq!(said(address_to_drain(group, &target, &origins())), drain);
    }
    let refused =
        |group, name: &str| said(address_to_drain(group, &name.parse().unwrap(), &origins()));
    assert_eq!(
        refused("web", "order.example.org"),
        "order.example.org is a DNS name, whose addresses may change: name one of its targets: \
         web/10.0.0.1:80, web/10.0.0.2:80; `xelb target weight web order.example.org 0` takes all of \
         them out of service, also later ones"
    );
    let unknown = refused("web", "two.example.org");
    assert!(unknown.contains("it has no targets now in target group web"), "{unknown}");
    assert!(!unknown.contains("xelb target weight"), "{unknown}");
}

#[tokio::test]
async fn names_that_fail_are_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, "10.0.0.1 known.example.org\n").unwrap();
    let text = "interfaces: [eth0]\nresolver: { servers: [\"127.0.0.1:1\"] }\ntarget_groups:\n  - { \
                name: web, protocol: http, port: 80, targets: [{ address: known.example.org }, { \
                address: lost.example.org }] }\n  - { name: api, protocol: http, port: 80, targets: [{ \
                address: lost.example.org }, { address: old.example.org }] }\n";
    let (_, config, _) = lb_config::parse(text, "x").unwrap();
    let resolver = Resolver::new(SystemFiles::at(&dir.path().join("none"), &hosts));
    resolver.restore([("old.example.org".into(), vec![[10, 0, 0, 2].into()])]);
    let mut names = Names { resolver, declared: Some(config.clone()), ..Names::default() };
    assert!(names.warnings().is_empty(), "nothing has failed yet");
    assert_eq!(
        names.remarks().last().unwrap(),
        "the name lost.example.org is not resolved yet: until it is, target groups web, api have none \
         of its targets"
    );
    names.resolver.follow(&lb_names::expansion::names(&config), &config.dns_servers);
    let is_done = |names: &Names| names.resolver.views().iter().all(|one| one.life.lookups > 0);
    while !is_done(&names) {
        names.resolver.changed().await;
    }
    let warnings: Vec<String> = names.warnings().iter().map(ToString::to_string).collect();
    let refused = "server 127.0.0.1:1: Connection refused (os error 111)";
    assert_eq!(
        warnings,
        [
            format!(
                "the name lost.example.org has never been resolved, and target groups web, api have \
                 none of its targets: {refused}"
            ),
            format!(
                "the name old.example.org cannot be resolved, and its last addresses stay in use \
                 (10.0.0.2): {refused}"
            ),
        ]
    );
    let known: Vec<String> = names.known().keys().map(ToString::to_string).collect();
    assert_eq!(known, ["known.example.org", "old.example.org"]);
    let view = &names.views(Instant::now())[2];
    assert_eq!((&*view.name, view.lookups, view.lookups_failed), ("old.example.org", 1, 1));
    let (group, name) = ("web".into(), "known.example.org".into());
    let text = "127.0.0.1 is no address".to_owned();
    names.note(vec![LeftOut { group, name, text, is_warned_of: true }]);
    let last = names.warnings().pop().unwrap();
    assert_eq!(
        last,
        "target group web: not all addresses of known.example.org are targets: 127.0.0.1 is no address"
    );
}

#[test]
fn warnings_are_few() {
    let all = |count: usize| {
        let warning = |number| Warning::new(WarningKind::NameUnresolved, "x", format!("{number}"));
        few((0..count).map(warning).collect(), WarningKind::NameUnresolved)
    };
    assert_eq!(all(WARNED_MAX).len(), WARNED_MAX);
    let many = all(WARNED_MAX + 3990);
    assert_eq!(many.len(), WARNED_MAX + 1);
    assert!(many[WARNED_MAX].text.starts_with("3990 more warnings of this kind: "), "{many:?}");
}
