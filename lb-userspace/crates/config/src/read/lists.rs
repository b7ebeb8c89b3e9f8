//! The lists `target_groups` and `listeners`: what is of layer 4 and what the proxy serves stands in
//! one list of the document, and in lists of their own in the model.

use std::sync::Arc;

use lb_rules::Protocol;

use super::{
    defaults::Defaults,
    group::target_group,
    http_group::http_target_group,
    http_listener::{http_listener, tls_listener},
    listener::listener,
};
use crate::{
    last_document::Last,
    layer7::is_behind_tls,
    model::{Config, HttpGroupProtocol},
    positions::{ListenerPositions, Positions},
    section::Section,
    tree::Node,
};

/// Reads the target groups; those of the last document that are unchanged are taken from it.
pub(super) fn target_groups(
    root: &Section<'_>,
    last: Option<&Last>,
    defaults: &Defaults,
    config: &mut Config,
    places: &mut Positions,
) {
    let written = root.entry("defaults").map(|entry| entry.node);
    let last = last.filter(|last| last.has_defaults(written));
    let Some(sequence) = root.list("target_groups") else {
        places.group_missing = root.entry("target_groups").is_some();
        return;
    };
    places.all_groups = sequence.at.clone();
    for (index, node) in sequence.items().enumerate() {
        let place = || sequence.place(index, node);
        let found = match http_protocol(node, written) {
            None => {
                let known = last.and_then(|last| last.group(index, node));
                let read = || {
                    let node = defaults.packets(node);
                    let section = Section::new(&node, place(), root.findings)?;
                    target_group(section, index, defaults.weight)
                };
                let group = known.or_else(|| read().map(shared));
                push(group, &mut config.target_groups, &mut places.groups)
            }
            Some(protocol) => {
                let known = last.and_then(|last| last.http_group(index, node));
                let read = || {
                    let node = defaults.requests(node);
                    let section = Section::new(&node, place(), root.findings)?;
                    http_target_group(section, protocol, index, defaults.weight)
                };
                let group = known.or_else(|| read().map(shared));
                push(group, &mut config.http_target_groups, &mut places.http_groups)
            }
        };
        places.group_missing |= !found;
    }
}

/// Reads the listeners, in the same way.
pub(super) fn listeners(
    root: &Section<'_>,
    last: Option<&Last>,
    config: &mut Config,
    places: &mut Positions,
) {
    let Some(sequence) = root.list("listeners") else {
        return;
    };
    places.all_listeners = sequence.at.clone();
    for (index, node) in sequence.items().enumerate() {
        let at = sequence.place(index, node);
        let section = || Section::new(node, at.clone(), root.findings);
        match word(node) {
            Some(name @ ("http" | "https")) => {
                let protocol = if name == "http" { Protocol::Http } else { Protocol::Https };
                let known = last.and_then(|last| last.http_listener(index, node));
                let read = || http_listener(section()?, protocol, index);
                let listener = known.or_else(|| read().map(shared));
                push(listener, &mut config.http_listeners, &mut places.http_listeners);
            }
            Some("tls") => {
                let known = last.and_then(|last| last.tls_listener(index, node));
                let listener = known.or_else(|| tls_listener(section()?, index).map(shared));
                push(listener, &mut config.tls_listeners, &mut places.tls_listeners);
            }
            _ => {
                let known = last.and_then(|last| last.listener(index, node));
                let read = || {
                    let (one, target_group, sorry_target_group, tags) = listener(section()?)?;
                    let at = at.clone();
                    let positions =
                        ListenerPositions { index, at, target_group, sorry_target_group, tags };
                    Some((one, positions))
                };
                let listener = known.or_else(|| read().map(shared));
                push(listener, &mut config.listeners, &mut places.listeners);
            }
        }
    }
}

/// The value of `protocol`, which says how the rest is read.
fn word(node: &Node) -> Option<&str> {
    node.get("protocol").and_then(Node::as_text)
}

/// What the targets of a group speak that the proxy reaches; `None` for one that gets packets.
fn http_protocol(group: &Node, defaults: Option<&Node>) -> Option<HttpGroupProtocol> {
    match word(group)? {
        "tcp" if is_behind_tls(group, defaults) => Some(HttpGroupProtocol::Tcp),
        "http" => Some(HttpGroupProtocol::Http),
        "https" => Some(HttpGroupProtocol::Https),
        "grpc" => Some(HttpGroupProtocol::Grpc),
        _ => None,
    }
}

fn shared<T, P>((part, positions): (T, P)) -> (Arc<T>, Arc<P>) {
    (Arc::new(part), Arc::new(positions))
}

/// Adds a part, if it is there, and says whether it is.
fn push<T, P>(
    part: Option<(Arc<T>, Arc<P>)>,
    parts: &mut Vec<Arc<T>>,
    places: &mut Vec<Arc<P>>,
) -> bool {
    let found = part.is_some();
    if let Some((part, place)) = part {
        parts.push(part);
        places.push(place);
    }
    found
}
