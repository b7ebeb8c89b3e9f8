//! Configuration: from text to a checked [`Config`], or to every error at once.

mod checker;
mod difference;
mod document;
mod edit;
mod error;
mod limits;
mod model;
mod read;
mod rules;
mod section;
mod syntax;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::{fs::OpenOptions, io, io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path};

pub use checker::Checker;
pub use difference::Difference;
pub use document::{Document, EditError};
pub use edit::Edit;
pub use error::{ConfigError, ConfigErrors, Warning};
pub use limits::Limits;
pub use model::*;

use checker::Last;
use error::{At, Spot};
use read::Places;
use section::Findings;

/// Largest configuration file, in bytes: 10,000 targets need about one of these 16 MiB.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// The JSON Schema (draft 2020-12) of configurations, for editors. It sees less than [`load`]: nothing
/// that lies between two parts of a configuration.
pub const SCHEMA: &str = include_str!("../../../docs/xelb.schema.json");

/// A checked configuration, and what should be said about it.
pub type Checked = (Config, Vec<Warning>);

/// Reads and checks a configuration file, YAML or JSON.
pub fn load(path: &Path) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    load_within(path, &Limits::MOST)
}

/// The same, for an agent that allows so much.
pub fn load_within(
    path: &Path,
    within: &Limits,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let name = path.display().to_string();
    let text = read_text(path)
        .map_err(|(spot, message)| ConfigErrors::one(&name, At::spot(spot), message))?;
    parse_within(&text, &name, within)
}

/// The text of a file, or what is wrong with it, and where.
fn read_text(path: &Path) -> Result<String, (Spot, String)> {
    let unreadable = |error: io::Error| (Spot::UNKNOWN, format!("cannot read the file: {error}"));
    // Without O_NONBLOCK the opening of a named pipe waits for somebody to write to it.
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err((Spot::UNKNOWN, "is a directory; name a file in it".to_owned()));
    }
    if !kind.is_file() {
        return Err((Spot::UNKNOWN, "is not a regular file".to_owned()));
    }
    let too_large = || (Spot::UNKNOWN, format!("is larger than {} MiB", FILE_BYTES_MAX >> 20));
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    // It may grow meanwhile.
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let spot = end_of(&String::from_utf8_lossy(good));
        (spot, "is not UTF-8 text; save the file as UTF-8".to_owned())
    })
}

/// The place behind a text.
fn end_of(text: &str) -> Spot {
    let last = text.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Spot { line: number(text.matches('\n').count() + 1), column: number(last.chars().count() + 1) }
}

/// Checks a configuration in YAML or JSON; `source` names it in messages.
pub fn parse(text: &str, source: &str) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    parse_within(text, source, &Limits::MOST)
}

/// The same, for an agent that allows so much.
pub fn parse_within(
    text: &str,
    source: &str,
    within: &Limits,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let document = syntax::document(text)
        .map_err(|(spot, message)| ConfigErrors::one(source, At::spot(spot), message))?;
    let ((config, warnings), _) = check(&document, None, within, source)?;
    Ok((document, config, warnings))
}

/// Checks a document that did not come from a file.
pub fn validate(document: &Document) -> Result<Checked, ConfigErrors> {
    validate_within(document, &Limits::MOST)
}

/// The same, for an agent that allows so much.
pub fn validate_within(document: &Document, within: &Limits) -> Result<Checked, ConfigErrors> {
    Ok(check(document, None, within, "")?.0)
}

fn check(
    document: &Document,
    last: Option<&Last>,
    within: &Limits,
    source: &str,
) -> Result<(Checked, Places), ConfigErrors> {
    let findings = Findings::default();
    let (config, places) = read::config(&document.0, last, &findings);
    rules::check(&config, &places, within, &findings);
    let (errors, mut warnings) = findings.into_parts();
    warnings.sort_by_key(|warning| (warning.remark().line(), warning.remark().column()));
    if errors.is_empty() {
        Ok(((config, warnings), places))
    } else {
        Err(ConfigErrors::new(source, errors))
    }
}
