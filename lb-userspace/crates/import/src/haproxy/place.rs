//! Addresses of `bind` and `server` lines.

use lb_config::TargetAddress;

use crate::{address, remark::brief, service::Vip};

/// The addresses of a `bind` line, such as `192.0.2.1:80,:443-445`, with `v4v6` if it has that.
pub(super) fn bind(text: &str, v4v6: bool) -> Vec<Result<(Vip, u16, u16), String>> {
    let mut places = Vec::new();
    for part in text.split(',') {
        match one_bind(part) {
            Ok((Vip::Any { ipv6: true }, first, last)) if v4v6 => {
                places.push(Ok((Vip::Any { ipv6: false }, first, last)));
                places.push(Ok((Vip::Any { ipv6: true }, first, last)));
            }
            read => places.push(read),
        }
    }
    places
}

fn one_bind(text: &str) -> Result<(Vip, u16, u16), String> {
    let (host, is_ipv6) = family(text)?;
    let (host, ports) = host.rsplit_once(':').ok_or_else(|| no_port(text))?;
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (address::port(first)?, address::port(last)?);
    if first > last {
        return Err(format!("`{}` is no range of ports", brief(ports)));
    }
    let vip = match host {
        "" | "*" => Vip::Any { ipv6: is_ipv6 },
        host => match address::address(host)? {
            address if address.is_unspecified() => Vip::Any { ipv6: address.is_ipv6() },
            address => Vip::Address(address),
        },
    };
    Ok((vip, first, last))
}

fn no_port(text: &str) -> String {
    format!("`{}` has no port", brief(text))
}

/// What is behind a prefix such as `ipv4@`, and whether that means IPv6.
fn family(text: &str) -> Result<(&str, bool), String> {
    if text.starts_with(['/', '$', '"']) || text.contains("${") {
        return Err(format!(
            "`{}` is a socket of this host, or a variable: write the address",
            brief(text)
        ));
    }
    match text.split_once('@') {
        None | Some(("ipv4" | "tcp4", _)) if !text.contains("6@") => {
            Ok((text.split_once('@').map_or(text, |(_, rest)| rest), false))
        }
        Some(("tcp", rest)) => Ok((rest, false)),
        Some(("ipv6" | "tcp6", rest)) => Ok((rest, true)),
        _ => Err(format!("`{}` is no TCP socket", brief(text))),
    }
}

/// The address of a `server` line; no port is that of the client's connection.
pub(super) fn server(text: &str) -> Result<(TargetAddress, Option<u16>), String> {
    let (text, _) = family(text)?;
    // HAProxy takes the last colon for that of the port, also in IPv6 addresses without brackets.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !(text.starts_with('[') && text.ends_with(']')) => (host, Some(port)),
        _ => (text, None),
    };
    let address = address::server(host)?;
    match port {
        None | Some("" | "0") => Ok((address, None)),
        Some(port) if port.starts_with(['+', '-']) => {
            Err("a port relative to the client's: mode fullnat sends to one port".to_owned())
        }
        Some(port) => Ok((address, Some(address::port(port)?))),
    }
}
