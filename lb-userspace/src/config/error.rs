//! What is wrong with a configuration: every error, each with its path and line.

use std::fmt;

use thiserror::Error;

/// Where something stands in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    /// Such as `target_groups[0].targets[2].address`; empty for the whole.
    pub(super) path: String,
    /// From 1; 0 when there is no file.
    pub(super) line: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    at: At,
    message: String,
}

impl ConfigError {
    pub(super) fn new(at: &At, message: impl Into<String>) -> Self {
        Self { at: at.clone(), message: message.into() }
    }

    /// Its path, such as `target_groups[0].name`; empty for the whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.at.path
    }

    /// Its line, from 1; `None` when the configuration is not a file.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        (self.at.line > 0).then_some(self.at.line)
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
        errors.sort_by_key(|error| error.at.line);
        Self { source_name: source_name.to_owned(), errors }
    }

    /// All of them.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

/// One error a line: `FILE:LINE: PATH: what is wrong`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                writeln!(formatter)?;
            }
            if !self.source_name.is_empty() {
                write!(formatter, "{}:", self.source_name)?;
                match error.line() {
                    Some(line) => write!(formatter, "{line}: ")?,
                    None => write!(formatter, " ")?,
                }
            }
            write!(formatter, "{error}")?;
        }
        Ok(())
    }
}

/// Something that works, but not as one may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub(super) ConfigError);

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.0.line() {
            write!(formatter, "line {line}: ")?;
        }
        write!(formatter, "{}", self.0)
    }
}
