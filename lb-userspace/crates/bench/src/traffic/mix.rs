//! PURE: lengths of frames, one packet after the other. All lengths are bytes from the Ethernet header
//! on, without the frame check sequence (4 bytes) that hardware adds.

use std::str::FromStr;

/// Packets after which the lengths repeat.
pub(super) const PATTERN: usize = 12;
/// The longest frame: what the kernel takes as a live frame is a page less its head- and tailroom
/// (4,096 - 256 - 320 bytes, and its own bookkeeping).
pub(super) const LENGTH_MAX: u32 = 3000;
/// The shortest frame of IPv4: what Ethernet carries at least.
const LENGTH_MIN_V4: u32 = 60;
/// The shortest frame of IPv6: Ethernet, IPv6 and TCP headers, in whole words of the generator.
const LENGTH_MIN_V6: u32 = 80;

/// Which lengths frames have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// All the same.
    Fixed(u32),
    /// The simple IMIX: of 12 frames, 7 are as short as possible, 4 have 590 bytes, 1 has 1,514.
    Imix,
}

/// The positions of middle (1) and long (2) frames among short ones, spread out.
const IMIX: [u8; PATTERN] = [0, 1, 0, 0, 1, 0, 2, 0, 1, 0, 1, 0];
const IMIX_MIDDLE: u32 = 590;
const IMIX_LONG: u32 = 1514;

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "imix" {
            return Ok(Self::Imix);
        }
        text.parse().map(Self::Fixed).map_err(|_| {
            "expected a number of bytes (from the Ethernet header on, without FCS) or imix"
                .to_owned()
        })
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(length) => write!(formatter, "{length}"),
            Self::Imix => formatter.write_str("imix"),
        }
    }
}

impl Mix {
    /// The shortest frame of a family.
    #[must_use]
    pub const fn length_min(is_v6: bool) -> u32 {
        if is_v6 { LENGTH_MIN_V6 } else { LENGTH_MIN_V4 }
    }

    /// The lengths of frames.
    #[must_use]
    pub fn lengths(self, is_v6: bool) -> [u32; PATTERN] {
        match self {
            Self::Fixed(length) => [length; PATTERN],
            Self::Imix => IMIX.map(|size| match size {
                0 => Self::length_min(is_v6),
                1 => IMIX_MIDDLE,
                _ => IMIX_LONG,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imix_has_its_proportions() {
        let lengths = Mix::Imix.lengths(false);
        let count = |wanted| lengths.iter().filter(|length| **length == wanted).count();
        assert_eq!([count(60), count(590), count(1514)], [7, 4, 1]);
        assert_eq!(Mix::Imix.lengths(true).iter().min(), Some(&80));
        assert_eq!(Mix::Fixed(100).lengths(true), [100; PATTERN]);
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!("imix".parse(), Ok(Mix::Imix));
        assert_eq!("64".parse(), Ok(Mix::Fixed(64)));
        for text in ["", "IMIX", "-1", "64b", "4294967296"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
