//! Reads the keys of one section, and collects what is wrong instead of stopping at it.

use std::{cell::RefCell, sync::Arc};

use lb_common::group::NAME_BYTES_MAX;

use super::{
    error::{At, ConfigError, ERRORS_MAX, Position, Warning},
    named_file::NamedFile,
    tree::{Node, Value},
};

/// What was found while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<Warning>>,
    files: RefCell<Vec<(At, NamedFile)>>,
    /// The files of the directory that is read; none when it is a single file.
    sources: Vec<Arc<str>>,
}

impl Findings {
    /// Those of a configuration in the files of a directory.
    pub(super) fn in_files(sources: &[Arc<str>]) -> Self {
        Self { sources: sources.to_vec(), ..Self::default() }
    }

    /// Where something is that another file has, too: `; the other is in FILE:LINE`. Empty when both are
    /// in one file.
    pub(super) fn elsewhere(&self, at: &At, other: &At) -> String {
        match self.source(other) {
            Some(file) if other.spot.file != at.spot.file => {
                format!("; the other is in {file}:{}", other.spot.line)
            }
            _ => String::new(),
        }
    }

    /// None, of a configuration in the same files.
    pub(super) fn without_findings(&self) -> Self {
        Self::in_files(&self.sources)
    }

    /// Takes errors over, each once.
    pub(super) fn take_errors(&self, other: Self) {
        let mut errors = self.errors.borrow_mut();
        for error in other.errors.into_inner() {
            if errors.len() < ERRORS_MAX && !errors.contains(&error) {
                errors.push(error);
            }
        }
    }

    fn source(&self, at: &At) -> Option<&Arc<str>> {
        self.sources.get(usize::from(at.spot.file).checked_sub(1)?)
    }

    fn found(&self, at: &At, message: impl Into<String>) -> ConfigError {
        ConfigError::new(at, message).in_file(self.source(at))
    }

    pub(super) fn error(&self, at: &At, message: impl Into<String>) {
        if !self.full() {
            self.errors.borrow_mut().push(self.found(at, message));
        }
    }

    pub(super) fn warn(&self, at: &At, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning(self.found(at, message)));
    }

    /// Records a named file, to be checked later, or not at all.
    pub(super) fn file(&self, at: &At, file: NamedFile) {
        self.files.borrow_mut().push((at.clone(), file));
    }

    /// The files that the changed parts name.
    pub(super) fn files(&self) -> Vec<(At, NamedFile)> {
        self.files.borrow().clone()
    }

    /// Whether further errors are dropped: a person corrects these first.
    pub(super) fn full(&self) -> bool {
        self.count() >= ERRORS_MAX
    }

    /// Number of errors.
    pub(super) fn count(&self) -> usize {
        self.errors.borrow().len()
    }

    /// Errors and warnings, in the order in which they were found.
    pub(super) fn into_parts(self) -> (Vec<ConfigError>, Vec<Warning>) {
        (self.errors.into_inner(), self.warnings.into_inner())
    }
}

/// One section: its keys, which of them were read, and its position.
pub(super) struct Section<'a> {
    pub(super) at: At,
    entries: &'a [(Node, Node)],
    asked: RefCell<Vec<&'static str>>,
    /// Keys that are there and belong elsewhere.
    refused: RefCell<Vec<&'static str>>,
    pub(super) findings: &'a Findings,
}

/// One value and its position.
pub(super) struct Entry<'a> {
    pub(super) node: &'a Node,
    pub(super) at: At,
}

/// A list and its position.
pub(super) struct List<'a> {
    pub(super) at: At,
    items: &'a [Node],
}

impl<'a> List<'a> {
    /// What is in it.
    pub(super) fn items(&self) -> impl ExactSizeIterator<Item = &'a Node> + use<'a> {
        self.items.iter()
    }

    /// The position of one of them. Its index counts from the first of its file: a person looks there.
    pub(super) fn place(&self, index: usize, item: &Node) -> At {
        let file = item.spot.file;
        let before = self.items.partition_point(|other| other.spot.file < file);
        self.at.item(index.saturating_sub(before), item.spot)
    }

    /// Each of them and its position.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'a>> {
        let place = |(index, node)| Entry { node, at: self.place(index, node) };
        self.items.iter().enumerate().map(place)
    }
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
        Some(Self { at, entries, asked: RefCell::default(), refused: RefCell::default(), findings })
    }

    /// The value of a key, if it is there and not empty.
    pub(super) fn entry(&self, key: &'static str) -> Option<Entry<'a>> {
        if !self.asked.borrow().contains(&key) {
            self.asked.borrow_mut().push(key);
        }
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<Entry<'a>> {
        let (name, node) = self.entries.iter().find(|(name, _)| name.as_text() == Some(key))?;
        if node.value == Value::Null {
            return None;
        }
        // The key when the value begins on a later line, as block sections and lists do: a person
        // looks for the key then.
        let spot = if node.spot.line == name.spot.line { node.spot } else { name.spot };
        Some(Entry { node, at: self.at.key(key, spot) })
    }

    /// All keys and values that are there and not empty.
    pub(super) fn set_entries(&self) -> Vec<(Node, Node)> {
        self.entries.iter().filter(|(_, value)| value.value != Value::Null).cloned().collect()
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
        self.take(&self.entry(key)?, read)
    }

    /// The same for a key that must be there.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        self.take(&self.required(key, example)?, read)
    }

    fn take<T>(
        &self,
        entry: &Entry<'_>,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        read(entry.node).map_err(|message| self.findings.error(&entry.at, message)).ok()
    }

    /// The section under a key; an empty one when it is not there.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        const EMPTY: &Node = &Node { value: Value::Null, spot: Position::UNKNOWN };
        let entry = self
            .entry(key)
            .unwrap_or_else(|| Entry { node: EMPTY, at: self.at.key(key, self.at.spot) });
        Section::new(entry.node, entry.at, self.findings)
    }

    /// The list under a key; `None` when there is none, an error as well when something else is there.
    pub(super) fn list(&self, key: &'static str) -> Option<List<'a>> {
        let Entry { node, at } = self.entry(key)?;
        let Value::List(items) = &node.value else {
            self.findings.error(&at, format!("must be a list, not {}", node.value.kind()));
            return None;
        };
        Some(List { at, items })
    }

    /// Complains about a key that belongs elsewhere, if it is there. It is not one of the known keys.
    pub(super) fn refuse(&self, key: &'static str, message: impl Into<String>) {
        self.refused.borrow_mut().push(key);
        if let Some(entry) = self.find(key) {
            self.findings.error(&entry.at, message);
        }
    }

    /// What `read` makes of each key and value of the section under a key, whose keys may be any.
    pub(super) fn texts(
        &self,
        key: &'static str,
        read: impl Fn(&str, &Node) -> Result<String, String>,
    ) -> Vec<(String, String)> {
        let Some(section) = self.section(key) else {
            return Vec::new();
        };
        let of = |(name_node, node): &(Node, Node)| {
            let name = name_node.as_text().unwrap_or_default();
            let same_line = node.spot.line == name_node.spot.line;
            let spot = if same_line { node.spot } else { name_node.spot };
            let at = section.at.key(name, spot);
            match read(name, node) {
                Ok(value) => Some((name.to_owned(), value)),
                Err(message) => {
                    self.findings.error(&at, message);
                    None
                }
            }
        };
        section.entries.iter().filter_map(of).collect()
    }

    /// Reports keys that were not read; `None` if there are more errors than before.
    pub(super) fn finish_since(self, errors: usize) -> Option<()> {
        let findings = self.findings;
        self.finish();
        (findings.count() == errors).then_some(())
    }

    /// Reports keys that were not read.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (name, _) in self.entries {
            if self.findings.full() {
                return;
            }
            let key = name.as_text().unwrap_or_default();
            if asked.contains(&key) || self.refused.borrow().contains(&key) {
                continue;
            }
            let at = self.at.key(key, name.spot);
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
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
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
