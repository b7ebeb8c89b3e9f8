//! Where a virtual server is reached: an address and port, or those of a virtual_server_group.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::tree::Node;
use crate::{
    address,
    ledger::Ledger,
    remark::Kind,
    service::{Endpoint, Vip},
};

const MARKS: &str = "a service by firewall mark: listeners are by address and port; a listener may \
                     have a prefix and a range of ports";

/// The endpoints; `None`, with a remark, when there cannot be any.
pub(super) fn endpoints(
    node: &Node,
    groups: &HashMap<&str, &Node>,
    ledger: &mut Ledger,
) -> Option<Vec<Endpoint>> {
    match node.word(1) {
        "fwmark" => {
            ledger.remark(Kind::Dropped, node.lines(), MARKS);
            None
        }
        "group" => {
            let Some(group) = groups.get(node.word(2)) else {
                let message = "the virtual_server_group that it names is not in this file";
                ledger.remark(Kind::Hand, node.lines(), message);
                return None;
            };
            let mut endpoints: Vec<Endpoint> =
                group.children.iter().flat_map(|entry| members(entry, ledger)).collect();
            for endpoint in &mut endpoints {
                endpoint.lines.extend(group.frame());
            }
            Some(endpoints)
        }
        text => match one(text, node.word(2)) {
            Ok((address, port)) => Some(vec![endpoint(address, port, node, ledger)]),
            Err(message) => {
                ledger.remark(Kind::Hand, node.lines(), message);
                None
            }
        },
    }
}

/// The endpoints of a line of a group: an address, or a range such as `192.0.2.1-10 80`.
fn members(entry: &Node, ledger: &mut Ledger) -> Vec<Endpoint> {
    let first = entry.word(0);
    if first == "fwmark" {
        ledger.remark(Kind::Dropped, entry.lines(), MARKS);
        return Vec::new();
    }
    let (start, end) = first.split_once('-').map_or((first, None), |(a, b)| (a, Some(b)));
    let read =
        one(start, entry.word(1)).and_then(|(address, port)| Ok((range(address, end)?, port)));
    match read {
        Ok((addresses, port)) => {
            addresses.into_iter().map(|address| endpoint(address, port, entry, ledger)).collect()
        }
        Err(message) => {
            ledger.remark(Kind::Hand, entry.lines(), message);
            Vec::new()
        }
    }
}

fn one(host: &str, port: &str) -> Result<(IpAddr, u16), String> {
    let address = address::address(host)?;
    let port = if matches!(port, "" | "0") { 0 } else { address::port(port)? };
    Ok((address, port))
}

/// Addresses from one to another that differs in its last part: decimal for IPv4, hexadecimal for IPv6.
fn range(address: IpAddr, end: Option<&str>) -> Result<Vec<IpAddr>, String> {
    const ADDRESSES_MAX: usize = 1024;
    let Some(end) = end else { return Ok(vec![address]) };
    let wrong = || format!("`{address}-{}` is not a range of addresses", crate::remark::brief(end));
    let addresses: Vec<IpAddr> = match address {
        IpAddr::V4(v4) => {
            let [a, b, c, first] = v4.octets();
            let last: u8 = end.parse().map_err(|_| wrong())?;
            (first..=last).map(|d| Ipv4Addr::new(a, b, c, d).into()).collect()
        }
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            let first = segments[7];
            let last = u16::from_str_radix(end, 16).map_err(|_| wrong())?;
            let of = |segment| {
                segments[7] = segment;
                Ipv6Addr::from(segments).into()
            };
            (first..=last).take(ADDRESSES_MAX + 1).map(of).collect()
        }
    };
    match addresses.len() {
        0 => Err(wrong()),
        count if count > ADDRESSES_MAX => Err(format!(
            "the range of `{address}` has more than {ADDRESSES_MAX} addresses; one listener may have \
             a prefix"
        )),
        _ => Ok(addresses),
    }
}

fn endpoint(address: IpAddr, port: u16, node: &Node, ledger: &mut Ledger) -> Endpoint {
    if port == 0 {
        ledger.hand(
            node.line,
            "port 0 becomes `port: all`: give the health check the port that is to be probed; the \
             agent asks for `allow_own_address` if the VIP is the host's",
        );
    }
    Endpoint {
        name: if port == 0 { address.to_string() } else { format!("{address}-{port}") },
        address: Vip::Address(address),
        first_port: port.max(1),
        last_port: if port == 0 { u16::MAX } else { port },
        idle_s: None,
        span: (node.line, node.last),
        lines: vec![node.line],
    }
}
