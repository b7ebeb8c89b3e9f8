//! PURE: single values of the configuration, and what is wrong with them.

mod network;
mod probe;

use std::{ops::RangeInclusive, time::Duration};

use lb_common::{group::NAME_BYTES_MAX, limits::WEIGHT_MAX, target::Mode};

use super::{
    error::brief,
    model::Protocol,
    tree::{Node, Value},
};

pub(super) use network::{
    address, listener_address, listener_ports, source_ipv4, source_ipv6, source_ports,
};
pub(super) use probe::{
    ProbeKind, grpc_matcher, hex, host, matcher, probe, server_name, short_text, verify,
};

pub(super) type Read<T> = Result<T, String>;

pub(super) fn wrong(node: &Node, wanted: &str) -> String {
    match &node.value {
        Value::Text(text) => format!("`{}` is not {wanted}", brief(text)),
        Value::Integer(number) => format!("{number} is not {wanted}"),
        Value::Float(number) => format!("{number} is not {wanted}"),
        Value::Bool(truth) => format!("{truth} is not {wanted}"),
        other => format!("must be {wanted}, not {}", other.kind()),
    }
}

pub(super) fn text(node: &Node) -> Read<String> {
    node.as_text().map(str::to_owned).ok_or_else(|| match node.value {
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            wrong(node, "a text; put it in quotes")
        }
        _ => wrong(node, "a text"),
    })
}

/// A whole number in a range.
pub(super) fn number(node: &Node, range: RangeInclusive<u32>) -> Read<u32> {
    let wanted = format!("a whole number from {} to {}", range.start(), range.end());
    match &node.value {
        Value::Integer(number) => u32::try_from(*number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| wrong(node, &wanted)),
        _ => Err(wrong(node, &wanted)),
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
    small_number(node, 1..=u16::MAX)
}

/// `traffic-port`, which is `None`, or a number.
pub(super) fn check_port(node: &Node) -> Read<Option<u16>> {
    if node.as_text() == Some("traffic-port") {
        return Ok(None);
    }
    port(node)
        .map(Some)
        .map_err(|_| wrong(node, "`traffic-port` or a whole number from 1 to 65535"))
}

pub(super) fn name(node: &Node) -> Read<String> {
    let name = text(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
        let wanted =
            format!("a name: 1 to {NAME_BYTES_MAX} letters, digits, dots, dashes and underscores");
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
            "the name of an interface: 1 to 15 characters, no blanks, `/` or `:`",
        ));
    }
    Ok(name)
}

/// Such as `300ms`, `5s`, `2m`, within a range.
pub(super) fn duration(node: &Node, range: RangeInclusive<Duration>) -> Read<Duration> {
    let wanted = "a duration such as `300ms`, `5s` or `2m`";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong(node, wanted))?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err(wrong(node, wanted)),
    };
    if !range.contains(&duration) {
        let (low, high) = (range.start(), range.end());
        return Err(format!("{} is not between {} and {}", brief(text), shown(*low), shown(*high)));
    }
    Ok(duration)
}

/// A duration of whole seconds within a range.
pub(super) fn seconds(node: &Node, range: RangeInclusive<Duration>) -> Read<Duration> {
    let duration = duration(node, range)?;
    match duration.subsec_nanos() {
        0 => Ok(duration),
        _ => Err(wrong(node, "a duration of whole seconds, such as `90s`")),
    }
}

/// A duration as a configuration has it.
pub(super) fn shown(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", duration.as_millis()),
    }
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

pub(super) fn protocol(node: &Node) -> Read<Protocol> {
    match node.as_text() {
        Some("tcp") => Ok(Protocol::Tcp),
        Some("udp") => Ok(Protocol::Udp),
        Some("quic") => Ok(Protocol::Quic),
        Some(name @ ("http" | "https" | "grpc")) => {
            Err(format!("{name} is not available in this version; use tcp, udp or quic"))
        }
        _ => Err(wrong(node, "a protocol: tcp, udp or quic")),
    }
}

pub(super) fn http_path(node: &Node) -> Read<String> {
    let path = text(node)?;
    let printable = |c: char| c.is_ascii_graphic() && c != '#';
    if !path.starts_with('/') || path.len() > 1024 || !path.chars().all(printable) {
        let wanted =
            "a path: it begins with `/`, has no blanks and no `#`, at most 1024 characters";
        return Err(wrong(node, wanted));
    }
    Ok(path)
}

/// 32 hexadecimal digits: two words.
pub(super) fn hash_seed(node: &Node) -> Read<[u64; 2]> {
    let wanted = "a seed: 32 hexadecimal digits in quotes, as `openssl rand -hex 16` prints them";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong(node, wanted));
    }
    let word = |digits| u64::from_str_radix(digits, 16).map_err(|_| wrong(node, wanted));
    let (high, low) = text.split_at(16);
    Ok([word(high)?, word(low)?])
}
