//! A configuration in the files of a directory: what is joined, and where errors are said to be.

use crate::{FileText, Limits, SourceFiles, check, parse, parse_directory};

use super::EXAMPLE;

/// What is wrong with these files.
fn errors(files: &[(&str, &str)]) -> String {
    let checked = parse_directory(&texts(files), "conf.d", &Limits::MOST, &|_| Ok(()));
    checked.map(drop).unwrap_err().to_string()
}

fn texts(files: &[(&str, &str)]) -> Vec<FileText> {
    let file = |(name, text): &(&str, &str)| FileText {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    files.iter().map(file).collect()
}

/// A group, and a listener that forwards to it.
fn service(name: &str, port: u16) -> String {
    format!(
        "target_groups:
  - {{ name: {name}, protocol: tcp, port: {port}, forwarding: ipip, targets: [{{ address: 10.0.1.11 }}] }}
listeners:
  - name: {name}
    address: 203.0.113.10
    port: {port}
    protocol: tcp
    default_action: {{ forward: {{ target_group: {name} }} }}
"
    )
}

const BASE: &str = "interfaces: [eth0]\ntunnel:\n  source_ipv4: 172.16.0.0/16\n";

#[test]
fn lists_are_joined_in_the_order_of_the_files() {
    let (web, shop) = (service("web", 80), service("shop", 443));
    let files = texts(&[("a", BASE), ("b", &web), ("c", &shop), ("d", "listeners:\n")]);
    let (document, config, warnings) =
        parse_directory(&files, "conf.d", &Limits::MOST, &|_| Ok(())).unwrap();
    let names = |config: &crate::Config| {
        let listeners = config.listeners.iter().map(|one| one.name.clone());
        listeners.chain(config.target_groups.iter().map(|one| one.name.to_string())).collect()
    };
    let found: Vec<String> = names(&config);
    assert_eq!(found, ["web", "shop", "web", "shop"]);
    // Warnings say their file, and the index in it.
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].starts_with("c:2:5: target_groups[0].health_check: "), "{said:?}");
    // What is kept is one document, as if it had been one file.
    let written = serde_json::to_string(&document).unwrap();
    assert_eq!(parse(&written, "").unwrap().1, config);
    assert!(check(&document, None, &Limits::MOST, &SourceFiles::NONE, None).is_ok());
    // A whole configuration may stand in one of them.
    assert!(parse_directory(&texts(&[("x", EXAMPLE)]), "", &Limits::MOST, &|_| Ok(())).is_ok());
}

#[test]
fn errors_name_file_line_and_path() {
    let web = service("web", 80);
    let other = web.replace(".10\n", ".11\n");
    let misspelled = web.replace("protocol: tcp, port", "protocl: tcp, port");
    let elsewhere = service("shop", 443).replace("target_group: shop", "target_group: wep");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("a", BASE), ("b", &web), ("c", &other)],
            "c:2:5: target_groups[0]: there are two target groups named web; the other is in b:2\n\
             c:4:5: listeners[0]: there are two listeners named web; the other is in b:4",
        ),
        (
            &[("a", BASE), ("b", &web), ("c", &web.replace("web", "shop"))],
            "c:4:5: listeners[0]: tcp 203.0.113.10:80 of listener shop is taken already; the other is \
             in b:4",
        ),
        (
            &[("a", BASE), ("b", BASE)],
            "b:1:1: interfaces: is set in a:1, too; only `target_groups`, `listeners`, `on_event` may be in several \
             files\n\
             b:2:1: tunnel: is set in a:2, too; only `target_groups`, `listeners`, `on_event` may be in several files",
        ),
        (
            &[("a", BASE), ("b", &web), ("c", &elsewhere)],
            "c:8:48: listeners[0].default_action.forward.target_group: there is no target group wep; did \
             you mean web?",
        ),
        (
            &[("a", BASE), ("b", &misspelled)],
            "b:2:5: target_groups[0]: `protocol` is missing; for example `protocol: tcp`\n\
             b:2:18: target_groups[0].protocl: unknown key; did you mean `protocol`?",
        ),
        (
            &[("a", "listeners: []\n")],
            "conf.d: `interfaces` is missing; for example `interfaces: [eth0]`",
        ),
        (
            &[("a", BASE), ("b", "# nothing\n"), ("c", "- x\n"), ("d", "")],
            "b: is empty; write its keys, or give it a name that does not end in .yaml\n\
             c:1:1: must be a section with keys, not a list\n\
             d: is empty; write its keys, or give it a name that does not end in .yaml",
        ),
        (
            &[("a", BASE), ("b", &web), ("c", "listeners: web\n")],
            "c:1:1: listeners: must be a list, not a text",
        ),
        (
            &[("a", BASE), ("b", "listeners: web\n"), ("c", &web)],
            "b:1:12: listeners: must be a list, not a text",
        ),
    ];
    for (files, said) in cases {
        assert_eq!(errors(files), *said, "{files:?}");
    }
    let said = errors(&[("a", "x: ["), ("b", BASE), ("c", "a: 1\na: 2\n")]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("a:1:4: is not valid YAML"), "{said}");
    assert_eq!(lines[1..], ["c:2:1: the key `a` occurs twice"], "{said}");
}

/// Files together may have as many values as one.
#[test]
fn many_files_are_no_way_around_the_limit_of_values() {
    let many = format!("a: [{}]\n", "1,".repeat(400_000));
    let said = errors(&[("a", BASE), ("b", &many), ("c", &many.replace('a', "b"))]);
    assert!(said.starts_with("c:1:") && said.contains("is too large: more than 600000"), "{said}");
}
