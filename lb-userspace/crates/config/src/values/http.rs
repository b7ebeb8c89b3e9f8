//! PURE: single values of HTTP listeners and target groups, and what is wrong with them.

use std::{net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use lb_rules::Protocol;

use super::{Read, network, number, port, text, wrong};
use crate::{
    dns_name::dns_name,
    model::{RetryReason, TargetAddress},
    secrets::HIDDEN,
    tree::{Node, Value},
};

/// Longest name of a header, in bytes.
const HEADER_NAME_MAX: usize = 100;

/// One of a few words; `wanted` says which.
pub(crate) fn word<T: Copy>(node: &Node, words: &[(&str, T)], wanted: &str) -> Read<T> {
    let found = words.iter().find(|(word, _)| node.as_text() == Some(word));
    found.map(|(_, value)| *value).ok_or_else(|| wrong(node, wanted))
}

/// `on` or `off`.
pub(crate) fn on_off(node: &Node) -> Read<bool> {
    word(node, &[("on", true), ("off", false)], "on or off")
}

/// A protocol of ALPN (RFC 7301): 1 to 255 visible ASCII characters.
pub(crate) fn alpn_protocol(node: &Node) -> Read<String> {
    let is_name = |text: &&str| {
        (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let name = node.as_text().filter(is_name).map(str::to_owned);
    name.ok_or_else(|| wrong(node, "the name of a protocol (ALPN), such as h2 or http/1.1"))
}

/// The absolute path of a file; `example` is one.
pub(crate) fn file(node: &Node, example: &str) -> Read<PathBuf> {
    let path = node.as_text().filter(|path| path.starts_with('/') && !path.contains('\0'));
    let wanted = format!("the absolute path of a file, such as {example}");
    path.map(PathBuf::from).ok_or_else(|| wrong(node, &wanted))
}

/// The address or DNS name of a target. Only the proxy can reach servers of its own host.
pub(crate) fn target_address(node: &Node, by_proxy: bool) -> Read<TargetAddress> {
    let wanted = "an address or a DNS name, such as 10.0.1.11 or order.example.org";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    if let Ok(address) = text.parse::<IpAddr>() {
        let checked =
            if by_proxy && address.is_loopback() { Ok(address) } else { network::address(node) };
        return checked.map(TargetAddress::Ip);
    }
    match dns_name(text) {
        Some(name) => Ok(TargetAddress::Name(name.into())),
        None => Err(network::malformed(node, text, wanted)),
    }
}

/// A prefix without host bits, or an address, which is a prefix of one address.
pub(crate) fn source(node: &Node) -> Read<IpNet> {
    let wanted = "an address or a prefix, such as 10.0.0.0/8";
    let text = node.as_text().ok_or_else(|| wrong(node, wanted))?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let prefix = network::prefix(text).ok_or_else(|| wrong(node, wanted))?;
    let right = prefix.trunc();
    if right == prefix { Ok(prefix) } else { Err(network::host_bits(prefix, right)) }
}

/// Such as `20%`.
pub(crate) fn percentage(node: &Node) -> Read<u32> {
    let number = node.as_text().and_then(|text| text.strip_suffix('%')).filter(|number| {
        !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let number = number.and_then(|number| number.parse().ok());
    number
        .filter(|number| (1..=100).contains(number))
        .ok_or_else(|| wrong(node, "a percentage from 1% to 100%, such as 20%"))
}

/// Why a request is sent again.
pub(crate) fn retry_reason(node: &Node) -> Read<RetryReason> {
    let wanted =
        "a reason for a retry: connect_failure, reused_connection or a status from 500 to 599";
    let status = match &node.value {
        Value::Integer(number) => u16::try_from(*number).ok(),
        Value::Text(text) => match text.as_str() {
            "connect_failure" => return Ok(RetryReason::ConnectFailure),
            "reused_connection" => return Ok(RetryReason::ReusedConnection),
            text if text.len() == 3 => text.parse().ok(),
            _ => None,
        },
        _ => None,
    };
    let status = status.filter(|status| (500..=599).contains(status));
    status.map(RetryReason::Status).ok_or_else(|| wrong(node, wanted))
}

/// The protocol of a redirect; `None` keeps that of the request.
pub(crate) fn redirect_protocol(node: &Node) -> Read<Option<Protocol>> {
    let words =
        [("http", Some(Protocol::Http)), ("https", Some(Protocol::Https)), ("#{protocol}", None)];
    word(node, &words, "http, https or \"#{protocol}\"")
}

/// The port of a redirect; `None` keeps that of the request.
pub(crate) fn redirect_port(node: &Node) -> Read<Option<u16>> {
    if node.as_text() == Some("#{port}") {
        return Ok(None);
    }
    port(node).map(Some).map_err(|_| wrong(node, "a port from 1 to 65535, or \"#{port}\""))
}

/// The value of a header that a rule sets.
pub(crate) fn header_value(node: &Node) -> Read<String> {
    let value = text(node)?;
    if value == HIDDEN {
        return Err("is the placeholder of a secret: get the configuration with the role \
                    `configure`"
            .to_owned());
    }
    Ok(value)
}

/// The name of a header (RFC 9110, section 5.1).
pub(crate) fn header_name(node: &Node) -> Read<String> {
    let name = text(node)?;
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > HEADER_NAME_MAX || !name.bytes().all(is_of_token) {
        return Err(wrong(node, "the name of a header, such as x-load"));
    }
    Ok(name.to_ascii_lowercase())
}

/// A status of an answer; the action that has it says which.
pub(crate) fn status(node: &Node) -> Read<u16> {
    let wanted = "a status from 200 to 599";
    let status = number(node, 200..=599).map_err(|_| wrong(node, wanted))?;
    u16::try_from(status).map_err(|_| wrong(node, wanted))
}
