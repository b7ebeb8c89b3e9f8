//! PURE: the path of a part of a document, as differences write it:
//! `target_groups[web].targets[10.0.1.11:80].weight`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest path, in bytes.
const BYTES_MAX: usize = 1000;

/// A path from the root of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartPath(pub(super) Vec<PartStep>);

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartStep {
    /// The value of a key of a section.
    Key(String),
    /// An item of a list, by its name, its address (with or without port), its priority, or itself.
    Item(String),
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{path}` is not a path: {why}; for example target_groups[web].attributes.slow_start")]
pub struct PartPathError {
    path: String,
    why: &'static str,
}

impl PartPath {
    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[PartStep] {
        &self.0
    }

    /// This path, and these steps behind it.
    #[must_use]
    pub fn join(&self, further: &Self) -> Self {
        Self(self.0.iter().chain(&further.0).cloned().collect())
    }

    /// This path, and one more step.
    #[must_use]
    pub fn with(mut self, step: PartStep) -> Self {
        self.0.push(step);
        self
    }

    /// This path, with what stands behind `tags` of an object as one key: keys of tags may have dots.
    #[must_use]
    pub fn with_tag_whole(mut self) -> Self {
        let Some(index) = self.tags() else { return self };
        let behind: Option<Vec<&str>> = self.0.iter().skip(index + 1).map(key_of).collect();
        if let Some(whole) = behind.filter(|keys| !keys.is_empty()).map(|keys| keys.join(".")) {
            self.0.truncate(index + 1);
            self.0.push(PartStep::Key(whole));
        }
        self
    }

    /// Whether it leads to a tag.
    #[must_use]
    pub fn is_tag(&self) -> bool {
        self.tags().is_some_and(|index| index + 2 == self.0.len())
    }

    /// Which of its steps are the tags of an object.
    fn tags(&self) -> Option<usize> {
        let is_tags = |step: &PartStep| matches!(step, PartStep::Key(key) if key == "tags");
        let index = self.0.iter().position(is_tags)?;
        let before = index.checked_sub(1).and_then(|before| self.0.get(before));
        let is_object = |step: &PartStep| match step {
            PartStep::Item(_) => true,
            // Members of a scaled group have them.
            PartStep::Key(key) => key == "scaling",
        };
        before.is_none_or(is_object).then_some(index)
    }

    /// The item of a list under a key of the root, and further pairs of both.
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let steps = pairs.iter().flat_map(|(list, item)| {
            [PartStep::Key((*list).to_owned()), PartStep::Item((*item).to_owned())]
        });
        Self(steps.collect())
    }

    /// What it leads to, in the words of people: `listener web`, `target web/10.0.1.11`; the path
    /// itself for everything else.
    #[must_use]
    pub fn object(&self) -> String {
        use PartStep::{Item, Key};
        match self.0.as_slice() {
            [Key(list), Item(name)] if list == "listeners" => format!("listener {name}"),
            [Key(list), Item(name)] if list == "target_groups" => format!("target group {name}"),
            [Key(_), Item(group), Key(list), Item(name)] if list == "targets" => {
                format!("target {group}/{name}")
            }
            [Key(_), Item(listener), Key(list), Item(name)] if list == "rules" => {
                format!("rule {listener}/{name}")
            }
            [] => "the configuration".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl FromStr for PartPath {
    type Err = PartPathError;

    fn from_str(text: &str) -> Result<Self, PartPathError> {
        let wrong = |why| PartPathError { path: super::error::brief(text), why };
        if text.len() > BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(item) = rest.strip_prefix('[') {
                let end = end_of_item(item).ok_or_else(|| wrong("a `[` has no `]`"))?;
                let (name, after) = item.split_at(end);
                if name.is_empty() || steps.is_empty() {
                    return Err(wrong("`[` needs the key of a list before it, and a name in it"));
                }
                steps.push(PartStep::Item(name.to_owned()));
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            if !steps.is_empty() {
                rest = rest.strip_prefix('.').ok_or_else(|| wrong("a `.` is missing"))?;
            }
            let (key, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| wrong("a `\"` is open"))?,
                None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
            };
            if key.is_empty() {
                return Err(wrong("a key is empty"));
            }
            steps.push(PartStep::Key(key.to_owned()));
            rest = after;
        }
        Ok(Self(steps))
    }
}

fn key_of(step: &PartStep) -> Option<&str> {
    match step {
        PartStep::Key(key) => Some(key),
        PartStep::Item(_) => None,
    }
}

/// Where the name of an item ends: at the `]` that belongs to the `[` before it.
fn end_of_item(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (index, character) in text.char_indices() {
        match character {
            '[' => open += 1,
            ']' if open == 0 => return Some(index),
            ']' => open -= 1,
            _ => {}
        }
    }
    None
}

impl fmt::Display for PartPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            let dot = if number == 0 { "" } else { "." };
            match step {
                PartStep::Item(name) => write!(formatter, "[{name}]")?,
                PartStep::Key(key) if key.contains(['.', '[', ']']) => {
                    write!(formatter, "{dot}\"{key}\"")?;
                }
                PartStep::Key(key) => write!(formatter, "{dot}{key}")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for PartPath {
    type Error = PartPathError;

    fn try_from(text: String) -> Result<Self, PartPathError> {
        text.parse()
    }
}

impl From<PartPath> for String {
    fn from(path: PartPath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        let key = |name: &str| PartStep::Key(name.to_owned());
        let item = |name: &str| PartStep::Item(name.to_owned());
        for (text, steps) in [
            ("", vec![]),
            ("interfaces", vec![key("interfaces")]),
            ("listeners[web].port", vec![key("listeners"), item("web"), key("port")]),
            (
                "target_groups[web].targets[[2001:db8::1]:80].weight",
                vec![
                    key("target_groups"),
                    item("web"),
                    key("targets"),
                    item("[2001:db8::1]:80"),
                    key("weight"),
                ],
            ),
            (
                "headers.request.set.\"x.a\"",
                vec![key("headers"), key("request"), key("set"), key("x.a")],
            ),
        ] {
            let path: PartPath = text.parse().unwrap();
            assert_eq!(path.steps(), steps, "{text}");
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn keys_of_tags_may_have_dots() {
        for (text, whole) in [
            ("tags.example.com/owner", "tags.\"example.com/owner\""),
            ("targets[10.0.0.1].tags.a.b", "targets[10.0.0.1].tags.\"a.b\""),
            ("scaling.tags.a.b", "scaling.tags.\"a.b\""),
            ("headers.tags.a.b", "headers.tags.a.b"),
        ] {
            let path = text.parse::<PartPath>().unwrap().with_tag_whole();
            assert_eq!(path.to_string(), whole);
            assert_eq!(path.is_tag(), text != whole);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = "a".repeat(1001);
        for (text, why) in [
            ("[web]", "needs the key of a list"),
            ("listeners[]", "a name in it"),
            ("listeners[web", "has no `]`"),
            ("listeners[web]port", "`.` is missing"),
            (".port", "a key is empty"),
            ("a..b", "a key is empty"),
            ("a.", "a key is empty"),
            ("a.\"b", "is open"),
            (&long, "too long"),
        ] {
            let error = text.parse::<PartPath>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn objects_have_the_names_that_people_use() {
        for (text, object) in [
            ("listeners[web]", "listener web"),
            ("target_groups[web]", "target group web"),
            ("target_groups[web].targets[10.0.1.11]", "target web/10.0.1.11"),
            ("listeners[shop].rules[old]", "rule shop/old"),
            ("listeners[web].port", "listeners[web].port"),
            ("", "the configuration"),
        ] {
            assert_eq!(text.parse::<PartPath>().unwrap().object(), object);
        }
    }
}
