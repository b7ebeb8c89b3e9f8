//! What is wrong with a configuration: every error, each with its path, line and column.

use std::{collections::HashMap, fmt, sync::Arc};

use thiserror::Error;

/// Maximum number of errors in a report; further errors are reported at the next try.
pub(super) const ERRORS_MAX: usize = 200;

/// Longest text of the configuration that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// A line and a column of a file, both from 1, columns in characters; 0 when unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Which file of a directory, from 1; 0 when there is only one.
    pub(super) file: u16,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    /// Of what did not come from a file.
    pub(super) const UNKNOWN: Self = Self { file: 0, line: 0, column: 0 };
}

/// Position of a value in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    /// Such as `target_groups[0].targets[2].address`; empty for the whole.
    pub(super) path: String,
    pub(super) spot: Position,
}

impl At {
    /// A place in the whole.
    pub(super) const fn spot(spot: Position) -> Self {
        Self { path: String::new(), spot }
    }

    /// The position of the value of a key.
    pub(super) fn key(&self, key: &str, spot: Position) -> Self {
        let key = brief(key);
        let path = if self.path.is_empty() { key } else { format!("{}.{key}", self.path) };
        Self { path, spot }
    }

    /// The position of an item of a list; that of the list when the item has none.
    pub(super) fn item(&self, index: usize, spot: Position) -> Self {
        let spot = if spot.line == 0 { self.spot } else { spot };
        Self { path: format!("{}[{index}]", self.path), spot }
    }
}

/// A foreign text, prepared for a message: on one line, and not too long.
pub(super) fn brief(text: &str) -> String {
    brief_to(text, SHOWN_CHARACTERS_MAX)
}

/// The same, with so many characters at most.
pub(super) fn brief_to(text: &str, characters_max: usize) -> String {
    let mut characters = text.chars();
    let mut brief = String::new();
    for character in characters.by_ref().take(characters_max) {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            brief.extend(character.escape_default());
        } else {
            brief.push(character);
        }
    }
    if characters.next().is_some() {
        brief.push_str("...");
    }
    brief
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    at: At,
    message: String,
    /// The file of a directory that it is in.
    file: Option<Arc<str>>,
}

impl ConfigError {
    pub(super) fn new(at: &At, message: impl Into<String>) -> Self {
        Self { at: at.clone(), message: message.into(), file: None }
    }

    /// The same, in a file of a directory.
    pub(super) fn in_file(self, file: Option<&Arc<str>>) -> Self {
        Self { file: file.cloned().or(self.file), ..self }
    }

    /// The file that it is in, of those of a directory; `None` when there is only one, or when it is about
    /// none of them.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Its path, such as `target_groups[0].name`; empty for the whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.at.path
    }

    /// Its line, from 1; `None` when the configuration is not a file.
    #[must_use]
    pub const fn line(&self) -> Option<u32> {
        if self.at.spot.line > 0 { Some(self.at.spot.line) } else { None }
    }

    /// Its column in characters, from 1; `None` when it is unknown.
    #[must_use]
    pub const fn column(&self) -> Option<u32> {
        if self.at.spot.column > 0 { Some(self.at.spot.column) } else { None }
    }

    pub(super) const fn spot(&self) -> Position {
        self.at.spot
    }

    /// The message without the position.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Its position in a file, in the format of compilers and editors: `FILE:LINE:COLUMN:`, without
    /// unknown parts; empty without a file. `file` is named where it is not in one of a directory.
    #[must_use]
    pub fn place(&self, file: &str) -> String {
        let file = self.file().unwrap_or(file);
        if file.is_empty() {
            return String::new();
        }
        let numbers = self.line().into_iter().chain(self.line().and(self.column()));
        numbers.fold(format!("{file}:"), |place, number| format!("{place}{number}:"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.path.is_empty() {
            write!(formatter, "{}: ", self.at.path)?;
        }
        formatter.write_str(&self.message)
    }
}

/// Everything that is wrong, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigErrors {
    source_name: String,
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    pub(super) fn new(source_name: &str, mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by_key(|error| error.at.spot);
        // Two listeners on one group find the same.
        errors.dedup();
        Self { source_name: source_name.to_owned(), errors }
    }

    /// A single error.
    pub(super) fn one(source_name: &str, at: At, message: String) -> Self {
        Self::new(source_name, vec![ConfigError { at, message, file: None }])
    }

    /// What is wrong with several files, in their order.
    #[must_use]
    pub fn of_files(each: impl IntoIterator<Item = Self>) -> Self {
        let in_its_file = |one: Self| {
            let name: Arc<str> = one.source_name.into();
            one.errors.into_iter().map(move |error| error.in_file(Some(&name)))
        };
        let errors = each.into_iter().flat_map(in_its_file).take(ERRORS_MAX).collect();
        Self { source_name: String::new(), errors }
    }

    /// All of them.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

/// One error a line: `FILE:LINE:COLUMN: PATH: what is wrong`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                writeln!(formatter)?;
            }
            match error.place(&self.source_name) {
                place if place.is_empty() => write!(formatter, "{error}")?,
                place => write!(formatter, "{place} {error}")?,
            }
        }
        if self.errors.len() >= ERRORS_MAX {
            write!(formatter, "\nonly the first {ERRORS_MAX} errors are shown; there may be more")?;
        }
        Ok(())
    }
}

/// Something that works, but not as one may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub(super) ConfigError);

impl Warning {
    /// One about the place with this path, whose line is not known.
    #[must_use]
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        let at = At { path: path.into(), spot: Position::UNKNOWN };
        Self(ConfigError::new(&at, message))
    }

    /// One about a whole file of a directory.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self(ConfigError::new(&At::default(), message).in_file(Some(&file.into())))
    }

    /// The message and the position.
    #[must_use]
    pub const fn remark(&self) -> &ConfigError {
        &self.0
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.file(), self.0.line()) {
            (Some(_), _) => write!(formatter, "{} ", self.0.place(""))?,
            (None, Some(line)) => write!(formatter, "line {line}: ")?,
            (None, None) => {}
        }
        write!(formatter, "{}", self.0)
    }
}

/// The first of those warnings each that say the same but for numbers (`web1`, `web2`), and how many
/// more there are of it.
#[must_use]
pub fn alike(warnings: &[Warning]) -> Vec<(&Warning, usize)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut first: Vec<(&Warning, usize)> = Vec::new();
    for warning in warnings {
        let place = *places.entry(pattern(&warning.0.message)).or_insert(first.len());
        match first.get_mut(place) {
            Some((_, more)) => *more += 1,
            None => first.push((warning, 0)),
        }
    }
    first
}

/// A message with `0` for each number.
fn pattern(message: &str) -> String {
    let mut pattern = String::with_capacity(message.len());
    for character in message.chars() {
        if !character.is_ascii_digit() {
            pattern.push(character);
        } else if !pattern.ends_with('0') {
            pattern.push('0');
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_alike_warnings_are_one() {
        let mut warnings: Vec<Warning> = (0..1000)
            .map(|number| {
                let message = format!("no listener forwards to web{number}");
                Warning::at(format!("target_groups[{number}]"), message)
            })
            .collect();
        warnings.insert(500, Warning::at("listeners", "is empty"));
        let found = alike(&warnings);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].0.remark().message(), found[0].1),
            ("no listener forwards to web0", 999)
        );
        assert_eq!((found[1].0.remark().message(), found[1].1), ("is empty", 0));
    }
}
