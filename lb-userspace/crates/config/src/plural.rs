//! PURE: numbers of things, in words for people.

use std::fmt::Display;

/// So many of these: `1 target`, `2 targets`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
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
}
