//! PURE: numbers of things, in words for people.

use std::fmt::Display;

/// So many of these: `1 target`, `2 targets`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// How long ago something was: `now`, `7 s ago`, `5 min ago`, `3 h ago`, `2 d ago`.
#[must_use]
pub fn ago(seconds: u64) -> String {
    match seconds {
        0 => "now".to_owned(),
        1..=89 => format!("{seconds} s ago"),
        90..=5399 => format!("{} min ago", (seconds + 30) / 60),
        5400..=172_799 => format!("{} h ago", (seconds + 1800) / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_no_plural() {
        assert_eq!(counted(0_u64, "probe"), "0 probes");
        assert_eq!(counted(1_usize, "target"), "1 target");
        assert_eq!(counted(2_usize, "target"), "2 targets");
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, expected) in [
            (0, "now"),
            (89, "89 s ago"),
            (90, "2 min ago"),
            (299, "5 min ago"),
            (5399, "90 min ago"),
            (5400, "2 h ago"),
            (172_799, "48 h ago"),
            (172_800, "2 d ago"),
        ] {
            assert_eq!(ago(seconds), expected);
        }
    }
}
