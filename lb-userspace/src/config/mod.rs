//! Configuration: from text to a checked [`Config`], or to every error at once.

mod checker;
mod difference;
mod document;
mod edit;
mod error;
mod files;
mod limits;
mod model;
mod own_address;
mod read;
mod rules;
mod secrets;
mod section;
mod seed;
mod syntax;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use checker::Checker;
pub use difference::Difference;
pub use document::{Document, EditError};
pub use edit::Edit;
pub use error::{ConfigError, ConfigErrors, Warning};
pub use limits::Limits;
pub use model::*;
pub use own_address::{own_address_taken, own_address_text};
pub use secrets::HIDDEN;
pub use seed::hash_seed;

use checker::Last;
use error::{At, Spot};
use read::Places;
use section::Findings;

use crate::{
    bounded_file::{self, BoundedFileError},
    health::Programs,
};

/// Largest configuration file, in bytes: 10,000 targets need about one of these 16 MiB.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// The JSON Schema (draft 2020-12) of configurations, for editors. It sees less than [`load`]: nothing
/// that lies between two parts of a configuration.
pub const SCHEMA: &str = include_str!("../../../docs/xelb.schema.json");

/// A checked configuration, and what should be said about it.
pub type Checked = (Config, Vec<Warning>);

/// Reads and checks a configuration file, YAML or JSON.
pub fn load(path: &Path) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    load_within(path, &Limits::MOST, &Programs::Anywhere)
}

/// The same, for an agent that allows so much, and programs of checks there.
pub fn load_within(
    path: &Path,
    within: &Limits,
    programs: &Programs,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let name = path.display().to_string();
    let text = read_text(path)
        .map_err(|(spot, message)| ConfigErrors::one(&name, At::spot(spot), message))?;
    parse_with(&text, &name, within, programs)
}

/// The same for a host that is not the balancer: the files that it names are not touched.
pub fn load_elsewhere(path: &Path) -> Result<Config, ConfigErrors> {
    let name = path.display().to_string();
    let of_spot = |(spot, message)| ConfigErrors::one(&name, At::spot(spot), message);
    let text = read_text(path).map_err(of_spot)?;
    let document = syntax::document(&text).map_err(of_spot)?;
    let ((config, _), _) = check(&document, None, &Limits::MOST, &name, Files::Untouched)?;
    Ok(config)
}

/// The text of a file, or what is wrong with it, and where.
fn read_text(path: &Path) -> Result<String, (Spot, String)> {
    let unreadable = |error| match error {
        BoundedFileError::Io(error) => (Spot::UNKNOWN, format!("cannot read the file: {error}")),
        other => (Spot::UNKNOWN, other.to_string()),
    };
    let (bytes, _) = bounded_file::read(path, FILE_BYTES_MAX).map_err(unreadable)?;
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
    parse_with(text, source, within, &Programs::Anywhere)
}

fn parse_with(
    text: &str,
    source: &str,
    within: &Limits,
    programs: &Programs,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let document = syntax::document(text)
        .map_err(|(spot, message)| ConfigErrors::one(source, At::spot(spot), message))?;
    let files = Files::Checked(programs);
    let ((config, warnings), _) = check(&document, None, within, source, files)?;
    Ok((document, config, warnings))
}

/// Checks a document that did not come from a file. The files that it names are not touched.
pub fn validate(document: &Document) -> Result<Checked, ConfigErrors> {
    validate_within(document, &Limits::MOST)
}

/// The same, for an agent that allows so much.
pub fn validate_within(document: &Document, within: &Limits) -> Result<Checked, ConfigErrors> {
    Ok(check(document, None, within, "", Files::Untouched)?.0)
}

/// Looks at the files that a document names, and at nothing else: a document with other errors passes.
/// Programs of checks must lie there.
pub fn check_files(document: &Document, programs: &Programs) -> Result<(), ConfigErrors> {
    let findings = Findings::default();
    // Counts come first: what has too much of something is not read any further.
    let _read = read::config(&document.0, None, &Limits::MOST, &findings);
    let named = findings.files();
    let findings = Findings::default();
    files::check(&named, programs, &findings);
    let (errors, _) = findings.into_parts();
    if errors.is_empty() { Ok(()) } else { Err(ConfigErrors::new("", errors)) }
}

/// What is done with the files that a document names.
#[derive(Clone, Copy, Debug)]
enum Files<'programs> {
    /// Programs of checks must lie there.
    Checked(&'programs Programs),
    Untouched,
}

fn check(
    document: &Document,
    last: Option<&Last>,
    within: &Limits,
    source: &str,
    files: Files<'_>,
) -> Result<(Checked, Places), ConfigErrors> {
    let findings = Findings::default();
    let (config, places) = read::config(&document.0, last, within, &findings);
    rules::check(&config, &places, within, &findings);
    if !within.exec_checks {
        files::refuse_programs(&findings.files(), &findings);
    }
    if let Files::Checked(programs) = files {
        files::check(&findings.files(), programs, &findings);
    }
    let (errors, mut warnings) = findings.into_parts();
    warnings.sort_by_key(|warning| (warning.remark().line(), warning.remark().column()));
    if errors.is_empty() {
        Ok(((config, warnings), places))
    } else {
        Err(ConfigErrors::new(source, errors))
    }
}
