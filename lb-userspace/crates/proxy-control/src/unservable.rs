//! PURE: why a configuration is not served. What this version cannot do is refused, never ignored.

use std::path::{Path, PathBuf};

use lb_config::{ConfigErrors, plural::counted};
use thiserror::Error;

/// A part of a configuration that cannot be served, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unservable {
    /// A listener.
    #[error("listener {name}: {reason}")]
    Listener {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A target group.
    #[error("target group {name}: {reason}")]
    Group {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The configuration as a whole.
    #[error("{0}")]
    Whole(String),
}

/// All parts of a configuration that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", self.lines().join("\n"))]
pub struct UnservableConfig {
    /// The file.
    pub file: PathBuf,
    /// At least one.
    pub parts: Vec<Unservable>,
}

impl UnservableConfig {
    fn lines(&self) -> Vec<String> {
        self.parts.iter().map(|part| format!("{}: {part}", self.file.display())).collect()
    }
}

/// Why a configuration file is not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// It has errors.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// It is valid, and this version cannot serve it.
    #[error(transparent)]
    Unservable(#[from] UnservableConfig),
}

impl LoadError {
    /// The first fault, with its place in `file`, and how many others there are.
    #[must_use]
    pub fn line(&self, file: &Path) -> String {
        let (first, count) = match self {
            Self::Config(errors) => {
                let first = errors
                    .errors()
                    .first()
                    .map(|error| format!("{} {error}", error.place(&file.display().to_string())));
                (first, errors.errors().len())
            }
            Self::Unservable(config) => (config.lines().into_iter().next(), config.parts.len()),
        };
        match (first, count) {
            (Some(first), 0..=1) => first,
            (Some(first), _) => format!("{first} (and {})", counted(count - 1, "more error")),
            (None, _) => self.to_string(),
        }
    }
}
