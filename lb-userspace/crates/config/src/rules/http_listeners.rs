//! Listeners that the proxy serves, and the groups that they name.

use lb_rules::Protocol as Clients;

use super::{
    group_names::{Group, GroupNames},
    listeners::not_for_packets,
};
use crate::{
    model::{Config, HttpGroupProtocol, HttpListener, Protocol, TlsListener},
    positions::{GroupReference, Positions},
    section::Findings,
};

pub(super) fn check(
    config: &Config,
    places: &Positions,
    names: &GroupNames<'_>,
    findings: &Findings,
) {
    let find = |reference: &GroupReference| {
        let found = names.find(&reference.name);
        if found.is_none() && !places.group_missing {
            findings.error(&reference.at, names.dangling(&reference.name));
        }
        found
    };
    for (listener, place) in config.http_listeners.iter().zip(&places.http_listeners) {
        for reference in &place.references {
            // Thousands of rules with thousands of groups: enough errors are enough.
            if findings.full() {
                return;
            }
            let fault = find(reference).and_then(|group| of_http(listener, group, config));
            if let Some(message) = fault {
                findings.error(&reference.at, message);
            }
        }
    }
    for (listener, place) in config.tls_listeners.iter().zip(&places.tls_listeners) {
        for reference in &place.references {
            let fault = find(reference).and_then(|group| of_tls(listener, group, config));
            if let Some(message) = fault {
                findings.error(&reference.at, message);
            }
        }
    }
}

/// What is wrong with a group of a listener of HTTP.
fn of_http(listener: &HttpListener, group: Group, config: &Config) -> Option<String> {
    let (name, protocol) = (&listener.name, listener.protocol());
    let group = match group {
        Group::Packets(index) => {
            let group = config.target_groups.get(index)?;
            return Some(needs_requests(name, protocol, &group.name, group.protocol));
        }
        Group::Requests(index) => config.http_target_groups.get(index)?,
    };
    if group.protocol == HttpGroupProtocol::Tcp {
        return Some(needs_requests(name, protocol, &group.name, group.protocol));
    }
    if group.protocol != HttpGroupProtocol::Grpc || listener.attributes.http2 {
        return None;
    }
    let remedy = match protocol {
        Clients::Http => "use `protocol: https`",
        Clients::Https => "remove `http2: false`",
    };
    Some(format!(
        "target group {} is grpc, which needs HTTP/2, and clients cannot use it with listener \
         {name}; {remedy}",
        group.name
    ))
}

fn needs_requests(
    listener: &str,
    clients: Clients,
    group: &str,
    protocol: impl std::fmt::Display,
) -> String {
    format!(
        "listener {listener} is {clients}, its target group {group} is {protocol}: requests need a \
         group of http, https or grpc"
    )
}

/// What is wrong with the group of a listener of TLS.
fn of_tls(listener: &TlsListener, group: Group, config: &Config) -> Option<String> {
    match group {
        Group::Requests(index) => {
            let group = config.http_target_groups.get(index)?;
            let is_tcp = group.protocol == HttpGroupProtocol::Tcp;
            (!is_tcp).then(|| not_for_packets(&listener.name, "tls", group))
        }
        Group::Packets(index) => {
            let group = config.target_groups.get(index)?;
            let (name, group_name, protocol) = (&listener.name, &group.name, group.protocol);
            Some(if protocol == Protocol::Tcp {
                format!(
                    "listener {name} is tls, whose targets the proxy connects to, and target group \
                     {group_name} has `forwarding`, so that packets are forwarded to it: remove \
                     `forwarding`, or name a group of tcp without it"
                )
            } else {
                format!(
                    "listener {name} is tls, its target group {group_name} is {protocol}: what is \
                     inside TLS is tcp"
                )
            })
        }
    }
}
