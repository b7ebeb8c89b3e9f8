//! PURE: configuration, from text to a checked [`Config`], or to every error at once. It reads no file:
//! who has one gives its text, and says what is wrong with the files that it names ([`FileCheck`]).

mod change;
mod checker;
mod difference;
mod dns_name;
mod document;
mod edit;
mod error;
mod files;
mod joined_files;
mod last_document;
mod layer7;
mod limits;
mod listener_key;
pub mod listener_table;
mod model;
mod named_file;
mod node_path;
mod openapi;
mod own_address;
mod part;
mod part_error;
mod part_path;
mod pem;
pub mod plural;
mod positions;
mod read;
mod regex_count;
mod rules;
mod secrets;
mod section;
mod selected;
mod selector;
mod syntax;
mod tree;
mod usable_target;
mod values;

#[cfg(test)]
mod tests;

pub use change::Change;
pub use checker::Checker;
pub use difference::Difference;
pub use document::{Document, EditError};
pub use edit::Edit;
pub use error::{ConfigError, ConfigErrors, Warning, alike};
pub use files::{EXEC_CHECKS_OFF, FileCheck};
pub use joined_files::{FILES_MAX, FileText, parse_directory};
pub use layer7::MEMBER_WEIGHT;
pub use limits::Limits;
pub use listener_key::listener_key;
pub use model::*;
pub use named_file::NamedFile;
pub use own_address::{HostAddresses, ListeningSocket, own_address_taken, own_address_text};
pub use part::Part;
pub use part_error::PartError;
pub use part_path::{PartPath, PartPathError, PartStep};
pub use pem::{PemError, certificates_in, check_key};
pub use secrets::HIDDEN;
pub use selected::TaggedKind;
pub use selector::{Selector, SelectorError};
pub use usable_target::{AnyGroup, Unusable, unusable_target};
pub use values::{SEED, seed_of};

use std::sync::Arc;

use error::{At, Position};
use last_document::Last;
use positions::Positions;
use section::Findings;

/// The JSON Schema (draft 2020-12) of configurations, for editors. It finds fewer errors than
/// [`parse`]: none between two parts of a configuration.
pub const SCHEMA: &str = include_str!("../../../../docs/xelb.schema.json");

/// A checked configuration, and what should be said about it.
pub type Checked = (Config, Vec<Warning>);

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
    parse_with_files(text, source, within, &|_| Ok(()))
}

/// The same; `check_file` says what is wrong with a file that the text names.
pub fn parse_with_files(
    text: &str,
    source: &str,
    within: &Limits,
    check_file: &FileCheck<'_>,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let document = syntax::document(text)
        .map_err(|(spot, message)| ConfigErrors::one(source, At::spot(spot), message))?;
    let ((config, warnings), _) =
        check(&document, None, within, &SourceFiles::single(source), Some(check_file))?;
    Ok((document, config, warnings))
}

/// Why the bytes of a file are no text: what to say, and where.
#[must_use]
pub fn not_utf8(source: &str, bytes: &[u8]) -> ConfigErrors {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let good = bytes.get(..valid).unwrap_or_default();
    let message = "is not UTF-8 text; save the file as UTF-8";
    ConfigErrors::one(source, At::spot(end_of(&String::from_utf8_lossy(good))), message.to_owned())
}

/// Why a file cannot be read at all.
#[must_use]
pub fn unreadable(source: &str, message: String) -> ConfigErrors {
    ConfigErrors::one(source, At::spot(Position::UNKNOWN), message)
}

/// The place behind a text.
fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position {
        file: 0,
        line: number(text.matches('\n').count() + 1),
        column: number(last.chars().count() + 1),
    }
}

/// Checks a document that did not come from a file. The files that it names are not touched.
pub fn validate(document: &Document) -> Result<Checked, ConfigErrors> {
    validate_within(document, &Limits::MOST)
}

/// The same, for an agent that allows so much.
pub fn validate_within(document: &Document, within: &Limits) -> Result<Checked, ConfigErrors> {
    Ok(check(document, None, within, &SourceFiles::NONE, None)?.0)
}

/// Asks `check_file` about the files that a document names, and looks at nothing else: a document with other
/// errors passes.
pub fn check_files(document: &Document, check_file: &FileCheck<'_>) -> Result<(), ConfigErrors> {
    let findings = Findings::default();
    // Counts are checked first: a document beyond a limit is not read any further.
    let _read = read::config(&document.0, None, &Limits::MOST, &findings);
    let named = findings.files();
    let findings = Findings::default();
    files::check(&named, check_file, &findings);
    let (errors, _) = findings.into_parts();
    if errors.is_empty() { Ok(()) } else { Err(ConfigErrors::new("", errors)) }
}

/// Where a document comes from.
struct SourceFiles<'a> {
    /// The file, or the directory; empty when it is neither.
    name: &'a str,
    /// The files of the directory, in their order.
    files: &'a [Arc<str>],
}

impl<'a> SourceFiles<'a> {
    const NONE: SourceFiles<'static> = SourceFiles { name: "", files: &[] };

    const fn single(name: &'a str) -> Self {
        Self { name, files: &[] }
    }
}

fn check(
    document: &Document,
    last: Option<&Last>,
    within: &Limits,
    source: &SourceFiles<'_>,
    check_file: Option<&FileCheck<'_>>,
) -> Result<(Checked, Positions), ConfigErrors> {
    let findings = Findings::in_files(source.files);
    let (config, places) = read::config(&document.0, last, within, &findings);
    rules::check(&config, &places, within, &findings);
    if !within.exec_checks {
        files::refuse_programs(&findings.files(), within.by_proxy, &findings);
    }
    if let Some(check_file) = check_file {
        files::check(&findings.files(), check_file, &findings);
    }
    let (errors, mut warnings) = findings.into_parts();
    warnings.sort_by_key(|warning| warning.remark().spot());
    if errors.is_empty() {
        Ok(((config, warnings), places))
    } else {
        Err(ConfigErrors::new(source.name, errors))
    }
}
