//! PURE: the address of a target on the command line, with or without its port.

use std::net::{IpAddr, SocketAddr};

/// An address, and a port if one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
}

pub(super) fn parse_place(text: &str) -> Result<Place, String> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Place { address: socket.ip(), port: Some(socket.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map(|address| Place { address, port: None }).map_err(|_| {
        "not ADDRESS or ADDRESS:PORT; for example 10.0.1.13 or [2001:db8::13]:80".to_owned()
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
        ] {
            let address = address.parse().unwrap();
            assert_eq!(parse_place(text), Ok(Place { address, port }), "{text}");
        }
        for text in ["", "web", "10.0.1", "10.0.1.13:", "10.0.1.13:99999", "[::1"] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }
}
