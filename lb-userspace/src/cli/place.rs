//! PURE: the address of a target on the command line, or its DNS name, with or without its port.

use std::{fmt, net::SocketAddr};

use lb_agent::TargetView;
use lb_config::TargetAddress;

/// An address or a name, and a port if one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: TargetAddress,
    pub(super) port: Option<u16>,
}

impl Place {
    /// Whether a target is there, or comes from this name.
    pub(super) fn fits(&self, target: &TargetView) -> bool {
        let is_it = match &self.address {
            TargetAddress::Ip(address) => target.address == Some(*address),
            TargetAddress::Name(name) => target.name == **name,
        };
        is_it && self.port.is_none_or(|port| port == target.port)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => formatter.write_str(&self.address.with_port(port)),
            None => self.address.fmt(formatter),
        }
    }
}

pub(super) fn parse_place(text: &str) -> Result<Place, String> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Place { address: socket.ip().into(), port: Some(socket.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<std::net::IpAddr>() {
        return Ok(Place { address: address.into(), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()),
        None => (text, None),
    };
    let is_whole = port.is_some() == text.contains(':');
    let address = host.parse::<TargetAddress>().ok().filter(|_| is_whole);
    address.map(|address| Place { address, port }).ok_or_else(|| {
        "not ADDRESS or ADDRESS:PORT; for example 10.0.1.13, [2001:db8::13]:80 or \
         order.example.org:80"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, address, port) in [
            ("10.0.1.13", "10.0.1.13", None),
            ("10.0.1.13:80", "10.0.1.13", Some(80)),
            ("2001:db8::13", "2001:db8::13", None),
            ("[2001:db8::13]", "2001:db8::13", None),
            ("[2001:db8::13]:8080", "2001:db8::13", Some(8080)),
            ("Order.example.org", "order.example.org", None),
            ("order.example.org:80", "order.example.org", Some(80)),
        ] {
            let address = address.parse().unwrap();
            let place = parse_place(text).unwrap();
            assert_eq!(place, Place { address, port }, "{text}");
            assert_eq!(parse_place(&place.to_string()), Ok(place), "{text}");
        }
        for text in [
            "",
            "we b",
            "10.0.1",
            "10.0.1.13:",
            "10.0.1.13:99999",
            "[::1",
            "a.example.org:",
            "a:b:1",
        ] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn targets_are_found_by_their_name() {
        let target = TargetView {
            address: Some([10, 0, 0, 1].into()),
            port: 80,
            name: "a.example.org".to_owned(),
            ..TargetView::default()
        };
        for (text, expected) in [
            ("10.0.0.1", true),
            ("10.0.0.1:81", false),
            ("a.example.org", true),
            ("a.example.org:80", true),
            ("a.example.org:81", false),
            ("b.example.org", false),
        ] {
            assert_eq!(parse_place(text).unwrap().fits(&target), expected, "{text}");
        }
    }
}
