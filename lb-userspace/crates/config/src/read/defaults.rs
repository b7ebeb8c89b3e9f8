//! The section `defaults`: what target groups have without saying so. A group is read with what it lacks
//! put into it; its own keys come first, and what does not fit its protocol or mode is left out.

use std::{borrow::Cow, sync::Arc};

use super::{group::target_group, http_group::http_target_group, weight::WEIGHT};
use crate::{
    error::Position,
    model::HttpGroupProtocol,
    section::{Findings, Section},
    tree::{Node, Value},
    values,
};

type Entry = (Node, Node);

/// Keys of a target group that each has for itself.
const OWN: [&str; 7] =
    ["name", "protocol", "port", "targets", "scaling", "protocol_version", "tls"];
/// Keys of checks of all protocols.
const OF_CHECKS: [&str; 6] = [
    "port",
    "interval",
    "timeout",
    "healthy_threshold",
    "unhealthy_threshold",
    "inconclusive_timeout",
];
/// Attributes of all groups.
const OF_ALL: [&str; 3] = ["deregistration_delay", "slow_start", "minimum_healthy_targets"];
/// Attributes of groups of tcp.
const OF_TCP: [&str; 1] = ["tcp_mss"];
/// Attributes of mode gue.
const OF_GUE: [&str; 2] = ["gue_port", "gue_variant"];
/// Attributes of groups that the proxy reaches.
const OF_REQUESTS: [&str; 4] = ["algorithm", "anomaly_mitigation", "retries", "max_connections"];
/// Attributes that each group has for itself.
const OWN_ATTRIBUTES: [&str; 6] = [
    "stickiness",
    "connection_termination",
    "unhealthy_draining_interval",
    "backup_threshold",
    "quorum",
    "proxy_protocol",
];
/// Two forms of one value: a group that has one does not take the other.
const FORMS: [(&str, &str); 2] = [("payload", "payload_hex"), ("expect", "expect_hex")];

/// What groups have without saying so.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    /// Weight of targets; `None` when it is not set.
    pub(super) weight: Option<u32>,
    forwarding: Option<Entry>,
    health_check: Vec<Entry>,
    attributes: Vec<Entry>,
}

impl Defaults {
    /// Reads the section; `None` when something is wrong with it, which is reported.
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let Some(entry) = root.entry("defaults") else {
            return Some(Self::default());
        };
        let (errors, findings) = (root.findings.count(), root.findings);
        let section = Section::new(entry.node, entry.at.clone(), findings)?;
        for key in OWN {
            section.refuse(key, "cannot be a default: each target group has its own");
        }
        let weight = section.read("weight", values::weight);
        let _checked = section.read("forwarding", values::mode);
        let defaults = Self {
            weight,
            forwarding: entry_of(entry.node, "forwarding"),
            health_check: section.section("health_check").map(|one| one.set_entries())?,
            attributes: section.section("attributes").map(attributes)?,
        };
        section.finish();
        defaults.check(&entry.at, findings);
        (findings.count() == errors).then_some(defaults)
    }

    /// Reads a group of packets and one of requests that have nothing else.
    fn check(&self, at: &crate::error::At, findings: &Findings) {
        let is_gue = self.attributes.iter().any(|(key, _)| is_one_of(key, &OF_GUE));
        let text = |key: &str, value: &str| (Node::text(key), Node::text(value));
        let group = |protocol: &str, more: Vec<Entry>| {
            let mut entries = vec![text("name", "x"), text("protocol", protocol)];
            entries.push((Node::text("port"), Node::integer(80u16)));
            entries.extend(more);
            map(entries, at.spot)
        };
        let mode = if is_gue { "gue" } else { "ipip" };
        let packets = group("tcp", vec![text("forwarding", mode)]);
        let mut packets = self.packets(&packets).into_owned();
        if !self.health_check.is_empty() {
            // All of it, whatever belongs to it.
            packets.set("health_check", map(self.health_check.clone(), at.spot));
        }
        let requests = self.requests(&group("http", Vec::new())).into_owned();
        let scratch = findings.without_findings();
        if let Some(section) = Section::new(&packets, at.clone(), &scratch) {
            let _group = target_group(section, 0, Some(WEIGHT));
        }
        if let Some(section) = Section::new(&requests, at.clone(), &scratch) {
            let _group = http_target_group(section, HttpGroupProtocol::Http, 0, Some(WEIGHT));
        }
        findings.take_errors(scratch);
    }

    /// A group that the data path reaches, with what it lacks.
    pub(super) fn packets<'a>(&self, group: &'a Node) -> Cow<'a, Node> {
        self.complete(group, true)
    }

    /// A group that the proxy reaches, with what it lacks.
    pub(super) fn requests<'a>(&self, group: &'a Node) -> Cow<'a, Node> {
        self.complete(group, false)
    }

    fn complete<'a>(&self, group: &'a Node, is_packets: bool) -> Cow<'a, Node> {
        let nothing =
            self.forwarding.is_none() && self.health_check.is_empty() && self.attributes.is_empty();
        if nothing || !matches!(group.value, Value::Map(_)) {
            return Cow::Borrowed(group);
        }
        let mut group = group.clone();
        if is_packets && lacks(&group, "forwarding") {
            insert(&mut group, self.forwarding.clone());
        }
        let protocol = text_of(&group, "protocol").unwrap_or_default().to_owned();
        let mode = text_of(&group, "forwarding").unwrap_or_default().to_owned();
        let answers_tcp = !is_one_of_text(&protocol, &["udp", "quic"]);
        // What is checked of a udp port says nothing: such a group says itself what is.
        if answers_tcp || !lacks(&group, "health_check") {
            let tunnelled = is_one_of_text(&mode, &["ipip", "gue", "l2dsr"]);
            let check = self.check_for(group.get("health_check"), is_packets, tunnelled);
            put(&mut group, "health_check", check);
        }
        let belongs = |key: &Node| {
            is_one_of(key, &OF_ALL)
                || is_packets && protocol == "tcp" && is_one_of(key, &OF_TCP)
                || mode == "gue" && is_one_of(key, &OF_GUE)
                || !is_packets && is_one_of(key, &OF_REQUESTS)
        };
        let attributes = self.attributes.iter().filter(|(key, _)| belongs(key)).cloned().collect();
        put(&mut group, "attributes", attributes);
        Cow::Owned(group)
    }

    /// What fits a check of a group. Keys of one protocol go to checks of that protocol only.
    fn check_for(&self, own: Option<&Node>, is_packets: bool, tunnelled: bool) -> Vec<Entry> {
        let own_text = |key: &str| own.and_then(|own| text_of(own, key));
        let of_default = self.health_check.iter().find(|(key, _)| is_one_of(key, &["protocol"]));
        let of_default = of_default.and_then(|(_, value)| value.as_text()).unwrap_or("tcp");
        let protocol = own_text("protocol").unwrap_or(of_default);
        let is_same = is_packets && protocol == of_default;
        let by_tcp = is_one_of_text(protocol, &["tcp", "http", "https", "grpc"]);
        let has_form = |key: &Node| {
            FORMS.iter().any(|(one, other)| {
                is_one_of(key, &[one]) && own.is_some_and(|own| !lacks(own, other))
                    || is_one_of(key, &[other]) && own.is_some_and(|own| !lacks(own, one))
            })
        };
        let belongs = |(key, value): &&Entry| {
            if is_one_of(key, &OF_CHECKS) {
                return !(is_one_of(key, &["port"]) && protocol == "icmp");
            }
            if is_one_of(key, &["via"]) {
                return is_packets && (value.as_text() != Some("tunnel") || tunnelled && by_tcp);
            }
            is_same && !has_form(key)
        };
        self.health_check.iter().filter(belongs).cloned().collect()
    }
}

/// The attributes that may be defaults.
fn attributes(section: Section<'_>) -> Vec<Entry> {
    for key in OF_ALL.iter().chain(&OF_TCP).chain(&OF_GUE).chain(&OF_REQUESTS) {
        let _known = section.entry(key);
    }
    for key in OWN_ATTRIBUTES {
        section.refuse(key, "cannot be a default: set it in the `attributes` of target groups");
    }
    let known = [&OF_ALL[..], &OF_TCP, &OF_GUE, &OF_REQUESTS].concat();
    let entries = section.set_entries().into_iter().filter(|(key, _)| is_one_of(key, &known));
    let entries = entries.collect();
    section.finish();
    entries
}

/// Puts what is missing into a section of a group.
fn put(group: &mut Node, key: &str, more: Vec<Entry>) {
    if more.is_empty() {
        return;
    }
    let spot = group.spot;
    match group.get_mut(key) {
        Some(own @ Node { value: Value::Map(_), .. }) => {
            let missing = |(name, _): &Entry| lacks(own, name.as_text().unwrap_or_default());
            let missing: Vec<Entry> = more.into_iter().filter(missing).collect();
            insert(own, missing);
        }
        Some(Node { value: Value::Null, .. }) | None => {
            let name = Node { value: Value::Text(key.to_owned()), spot };
            insert(group, [(name, map(more, spot))]);
        }
        // It is something else, which is reported.
        Some(_) => {}
    }
}

/// Adds keys that a section lacks, with their own positions.
fn insert(section: &mut Node, entries: impl IntoIterator<Item = Entry>) {
    if let Value::Map(own) = &mut section.value {
        let own = Arc::make_mut(own);
        for (name, value) in entries {
            // One that is there is empty.
            own.retain(|(other, _)| other.as_text() != name.as_text());
            own.push((name, value));
        }
    }
}

fn map(entries: Vec<Entry>, spot: Position) -> Node {
    Node { value: Value::Map(Arc::new(entries)), spot }
}

fn entry_of(section: &Node, key: &str) -> Option<Entry> {
    let Value::Map(entries) = &section.value else { return None };
    entries
        .iter()
        .find(|(name, value)| is_one_of(name, &[key]) && value.value != Value::Null)
        .cloned()
}

fn lacks(section: &Node, key: &str) -> bool {
    section.get(key).is_none_or(|value| value.value == Value::Null)
}

fn text_of<'a>(section: &'a Node, key: &str) -> Option<&'a str> {
    section.get(key).and_then(Node::as_text)
}

fn is_one_of(key: &Node, names: &[&str]) -> bool {
    key.as_text().is_some_and(|key| is_one_of_text(key, names))
}

fn is_one_of_text(text: &str, names: &[&str]) -> bool {
    names.contains(&text)
}
