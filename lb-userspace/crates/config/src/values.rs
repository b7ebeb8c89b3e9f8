//! PURE: single values of the configuration, and what is wrong with them.

mod duration;
mod http;
mod network;
mod probe;
mod scaling;
mod webhook;

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf};

use lb_common::{group::NAME_BYTES_MAX, limits::WEIGHT_MAX, target::Mode};

use super::{
    dns_name::dns_name,
    error::brief,
    model::Protocol,
    tree::{Node, Value},
};

pub(super) use duration::{duration, seconds, shown};
pub(super) use http::{
    alpn_protocol, file, header_name, header_value, on_off, percentage, redirect_port,
    redirect_protocol, retry_reason, source, status, target_address, word,
};
pub(super) use network::{
    address, dns_server, listener_address, listener_ports, source_ipv4, source_ipv6, source_ports,
};
pub(super) use probe::{
    ProbeKind, grpc_matcher, hex, host, matcher, probe, server_name, short_text, verify,
};
pub(super) use scaling::{adjustment, decimal, share};
pub(super) use webhook::{prometheus_url, webhook_url};

pub(super) type Read<T> = Result<T, String>;

pub(super) fn wrong(node: &Node, wanted: &str) -> String {
    match &node.value {
        Value::Text(text) => format!("`{}` is not {wanted}", brief(text)),
        Value::Integer(number) => format!("{number} is not {wanted}"),
        // With its point: 80.0 is no whole number.
        Value::Float(number) => format!("{number:?} is not {wanted}"),
        Value::Bool(truth) => format!("{truth} is not {wanted}"),
        other => format!("must be {wanted}, not {}", other.kind()),
    }
}

pub(super) fn text(node: &Node) -> Read<String> {
    node.as_text().map(str::to_owned).ok_or_else(|| match node.value {
        Value::Bool(truth) => wrong(node, &format!("a text; put it in quotes: \"{truth}\"")),
        Value::Integer(number) => wrong(node, &format!("a text; put it in quotes: \"{number}\"")),
        // How it is written is not known: 1.10 is read as 1.1.
        Value::Float(_) => wrong(node, "a text; put it in quotes"),
        _ => wrong(node, "a text"),
    })
}

/// A whole number in a range.
pub(super) fn number(node: &Node, range: RangeInclusive<u32>) -> Read<u32> {
    let wanted = format!("a whole number from {} to {}", range.start(), range.end());
    whole(node, range, &wanted)
}

fn whole(node: &Node, range: RangeInclusive<u32>, wanted: &str) -> Read<u32> {
    match &node.value {
        Value::Integer(number) => u32::try_from(*number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| wrong(node, wanted)),
        Value::Text(text) if text.parse::<u32>().is_ok_and(|number| range.contains(&number)) => {
            Err(format!("{}; write it without quotes", wrong(node, wanted)))
        }
        // Such as 80.0 and 8e1, and 080, which YAML does not take for a whole number.
        Value::Float(number) if number.fract() == 0.0 => {
            Err(format!("{}; write it as plain digits without leading zeros", wrong(node, wanted)))
        }
        _ => Err(wrong(node, wanted)),
    }
}

pub(super) fn small_number(node: &Node, range: RangeInclusive<u16>) -> Read<u16> {
    let number = number(node, u32::from(*range.start())..=u32::from(*range.end()))?;
    u16::try_from(number).map_err(|_| wrong(node, "a number below 65536"))
}

pub(super) fn truth(node: &Node) -> Read<bool> {
    match node.value {
        Value::Bool(truth) => Ok(truth),
        _ => Err(wrong(node, "true or false")),
    }
}

pub(super) fn weight(node: &Node) -> Read<u32> {
    number(node, 0..=WEIGHT_MAX)
}

pub(super) fn port(node: &Node) -> Read<u16> {
    let wanted = "a port from 1 to 65535, such as 80";
    let number = whole(node, 1..=u32::from(u16::MAX), wanted)?;
    u16::try_from(number).map_err(|_| wrong(node, wanted))
}

/// `traffic-port`, which is `None`, or a number.
pub(super) fn check_port(node: &Node) -> Read<Option<u16>> {
    if node.as_text() == Some("traffic-port") {
        return Ok(None);
    }
    port(node)
        .map(Some)
        .map_err(|_| wrong(node, "`traffic-port` or a port from 1 to 65535, such as 8080"))
}

pub(super) fn name(node: &Node) -> Read<String> {
    let name = text(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
        let wanted = format!(
            "a name: 1 to {NAME_BYTES_MAX} letters, digits, dots, dashes and underscores, such as `web-1`"
        );
        return Err(wrong(node, &wanted));
    }
    Ok(name)
}

/// A name of an interface, by the kernel's rules (dev_valid_name).
pub(super) fn interface(node: &Node) -> Read<String> {
    let name = text(node)?;
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > 15 || name == "." || name == ".." || name.contains(bad) {
        return Err(wrong(
            node,
            "the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`",
        ));
    }
    Ok(name)
}

pub(super) fn mode(node: &Node) -> Read<Mode> {
    match node.as_text() {
        Some("ipip") => Ok(Mode::Ipip),
        Some("gue") => Ok(Mode::Gue),
        Some("l2dsr") => Ok(Mode::L2dsr),
        Some("nat") => Ok(Mode::Nat),
        Some("fullnat") => Ok(Mode::Fullnat),
        _ => Err(wrong(node, "a forwarding mode: ipip, gue, l2dsr, nat or fullnat")),
    }
}

/// The protocol of a group that the data path reaches.
pub(super) fn group_protocol(node: &Node) -> Read<Protocol> {
    match node.as_text() {
        Some("tls") => Err("tls belongs to listeners; the target group of one is tcp".to_owned()),
        _ => protocol(node, "a protocol: tcp, udp, quic, http, https or grpc"),
    }
}

/// The protocol of a listener that the data path serves.
pub(super) fn listener_protocol(node: &Node) -> Read<Protocol> {
    match node.as_text() {
        Some("grpc") => {
            Err("grpc belongs to target groups; the listener of one is https".to_owned())
        }
        _ => protocol(node, "a protocol: tcp, udp, quic, http, https or tls"),
    }
}

fn protocol(node: &Node, wanted: &str) -> Read<Protocol> {
    match node.as_text() {
        Some("tcp") => Ok(Protocol::Tcp),
        Some("udp") => Ok(Protocol::Udp),
        Some("quic") => Ok(Protocol::Quic),
        _ => Err(wrong(node, wanted)),
    }
}

/// The address of a member of a scaled group.
pub(super) fn member_address(node: &Node) -> Read<IpAddr> {
    address(node).map_err(|message| match node.as_text() {
        Some(text) if text.contains('.') && dns_name(text).is_some() => {
            format!("{message}; names are for `targets` of a group")
        }
        _ => message,
    })
}

pub(super) fn http_path(node: &Node) -> Read<String> {
    let path = text(node)?;
    let printable = |c: char| c.is_ascii_graphic() && c != '#';
    if !path.starts_with('/') || path.len() > 1024 || !path.chars().all(printable) {
        let wanted = "a path: it begins with `/`, has no blanks and no `#`, at most 1024 characters, such as `/healthz`";
        return Err(wrong(node, wanted));
    }
    Ok(path)
}

/// 32 hexadecimal digits: two words.
pub(super) fn hash_seed(node: &Node) -> Read<[u64; 2]> {
    // The value is a secret, or nearly one: the message does not repeat it.
    node.as_text().and_then(seed_of).ok_or_else(|| format!("must be {SEED}, in quotes"))
}

/// What a seed of the flow hash is.
pub const SEED: &str = "32 hexadecimal digits, as `openssl rand -hex 16` prints them";

/// The seed that a text is.
#[must_use]
pub fn seed_of(text: &str) -> Option<[u64; 2]> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (high, low) = text.split_at(16);
    let word = |digits| u64::from_str_radix(digits, 16).ok();
    Some([word(high)?, word(low)?])
}

/// The absolute path of a file with a seed.
pub(super) fn seed_file(node: &Node) -> Read<PathBuf> {
    let path = node.as_text().filter(|path| path.starts_with('/'));
    let wanted = "the absolute path of a file with the seed, such as /etc/xelb/hash-seed";
    path.map(PathBuf::from).ok_or_else(|| wrong(node, wanted))
}
