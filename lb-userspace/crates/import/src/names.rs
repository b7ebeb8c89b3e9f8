//! Names of listeners and groups: the characters that xelb allows, and none twice.

use std::collections::HashSet;

use lb_common::group::NAME_BYTES_MAX;

/// The names that are taken.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    /// The nearest free name.
    pub(crate) fn take(&mut self, wanted: &str) -> String {
        let allowed =
            |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let mut base: String = wanted.chars().map(allowed).take(NAME_BYTES_MAX).collect();
        if base.is_empty() {
            base.push_str("service");
        }
        let mut name = base.clone();
        let mut number = 2_usize;
        while !self.0.insert(name.clone()) {
            let suffix = format!("-{number}");
            let kept = base.len().min(NAME_BYTES_MAX.saturating_sub(suffix.len()));
            // All characters are ASCII, so that every place is between two.
            name = format!("{}{suffix}", base.get(..kept).unwrap_or_default());
            number += 1;
        }
        name
    }
}
