//! `resolver`: the DNS servers that are asked for names of targets.

use crate::{model::Config, section::Section, values};

/// Most servers: a lookup asks them one after the other.
const SERVERS_MAX: usize = 8;

pub(super) fn resolver(root: &Section<'_>, config: &mut Config) {
    if root.entry("resolver").is_none() {
        return;
    }
    let Some(section) = root.section("resolver") else { return };
    if let Some(list) = section.list("servers") {
        if list.items().len() > SERVERS_MAX {
            let message = format!(
                "{} servers are more than the maximum of {SERVERS_MAX}",
                list.items().len()
            );
            section.findings.error(&list.at, message);
        }
        for entry in list.entries() {
            match values::dns_server(entry.node) {
                Ok(server) if config.dns_servers.contains(&server) => {
                    section.findings.error(&entry.at, format!("server {server} is named twice"));
                }
                Ok(server) => config.dns_servers.push(server),
                Err(message) => section.findings.error(&entry.at, message),
            }
        }
    }
    section.finish();
}
