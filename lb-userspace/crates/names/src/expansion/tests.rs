//! Targets that names become.

use lb_config::parse;

use super::*;

fn config(groups: &str, listeners: &str) -> Config {
    let text = format!(
        "interfaces: [eth0]\nsource_nat: {{ addresses: [10.9.9.9] }}\ntarget_groups:\n{groups}\
         listeners: [{listeners}]\n"
    );
    parse(&text, "x").unwrap_or_else(|error| panic!("{error}\n{text}")).1
}

fn group(mode: &str, targets: &str) -> String {
    format!(
        "  - {{ name: web, protocol: tcp, port: 80, forwarding: {mode}, targets: [{targets}] }}\n"
    )
}

fn http(protocol: &str, more: &str, targets: &str) -> String {
    format!("  - {{ name: web, protocol: {protocol}, port: 80, {more}targets: [{targets}] }}\n")
}

const LISTENER: &str = "{ name: web, address: 203.0.113.1, port: 80, protocol: tcp, \
                        default_action: { forward: { target_group: web } } }";

fn known(names: &[(&str, &[&str])]) -> Addresses {
    let parsed = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
    names.iter().map(|(name, all)| ((*name).into(), parsed(all))).collect()
}

/// Targets with weight and whether they are backups, then what is left out.
fn shown(expansion: &Expansion) -> String {
    let Expansion { config, left_out, .. } = expansion;
    let packets = config.target_groups.iter().flat_map(|group| &group.targets);
    let packets = packets.map(|target| {
        let Target { address, port, weight, backup } = target;
        format!("{}*{weight}{}", SocketAddr::new(*address, *port), if *backup { "b" } else { "" })
    });
    let requests = config.http_target_groups.iter().flat_map(|group| &group.targets);
    let requests = requests.map(|target| format!("{target}*{}", target.weight));
    let left_out = left_out.iter().map(|one| {
        format!("{}{}: {}", if one.is_warned_of { "! " } else { "- " }, one.name, one.text)
    });
    packets.chain(requests).chain(left_out).collect::<Vec<_>>().join(" | ")
}

#[test]
fn addresses_become_targets_with_all_that_the_name_has() {
    let addresses = known(&[
        ("a.example.org", &["10.0.0.2", "10.0.0.3", "2001:db8::2"]),
        ("b.example.org", &["10.0.0.3", "10.0.0.1"]),
    ]);
    let a = "{ address: a.example.org, weight: 7, backup: true }";
    let both = "{ address: 10.0.0.1 }, { address: A.Example.org, weight: 7 }, { address: \
                b.example.org, port: 80 }";
    for (groups, listener, expected) in [
        (group("ipip", a), LISTENER, "10.0.0.2:80*7b | 10.0.0.3:80*7b | [2001:db8::2]:80*7b"),
        (
            group("ipip", both),
            LISTENER,
            "10.0.0.1:80*100 | 10.0.0.2:80*7 | 10.0.0.3:80*7 | [2001:db8::2]:80*7",
        ),
        (
            group("nat", a),
            LISTENER,
            "10.0.0.2:80*7b | 10.0.0.3:80*7b | - a.example.org: 2001:db8::2 is of another family \
             than 203.0.113.1 of listener web: forwarding nat needs the same",
        ),
        (
            group("fullnat", "{ address: a.example.org, port: 8080 }"),
            LISTENER,
            "10.0.0.2:8080*100 | 10.0.0.3:8080*100 | - a.example.org: `source_nat` has no address of \
             the family of 2001:db8::2",
        ),
        (
            http("http", "", "{ address: a.example.org, port: 8080, weight: 5 }"),
            "",
            "10.0.0.2:8080*5 | 10.0.0.3:8080*5 | [2001:db8::2]:8080*5",
        ),
        (group("ipip", "{ address: unknown.example.org }"), LISTENER, ""),
        (group("ipip", "{ address: 10.0.0.1 }"), LISTENER, "10.0.0.1:80*100"),
    ] {
        let expansion = expand(config(&groups, listener), &addresses, &Limits::MOST);
        assert_eq!(shown(&expansion), expected, "{groups}");
    }
    let expansion = expand(config(&group("ipip", both), LISTENER), &addresses, &Limits::MOST);
    let origins: Vec<String> =
        expansion.origins.iter().map(|(key, name)| format!("{key} {name}")).collect();
    assert_eq!(
        origins,
        [
            "web/10.0.0.2:80 a.example.org",
            "web/10.0.0.3:80 a.example.org",
            "web/[2001:db8::2]:80 a.example.org"
        ]
    );
}

#[test]
fn addresses_that_are_no_servers_are_left_out() {
    let addresses = known(&[("a.example.org", &["0.0.0.0", "127.0.0.1", "10.0.0.1"])]);
    let a = "{ address: a.example.org }";
    for (groups, expected) in [
        (
            group("ipip", a),
            "10.0.0.1:80*100 | ! a.example.org: 0.0.0.0 is no address that the data path can send \
             packets to (and 1 more)",
        ),
        (
            http("http", "", a),
            "127.0.0.1:80*100 | 10.0.0.1:80*100 | ! a.example.org: 0.0.0.0 is no address that the \
             proxy can connect to",
        ),
    ] {
        let expansion = expand(config(&groups, ""), &addresses, &Limits::MOST);
        assert_eq!(shown(&expansion), expected, "{groups}");
    }
    let addresses = known(&[("a.example.org", &["203.0.113.1"])]);
    let expansion = expand(config(&group("ipip", a), LISTENER), &addresses, &Limits::MOST);
    assert_eq!(
        shown(&expansion),
        "! a.example.org: 203.0.113.1 is the address of listener web",
        "packets to it would come back"
    );
    let addresses = known(&[("a.example.org", &["2001:db8::1"])]);
    let expansion = expand(config(&group("nat", a), LISTENER), &addresses, &Limits::MOST);
    assert!(shown(&expansion).starts_with("! a.example.org: 2001:db8::1 is of another family"));
}

#[test]
fn limits_hold_after_the_expansion() {
    let many: Vec<String> = (1..=60).map(|last| format!("10.0.0.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let addresses = known(&[("a.example.org", &many), ("b.example.org", &["10.0.1.1"])]);
    let both = "{ address: 10.0.2.1 }, { address: a.example.org }, { address: b.example.org }";
    for (targets, expected, left_out) in [
        (62, 62, ""),
        (
            61,
            34,
            "28 of its addresses are beyond the limits of the agent: each name has 32 at most",
        ),
        (3, 3, "59 of its addresses are beyond the limits of the agent: each name has 1 at most"),
        (2, 1, "60 of its addresses are beyond the limits of the agent: each name has 0 at most"),
    ] {
        for groups in [group("ipip", both), http("http", "", both)] {
            let limits = Limits { targets, ..Limits::MOST };
            let expansion = expand(config(&groups, ""), &addresses, &limits);
            assert_eq!(expansion.origins.len() + 1, expected, "{targets}");
            let first = expansion.left_out.first();
            assert_eq!(first.map_or("", |one| &*one.text), left_out, "{targets}");
            assert!(expansion.left_out.iter().all(|one| one.is_warned_of));
        }
    }
}

#[test]
fn the_name_is_that_of_tls_and_of_checks() {
    let addresses = known(&[("a.example.org", &["10.0.0.1"])]);
    let seen = |groups: &str| {
        let config = expand(config(groups, ""), &addresses, &Limits::MOST).config;
        let group = &config.http_target_groups[0];
        let HealthProtocol::Http(check) = &group.health_check.protocol else { panic!() };
        let tls = |name: Option<&String>| name.map_or("-", |name| name).to_owned();
        format!(
            "{} {} {}",
            tls(group.tls.as_ref().unwrap().server_name.as_ref()),
            tls(check.tls.as_ref().unwrap().server_name.as_ref()),
            tls(check.host.as_ref())
        )
    };
    let a = "{ address: a.example.org }";
    for (groups, expected) in [
        (http("https", "", a), "a.example.org a.example.org a.example.org"),
        (
            http("https", "tls: { server_name: b.example.org }, ", a),
            "b.example.org b.example.org a.example.org",
        ),
        (
            http("https", "tls: { verify: none }, ", &format!("{a}, {{ address: 10.0.0.2 }}")),
            "- - -",
        ),
    ] {
        assert_eq!(seen(&groups), expected, "{groups}");
    }
}

#[test]
fn addresses_have_the_tags_of_their_name() {
    let addresses = known(&[("a.example.org", &["10.0.0.1", "10.0.0.2"])]);
    let targets = "{ address: 10.0.0.1, tags: { rack: r1 } }, { address: a.example.org, tags: { rack: \
                   r2 } }";
    let config = config(&group("ipip", targets), LISTENER);
    let config = expand(config, &addresses, &Limits::MOST).config;
    let tags = &config.tags.target_groups["web"].targets;
    let racks: Vec<String> =
        tags.iter().map(|((address, _), tags)| format!("{address} {}", tags["rack"])).collect();
    assert_eq!(racks, ["10.0.0.1 r1", "10.0.0.2 r2"]);
    assert_eq!(names(&config).len(), 1);
}
