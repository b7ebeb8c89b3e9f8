//! The document as YAML, with remarks as comments beside what they are about.

use std::fmt::Write as _;

use crate::{
    document::{Document, Group, Listener},
    duration,
    format::Format,
    remark::{Kind, Remark, is_hidden},
    service::{Check, Probe},
};

/// Longest line of a comment.
const WIDTH: usize = 100;

/// Writes a document. Remarks whose lines are all of one group or listener are written above it.
pub(crate) fn write(format: Format, document: &Document, remarks: &[Remark]) -> String {
    let mut above: Vec<Vec<&Remark>> = Vec::new();
    let spans: Vec<(usize, usize)> = document
        .groups
        .iter()
        .map(|group| group.span)
        .chain(document.listeners.iter().map(|listener| listener.span))
        .collect();
    above.resize_with(spans.len(), Vec::new);
    let mut top = Vec::new();
    for remark in remarks {
        let is_about = |(first, last): &(usize, usize)| {
            !remark.lines.is_empty()
                && remark.lines.iter().all(|line| (first..=last).contains(&line))
        };
        match spans.iter().position(is_about).and_then(|index| above.get_mut(index)) {
            Some(list) => list.push(remark),
            None => top.push(remark),
        }
    }
    let mut text = head(format, remarks);
    for remark in top {
        comment(&mut text, "", remark);
    }
    let interfaces: Vec<String> = document.interfaces.iter().map(|name| quoted(name)).collect();
    line(&mut text, &format!("interfaces: [{}]", interfaces.join(", ")));
    if !document.sources.is_empty() {
        let sources: Vec<String> =
            document.sources.iter().map(|one| format!("\"{one}\"")).collect();
        line(&mut text, &format!("source_nat: {{ addresses: [{}] }}", sources.join(", ")));
    }
    let mut above = above.into_iter();
    if !document.groups.is_empty() {
        line(&mut text, "target_groups:");
    }
    for (item, remarks) in document.groups.iter().zip(&mut above) {
        for remark in remarks {
            comment(&mut text, "  ", remark);
        }
        group(&mut text, item);
    }
    if !document.listeners.is_empty() {
        line(&mut text, "listeners:");
    }
    for (item, remarks) in document.listeners.iter().zip(&mut above) {
        for remark in remarks {
            comment(&mut text, "  ", remark);
        }
        listener(&mut text, item);
    }
    text
}

fn head(format: Format, remarks: &[Remark]) -> String {
    let count = |kind| remarks.iter().filter(|remark| remark.kind == kind).count();
    format!(
        "# Made by `xelb import {}`. Lines are those of the input.\n\
         # Remarks: needs a hand {}, differs {}, no counterpart {}.\n",
        format.name(),
        count(Kind::Hand),
        count(Kind::Changed),
        count(Kind::Dropped)
    )
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn comment(text: &mut String, indent: &str, remark: &Remark) {
    let mut row = format!("{indent}#");
    let whole = remark.line();
    // Nothing of the input may end the comment.
    let shown: String = whole.chars().map(|c| if is_hidden(c) { '?' } else { c }).collect();
    for word in shown.split_whitespace() {
        if row.chars().count() + 1 + word.chars().count() > WIDTH && row.len() > indent.len() + 4 {
            line(text, &row);
            row = format!("{indent}#  ");
        }
        row.push(' ');
        row.push_str(word);
    }
    line(text, &row);
}

/// A text as YAML and JSON have it; plain when it can only be a text.
pub(crate) fn quoted(value: &str) -> String {
    let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let starts = value.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"]
        .contains(&value.to_ascii_lowercase().as_str());
    if is_word && starts && !is_reserved {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            hidden if is_hidden(hidden) => {
                // Writing to a string does not fail; all hidden characters have four digits.
                let _written = write!(text, "\\u{:04x}", u32::from(hidden));
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

fn attributes(text: &mut String, attributes: &[(&'static str, String)]) {
    if !attributes.is_empty() {
        let pairs: Vec<String> =
            attributes.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        line(text, &format!("    attributes: {{ {} }}", pairs.join(", ")));
    }
}

fn group(text: &mut String, group: &Group) {
    line(text, &format!("  - name: {}", quoted(&group.name)));
    line(text, &format!("    protocol: {}", group.protocol));
    line(text, &format!("    port: {}", group.port));
    line(text, &format!("    forwarding: {}", group.forwarding.name()));
    if !group.targets.is_empty() {
        line(text, "    targets:");
    }
    for target in &group.targets {
        let mut row = format!("      - {{ address: \"{}\"", target.address);
        if target.port != group.port {
            // Writing to a string does not fail.
            let _written = write!(row, ", port: {}", target.port);
        }
        if let Some(weight) = target.weight {
            let _written = write!(row, ", weight: {weight}");
        }
        if target.backup {
            row.push_str(", backup: true");
        }
        line(text, &format!("{row} }}"));
    }
    if let Some(check) = &group.check {
        health_check(text, check);
    }
    attributes(text, &group.attributes);
}

fn health_check(text: &mut String, check: &Check) {
    line(text, "    health_check:");
    let mut key = |key: &str, value: &str| line(text, &format!("      {key}: {value}"));
    match &check.probe {
        Probe::Tcp => key("protocol", "tcp"),
        Probe::Icmp => key("protocol", "icmp"),
        Probe::Http(http) => {
            key("protocol", if http.tls { "https" } else { "http" });
            let texts = [
                ("path", &http.path),
                ("host", &http.host),
                ("body", &http.body),
                ("matcher", &http.matcher),
                ("server_name", &http.server_name),
            ];
            for (name, value) in texts {
                if let Some(value) = value {
                    key(name, &quoted(value));
                }
            }
        }
        Probe::Udp { payload, expect } => {
            key("protocol", "udp");
            for (name, value) in [("payload_hex", payload), ("expect_hex", expect)] {
                if let Some(value) = value {
                    key(name, &format!("\"{value}\""));
                }
            }
        }
    }
    if let Some(port) = check.port {
        key("port", &port.to_string());
    }
    key("interval", &duration::shown(check.interval_ms));
    key("timeout", &duration::shown(check.timeout_ms));
    key("healthy_threshold", &check.healthy.to_string());
    key("unhealthy_threshold", &check.unhealthy.to_string());
}

fn listener(text: &mut String, listener: &Listener) {
    line(text, &format!("  - name: {}", quoted(&listener.name)));
    line(text, &format!("    address: \"{}\"", listener.address));
    let ports = match listener.ports {
        (1, u16::MAX) => "all".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    line(text, &format!("    port: {ports}"));
    line(text, &format!("    protocol: {}", listener.protocol));
    let group = quoted(&listener.group);
    line(text, &format!("    default_action: {{ forward: {{ target_group: {group} }} }}"));
    attributes(text, &listener.attributes);
}
