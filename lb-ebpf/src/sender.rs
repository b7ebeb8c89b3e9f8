//! Whether the sender of a packet may be answered by the balancer itself: with an echo reply, an ICMP
//! error or RST. What is forwarded is the target's to judge.

use lb_common::{Address, Family};

/// Whether a source is one host (RFC 1122, section 3.2.2; RFC 4443, section 2.4 (e)), and not the
/// address that it writes to. The broadcast addresses of subnets are not known here.
#[inline(always)]
pub(crate) fn may_be_answered(family: Family, source: Address, destination: Address) -> bool {
    let [low, high] = source.words;
    let first = low.to_le() as u8;
    let one_host = match family {
        // This network, loopback, and multicast, reserved and broadcast addresses (RFC 6890).
        Family::V4 => first != 0 && first != 127 && first < 224,
        // Multicast; unspecified and loopback (RFC 4291).
        Family::V6 => first != 0xff && (low != 0 || u64::from_be(high) > 1),
    };
    one_host && source.words != destination.words
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn only_one_host_is_answered() {
        let may = |source: &str, destination: &str| {
            let [source, destination]: [IpAddr; 2] =
                [source.parse().unwrap(), destination.parse().unwrap()];
            may_be_answered(Family::from(&source), source.into(), destination.into())
        };
        for source in ["1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.255", "10.0.0.1"] {
            assert!(may(source, "203.0.113.10"), "{source}");
        }
        for source in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "224.0.0.1",
            "239.1.2.3",
            "240.0.0.1",
            "255.255.255.255",
            "203.0.113.10",
        ] {
            assert!(!may(source, "203.0.113.10"), "{source}");
        }
        for source in ["::2", "::1:0:0:0", "2001:db8::1", "fe80::1", "64:ff9b::1"] {
            assert!(may(source, "2001:db8::10"), "{source}");
        }
        for source in ["::", "::1", "ff02::1", "ffff::", "2001:db8::10"] {
            assert!(!may(source, "2001:db8::10"), "{source}");
        }
    }
}
