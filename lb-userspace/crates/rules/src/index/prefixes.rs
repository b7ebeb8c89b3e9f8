//! PURE: lists of rules by literal prefix of the path.
//!
//! All prefixes lie in one sorted array, each with the place of the longest other prefix that it
//! begins with. Every prefix of a path that is in the array is the last entry that is not after the
//! path, or above that one: what lies between a prefix and the path begins with that prefix, too.

use super::Place;

/// Rules by prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    prefix: Box<[u8]>,
    /// Place of the longest proper prefix of `prefix` in the array.
    parent: Option<u32>,
    /// Rules in the order in which they are tried.
    rules: Vec<Place>,
}

impl Prefixes {
    /// Files a rule. Rules come in the order in which they are tried; `finish` must follow the last
    /// one.
    pub(super) fn insert(&mut self, prefix: &[u8], rule: Place) {
        let entry = Entry { prefix: prefix.into(), parent: None, rules: vec![rule] };
        self.entries.push(entry);
    }

    /// Sorts, joins equal prefixes and sets the parents.
    pub(super) fn finish(&mut self) {
        // A stable sort: rules of one prefix stay in their order.
        self.entries.sort_by(|one, other| one.prefix.cmp(&other.prefix));
        let mut joined: Vec<Entry> = Vec::new();
        for entry in self.entries.drain(..) {
            match joined.last_mut() {
                Some(last) if last.prefix == entry.prefix => last.rules.extend(entry.rules),
                _ => joined.push(entry),
            }
        }
        let mut above: Vec<usize> = Vec::new();
        for place in 0..joined.len() {
            let prefix = joined[place].prefix.clone();
            while above.last().is_some_and(|top| !prefix.starts_with(&joined[*top].prefix)) {
                above.pop();
            }
            joined[place].parent = above.last().and_then(|top| u32::try_from(*top).ok());
            above.push(place);
        }
        self.entries = joined;
    }

    /// Gives the rules of every prefix of the path, longest prefix first.
    pub(super) fn lists(&self, path: &[u8], visit: &mut impl FnMut(&[Place])) {
        let after = self.entries.partition_point(|entry| entry.prefix.as_ref() <= path);
        let mut next = after.checked_sub(1);
        while let Some(entry) = next.and_then(|place| self.entries.get(place)) {
            if path.starts_with(&entry.prefix) {
                visit(&entry.rules);
            }
            next = entry.parent.map(|parent| parent as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_path_is_found_longest_first() {
        let mut prefixes = Prefixes::default();
        let filed = ["/a", "", "/a/b", "/a/bc", "/b", "/a/b", "/a/b/c/d", "/0"];
        for (rule, prefix) in (0..).zip(filed) {
            prefixes.insert(prefix.as_bytes(), rule);
        }
        prefixes.finish();
        let cases: &[(&str, &[Place])] = &[
            ("", &[1]),
            ("/", &[1]),
            ("/a", &[0, 1]),
            ("/a/b/c", &[2, 5, 0, 1]),
            ("/a/b/c/d", &[6, 2, 5, 0, 1]),
            ("/a/bz", &[2, 5, 0, 1]),
            ("/a/bcd", &[3, 2, 5, 0, 1]),
            ("/zzz", &[1]),
            ("/00", &[7, 1]),
        ];
        for (path, expected) in cases {
            let mut found = Vec::new();
            prefixes.lists(path.as_bytes(), &mut |list| found.extend_from_slice(list));
            assert_eq!(found, *expected, "{path}");
        }
    }
}
