//! Configuration: from text to a checked [`Config`], or to every error at once.

mod document;
mod error;
mod model;
mod read;
mod rules;
mod section;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::{fs::File, io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path};

pub use document::{Document, EditError};
pub use error::{ConfigError, ConfigErrors, Warning};
pub use model::*;

use error::At;
use section::Findings;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Largest configuration file, in bytes: 10,000 targets need about one of these 16 MiB.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// A checked configuration, and what should be said about it.
pub type Checked = (Config, Vec<Warning>);

/// Reads and checks a configuration file, YAML or JSON.
pub fn load(path: &Path) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let name = path.display().to_string();
    let fail = |message: String| whole(&name, &message);
    let text = read_text(path).map_err(fail)?;
    parse(&text, &name)
}

fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot read the file: {error}");
    // A pipe without a writer must not hold the agent up.
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        format!("is not UTF-8 text (line {line})")
    })
}

/// Checks a configuration in YAML or JSON; `source` names it in messages.
pub fn parse(text: &str, source: &str) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    // Doubles are found with all other errors.
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
    let root = serde_saphyr::from_str_with_options::<Option<tree::Located>>(text, options)
        .map_err(|error| syntax(&error, source))?;
    let document = root.map_or_else(Document::default, |root| Document(root.into()));
    let (config, warnings) = check(&document, source)?;
    Ok((document, config, warnings))
}

/// Checks a document that did not come from a file.
pub fn validate(document: &Document) -> Result<Checked, ConfigErrors> {
    check(document, "")
}

fn check(document: &Document, source: &str) -> Result<Checked, ConfigErrors> {
    let findings = Findings::default();
    let (config, places) = read::config(&document.0, &findings);
    rules::check(&config, &places, &findings);
    let errors = findings.errors.into_inner();
    if errors.is_empty() {
        Ok((config, findings.warnings.into_inner()))
    } else {
        Err(ConfigErrors::new(source, errors))
    }
}

/// An error of the file as a whole.
fn whole(source: &str, message: &str) -> ConfigErrors {
    ConfigErrors::new(source, vec![ConfigError::new(&At::default(), message)])
}

/// An error of the syntax: the first only, since nothing after it can be trusted.
fn syntax(error: &serde_saphyr::Error, source: &str) -> ConfigErrors {
    let line =
        error.location().and_then(|location| usize::try_from(location.line()).ok()).unwrap_or(0);
    let at = At { path: String::new(), line };
    let text = error.without_snippet().to_string();
    let message = text.lines().next().unwrap_or_default();
    // The place stands in front already.
    let message = message.split_once(" at line ").map_or(message, |(message, _)| message);
    let message = match message.split_once("multiple YAML documents detected") {
        Some(_) => "there is a second document; a configuration is one",
        None => message,
    };
    ConfigErrors::new(source, vec![ConfigError::new(&at, message)])
}
