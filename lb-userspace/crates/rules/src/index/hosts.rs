//! PURE: lists of rules by host.

use std::collections::HashMap;

use super::{Place, filing::HostKey, prefixes::Prefixes};

/// Rules by host, then by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<Box<[u8]>, Prefixes>,
    suffixes: HashMap<Box<[u8]>, Prefixes>,
    any: Prefixes,
    /// Dots in the longest suffix: longer ones of a host need not be looked up.
    dots_max: usize,
}

impl Hosts {
    /// Files a rule. Rules come in the order in which they are tried; `finish` must follow the last
    /// one.
    pub(super) fn insert(&mut self, host: &HostKey, paths: &[Vec<u8>], rule: Place) {
        let prefixes = match host {
            HostKey::Exact(host) => self.exact.entry(host.as_slice().into()).or_default(),
            HostKey::Suffix(suffix) => {
                let dots = memchr::memchr_iter(b'.', suffix).count();
                self.dots_max = self.dots_max.max(dots);
                self.suffixes.entry(suffix.as_slice().into()).or_default()
            }
            HostKey::Any => &mut self.any,
        };
        for path in paths {
            prefixes.insert(path, rule);
        }
    }

    /// Sorts what was filed.
    pub(super) fn finish(&mut self) {
        let named = self.exact.values_mut().chain(self.suffixes.values_mut());
        named.chain([&mut self.any]).for_each(Prefixes::finish);
    }

    /// Gives every list that can hold a match, the most special host first.
    pub(super) fn lists(&self, host: &str, path: &[u8], mut visit: impl FnMut(&[Place])) {
        let host = host.as_bytes();
        if let Some(prefixes) = self.exact.get(host) {
            prefixes.lists(path, &mut visit);
        }
        let dots = memchr::memrchr_iter(b'.', host).take(self.dots_max);
        for dot in dots {
            if let Some(prefixes) = self.suffixes.get(&host[dot..]) {
                prefixes.lists(path, &mut visit);
            }
        }
        self.any.lists(path, &mut visit);
    }
}
