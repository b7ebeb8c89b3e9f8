//! From the tree to the model: every key, its default and its range. Rules across keys are in
//! `rules.rs`.

mod action;
mod certificates;
mod condition;
mod defaults;
mod event_hooks;
mod group;
mod health_check;
mod http_attributes;
mod http_group;
mod http_group_attributes;
mod http_listener;
mod life;
mod listener;
mod lists;
mod probe;
mod program;
mod resolver;
mod rule;
mod rules;
mod scaling;
mod tags;
mod targets;
mod via;
mod weight;

use std::sync::Arc;

use defaults::Defaults;
use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    error::At,
    last_document::Last,
    limits::Limits,
    model::{Config, Icmp, Ports, SourceNat, Tunnel},
    named_file::NamedFile,
    positions::Positions,
    regex_count::{REGEXES_MAX, regexes},
    section::{Findings, Section},
    tree::Node,
    values,
};

const ICMP_RATE_MAX: u32 = 1_000_000;

/// Reads everything; what still is a part of the last document is taken from there. Parts with
/// errors are left out: what is returned is whole only when `findings` has no error. A document that
/// has more of something than is allowed is not read at all, since reading it could cost a lot.
pub(super) fn config(
    root: &Node,
    last: Option<&Last>,
    within: &Limits,
    findings: &Findings,
) -> (Config, Positions) {
    let mut places = Positions::default();
    let at = At::spot(root.spot);
    let mut config = Config {
        interfaces: Vec::new(),
        tunnel: default_tunnel(),
        source_nat: None,
        icmp: Icmp::default(),
        hash_seed: None,
        hash_seed_file: None,
        dns_servers: Vec::new(),
        on_event: Vec::new(),
        target_groups: Vec::new(),
        listeners: Vec::new(),
        http_target_groups: Vec::new(),
        http_listeners: Vec::new(),
        tls_listeners: Vec::new(),
        tags: Arc::default(),
    };
    let counted = Limits::counted_in(root);
    let regexes = regexes(root);
    let Some(root) = Section::new(root, at, findings) else {
        return (config, places);
    };
    if exceeds(&root, within, counted) | has_too_many(&root, regexes) {
        return (config, places);
    }
    hash_seed(&root, &mut config);
    if let Some(section) = root.section("tunnel") {
        config.tunnel = tunnel(section);
    }
    source_nat(&root, &mut config, &mut places);
    if let Some(section) = root.section("icmp") {
        config.icmp = icmp(section);
    }
    resolver::resolver(&root, &mut config);
    if root.required("interfaces", "interfaces: [eth0]").is_some() {
        interfaces(&root, &mut config, &mut places);
    }
    // With wrong defaults, every group would be wrong, too.
    if let Some(defaults) = Defaults::read(&root) {
        lists::target_groups(&root, last, &defaults, &mut config, &mut places);
    } else {
        let _known = root.entry("target_groups");
        places.group_missing = true;
    }
    lists::listeners(&root, last, &mut config, &mut places);
    config.tags = Arc::new(tags::of_all(&config, &places));
    config.on_event = event_hooks::event_hooks(&root);
    root.finish();
    (config, places)
}

fn hash_seed(root: &Section<'_>, config: &mut Config) {
    config.hash_seed = root.read("hash_seed", values::hash_seed);
    let Some(entry) = root.entry("hash_seed_file") else {
        return;
    };
    config.hash_seed_file = root.read("hash_seed_file", values::seed_file);
    if root.entry("hash_seed").is_some() {
        root.findings.error(&entry.at, "contradicts `hash_seed`: set only one of them");
    } else if let Some(path) = &config.hash_seed_file {
        root.findings.file(&entry.at, NamedFile::Seed(path.clone()));
    }
}

/// Complains about lists that are longer than is allowed. Says whether there is one.
fn exceeds(root: &Section<'_>, within: &Limits, counted: Limits) -> bool {
    let mut exceeds = false;
    for exceeded in within.exceeded_by(counted) {
        let key = if exceeded.is_of_listeners() { "listeners" } else { "target_groups" };
        if let Some(list) = root.list(key) {
            root.findings.error(&list.at, exceeded.message());
        }
        exceeds = true;
    }
    exceeds
}

/// Complains about more regular expressions than are allowed. Says whether there are so many.
fn has_too_many(root: &Section<'_>, regexes: usize) -> bool {
    if regexes <= REGEXES_MAX {
        return false;
    }
    let Some(list) = root.list("listeners") else {
        return true;
    };
    let message = format!(
        "{regexes} regular expressions of rules are more than the {REGEXES_MAX} that this version \
         supports; use values with `*` and `?` where they can express the same"
    );
    root.findings.error(&list.at, message);
    true
}

fn interfaces(root: &Section<'_>, config: &mut Config, places: &mut Positions) {
    let Some(list) = root.list("interfaces") else {
        return;
    };
    if list.items().len() == 0 {
        root.findings.error(&list.at, "is empty; name at least one interface");
    }
    for entry in list.entries() {
        match values::interface(entry.node) {
            Ok(name) => {
                config.interfaces.push(name);
                places.interfaces.push(entry.at);
            }
            Err(message) => root.findings.error(&entry.at, message),
        }
    }
}

/// 172.16.0.0/16 as Katran has it, and the discard prefix of RFC 6666.
fn default_tunnel() -> Tunnel {
    let v4 = Ipv4Net::new_assert([172, 16, 0, 0].into(), 16);
    let v6 = Ipv6Net::new_assert([0x100, 0, 0, 0, 0, 0, 0, 0].into(), 64);
    Tunnel { source_ipv4: v4, source_ipv6: v6 }
}

fn tunnel(section: Section<'_>) -> Tunnel {
    let default = default_tunnel();
    let v4 = section.read("source_ipv4", values::source_ipv4);
    let v6 = section.read("source_ipv6", values::source_ipv6);
    section.finish();
    Tunnel {
        source_ipv4: v4.unwrap_or(default.source_ipv4),
        source_ipv6: v6.unwrap_or(default.source_ipv6),
    }
}

fn source_nat(root: &Section<'_>, config: &mut Config, places: &mut Positions) {
    if root.entry("source_nat").is_none() {
        return;
    }
    let Some(section) = root.section("source_nat") else {
        places.source_missing = true;
        return;
    };
    let ports = section.read("ports", values::source_ports);
    places.source_missing = section.required("addresses", "addresses: [10.0.0.2]").is_none();
    let list = section.list("addresses");
    places.source_missing |= list.is_none();
    let mut addresses = Vec::new();
    if let Some(list) = list {
        let max = SourceNat::ADDRESSES_MAX;
        match list.items().len() {
            0 => {
                section.findings.error(&list.at, "is empty; name at least one address");
                places.source_missing = true;
            }
            count if count > max => {
                let message = format!("{count} addresses are more than the maximum of {max}");
                section.findings.error(&list.at, message);
            }
            _ => {}
        }
        for entry in list.entries() {
            match values::address(entry.node) {
                Ok(address) => {
                    addresses.push(address);
                    places.sources.push(entry.at);
                }
                Err(message) => {
                    section.findings.error(&entry.at, message);
                    places.source_missing = true;
                }
            }
        }
    }
    section.finish();
    let Ports { first, last } =
        ports.unwrap_or(Ports { first: SourceNat::FIRST_PORT_MIN, last: u16::MAX });
    config.source_nat = Some(SourceNat { addresses, first_port: first, last_port: last });
}

fn icmp(section: Section<'_>) -> Icmp {
    let default = Icmp::default();
    let echo_reply = section.read("echo_reply", values::truth);
    let rate = section.read("rate", |node| values::number(node, 1..=ICMP_RATE_MAX));
    section.finish();
    Icmp {
        echo_reply: echo_reply.unwrap_or(default.echo_reply),
        rate: rate.unwrap_or(default.rate),
    }
}
