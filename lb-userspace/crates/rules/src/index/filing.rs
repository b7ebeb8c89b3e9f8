//! PURE: under which hosts and path prefixes a rule is filed. A rule must be found by every request
//! that it matches; that others find it too costs time only.

use crate::{matcher::Matcher, pattern::Pattern};

/// Where a rule is filed by host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostKey {
    /// This host.
    Exact(Vec<u8>),
    /// Hosts that end so; it begins with a dot.
    Suffix(Vec<u8>),
    /// Every host.
    Any,
}

/// The hosts that a rule is filed under: those of the condition that is filed best.
pub(super) fn host_keys(matchers: &[Matcher]) -> Vec<HostKey> {
    let keys_of = |matcher: &Matcher| match matcher {
        Matcher::Host(patterns) => Some(patterns.iter().map(host_key).collect::<Vec<_>>()),
        _ => None,
    };
    // The greatest of its keys is the worst one of a condition.
    let best = matchers.iter().filter_map(keys_of).min_by_key(|keys| rank(keys.iter().max()));
    let mut keys = best.unwrap_or_else(|| vec![HostKey::Any]);
    keys.sort();
    keys.dedup();
    keys
}

fn rank(key: Option<&HostKey>) -> u8 {
    match key {
        Some(HostKey::Exact(_)) => 0,
        Some(HostKey::Suffix(_)) => 1,
        Some(HostKey::Any) | None => 2,
    }
}

fn host_key(pattern: &Pattern) -> HostKey {
    if let Some(exact) = pattern.exact() {
        return HostKey::Exact(exact.to_vec());
    }
    match pattern.literal_suffix() {
        Some(suffix) if suffix.starts_with(b".") => HostKey::Suffix(suffix.to_vec()),
        _ => HostKey::Any,
    }
}

/// The path prefixes that a rule is filed under: those of the condition whose shortest one is
/// longest.
pub(super) fn path_prefixes(matchers: &[Matcher]) -> Vec<Vec<u8>> {
    let prefixes_of = |matcher: &Matcher| match matcher {
        Matcher::Path(patterns) => {
            Some(patterns.iter().map(Pattern::literal_prefix).collect::<Vec<_>>())
        }
        _ => None,
    };
    let shortest = |prefixes: &Vec<Vec<u8>>| prefixes.iter().map(Vec::len).min();
    let best = matchers.iter().filter_map(prefixes_of).max_by_key(shortest);
    let mut prefixes = best.unwrap_or_else(|| vec![Vec::new()]);
    prefixes.sort();
    prefixes.dedup();
    prefixes
}
