//! Reads the keys of one section, and collects what is wrong instead of stopping at it.

use std::cell::RefCell;

use super::{
    error::{At, ConfigError, Warning},
    tree::{Node, Value},
};

/// What was found while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: RefCell<Vec<ConfigError>>,
    pub(super) warnings: RefCell<Vec<Warning>>,
}

impl Findings {
    pub(super) fn error(&self, at: &At, message: impl Into<String>) {
        self.errors.borrow_mut().push(ConfigError::new(at, message));
    }

    pub(super) fn warn(&self, at: &At, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning(ConfigError::new(at, message)));
    }
}

/// One section: its keys, which of them were asked for, where it stands.
pub(super) struct Section<'a> {
    pub(super) at: At,
    entries: &'a [(Node, Node)],
    asked: RefCell<Vec<&'static str>>,
    pub(super) findings: &'a Findings,
}

/// One value and where it stands.
pub(super) struct Entry<'a> {
    pub(super) node: &'a Node,
    pub(super) at: At,
}

impl<'a> Section<'a> {
    /// The section that a node is; an error and `None` when it is something else.
    pub(super) fn new(node: &'a Node, at: At, findings: &'a Findings) -> Option<Self> {
        let entries: &[(Node, Node)] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            other => {
                findings.error(&at, format!("must be a section with keys, not {}", other.kind()));
                return None;
            }
        };
        Some(Self { at, entries, asked: RefCell::default(), findings })
    }

    fn path(&self, key: &str) -> String {
        if self.at.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at.path) }
    }

    /// The value of a key, if it is there and not empty.
    pub(super) fn entry(&self, key: &'static str) -> Option<Entry<'a>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        drop(asked);
        let (name, node) = self.entries.iter().find(|(name, _)| name.as_text() == Some(key))?;
        if node.value == Value::Null {
            return None;
        }
        let line = if node.line == 0 { name.line } else { node.line };
        Some(Entry { node, at: At { path: self.path(key), line } })
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &'static str, example: &str) -> Option<Entry<'a>> {
        let entry = self.entry(key);
        if entry.is_none() {
            self.findings.error(&self.at, format!("`{key}` is missing; for example `{example}`"));
        }
        entry
    }

    /// What `read` makes of a key's value; its error is kept, and gives `None`.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        self.take(self.entry(key)?, read)
    }

    /// The same for a key that must be there.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        self.take(self.required(key, example)?, read)
    }

    fn take<T>(
        &self,
        entry: Entry<'_>,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        read(entry.node).map_err(|message| self.findings.error(&entry.at, message)).ok()
    }

    /// The section under a key; an empty one when it is not there.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        const EMPTY: &Node = &Node { value: Value::Null, line: 0 };
        let entry = self.entry(key).unwrap_or_else(|| Entry {
            node: EMPTY,
            at: At { path: self.path(key), line: self.at.line },
        });
        Section::new(entry.node, entry.at, self.findings)
    }

    /// The items under a key; none when it is not there.
    pub(super) fn list(&self, key: &'static str) -> Vec<Entry<'a>> {
        let Some(Entry { node, at }) = self.entry(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.findings.error(&at, format!("must be a list, not {}", node.value.kind()));
            return Vec::new();
        };
        let place = |index: usize, item: &Node| At {
            path: format!("{}[{index}]", at.path),
            line: if item.line == 0 { at.line } else { item.line },
        };
        items
            .iter()
            .enumerate()
            .map(|(index, node)| Entry { node, at: place(index, node) })
            .collect()
    }

    /// Complains about keys that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (name, _) in self.entries {
            let key = name.as_text().unwrap_or_default();
            if asked.contains(&key) {
                continue;
            }
            let at = At { path: self.path(key), line: name.line };
            let message = match nearest(key, &asked) {
                Some(known) => format!("unknown key; did you mean `{known}`?"),
                None => format!("unknown key; known are {}", list_of(&asked)),
            };
            self.findings.error(&at, message);
        }
    }
}

/// Names for a message.
pub(super) fn list_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The name that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, on bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised() {
        let known = ["address", "port", "weight"];
        for (typed, meant) in [
            ("adress", Some("address")),
            ("wieght", Some("weight")),
            ("prot", None),
            ("port_", Some("port")),
            ("colour", None),
        ] {
            assert_eq!(nearest(typed, &known), meant, "{typed}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), expected);
            assert_eq!(distance(b, a), expected);
        }
    }
}
