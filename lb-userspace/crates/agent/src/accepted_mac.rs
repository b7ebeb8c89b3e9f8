//! PURE: frames that are taken beside those for the interfaces' own MAC addresses.

use std::str::FromStr;

/// MAC addresses that the operator adds to those of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedMac {
    /// Frames for any address.
    Any,
    /// Frames for this one, too.
    Also([u8; 6]),
}

impl FromStr for AcceptedMac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::Any);
        }
        let bytes: Option<Vec<u8>> = text
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2))
            .collect();
        let octets = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        // A group address and the zero address belong to no host.
        let usable = octets.filter(|octets| octets[0] & 1 == 0 && *octets != [0; 6]);
        usable.map(Self::Also).ok_or_else(|| {
            "expected the MAC address of a host, for example 00:00:5e:00:01:0a, or any".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_that_of_a_host() {
        let parse = |text: &str| text.parse::<AcceptedMac>();
        assert_eq!(parse("any"), Ok(AcceptedMac::Any));
        let vrrp = AcceptedMac::Also([0, 0, 0x5e, 0, 1, 0x0a]);
        assert_eq!(parse("00:00:5E:00:01:0a"), Ok(vrrp));
        for wrong in [
            "",
            "all",
            "00:00:5e:00:01",
            "00:00:5e:00:01:0a:00",
            "0:0:5e:0:1:a",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
