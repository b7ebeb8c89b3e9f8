//! PURE: one document from the files of a directory. Listeners, target groups and hooks are joined in the
//! order of the files; every other key is in one file only. It reads no directory.

use std::sync::Arc;

use super::{
    ConfigErrors, Document, FileCheck, Limits, SourceFiles, Warning, check,
    error::{At, ConfigError, Position},
    model::Config,
    section::list_of,
    syntax::{self, NODES_MAX},
    tree::{Node, Value},
};

/// Files in a directory.
pub const FILES_MAX: usize = 256;

/// Keys that are lists, which every file may have.
const JOINED: [&str; 3] = ["target_groups", "listeners", "on_event"];

/// A file of a directory: its name for messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    /// Such as `conf.d/10-web.yaml`.
    pub name: String,
    /// YAML or JSON.
    pub text: String,
}

/// Checks a configuration in several files, in their order; `directory` names the whole in messages, and
/// `check_file` says what is wrong with a file that they name. At most [`FILES_MAX`] files.
pub fn parse_directory(
    files: &[FileText],
    directory: &str,
    within: &Limits,
    check_file: &FileCheck<'_>,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let names: Vec<Arc<str>> = files.iter().map(|file| file.name.as_str().into()).collect();
    let document = join(parts(files)?, &names, directory)?;
    let source = SourceFiles { name: directory, files: &names };
    let ((config, warnings), _) = check(&document, None, within, &source, Some(check_file))?;
    Ok((document, config, warnings))
}

/// The document of each file; else what is wrong with their syntax, the first error of each.
fn parts(files: &[FileText]) -> Result<Vec<Node>, ConfigErrors> {
    let mut parts = Vec::with_capacity(files.len());
    let mut errors = Vec::new();
    let mut nodes_left = NODES_MAX;
    for (number, FileText { name, text }) in (1..).zip(files) {
        match syntax::document_within(text, nodes_left) {
            Ok(Document(mut node)) => {
                nodes_left = nodes_left.saturating_sub(node.assign(number));
                parts.push(node);
            }
            Err((spot, message)) => {
                errors.push(ConfigErrors::one(name, At::spot(spot), message));
            }
        }
    }
    if errors.is_empty() { Ok(parts) } else { Err(ConfigErrors::of_files(errors)) }
}

/// One document from those of the files.
fn join(parts: Vec<Node>, names: &[Arc<str>], directory: &str) -> Result<Document, ConfigErrors> {
    let mut joined: Vec<(Node, Node)> = Vec::new();
    let mut errors = Vec::new();
    for (part, (file, name)) in parts.into_iter().zip((1..).zip(names)) {
        let mut wrong = |at: &At, message: String| {
            errors.push(ConfigError::new(at, message).in_file(Some(name)));
        };
        let entries = match part.value {
            Value::Map(entries) if !entries.is_empty() => Arc::unwrap_or_clone(entries),
            // A file that is being written is empty for a moment: its listeners must not go meanwhile.
            Value::Map(_) | Value::Null => {
                let message =
                    "is empty; write its keys, or give it a name that does not end in .yaml";
                wrong(&At::spot(Position { file, ..Position::UNKNOWN }), message.to_owned());
                continue;
            }
            other => {
                let message = format!("must be a section with keys, not {}", other.kind());
                wrong(&At::spot(part.spot), message);
                continue;
            }
        };
        for (key, value) in entries {
            if value.value == Value::Null {
                continue;
            }
            let text = key.as_text().unwrap_or_default();
            let at = At::default().key(text, key.spot);
            let is_list = JOINED.contains(&text);
            let present = joined.iter_mut().find(|(name, _)| name.as_text() == Some(text));
            match (present, value.value) {
                (None, own) => joined.push((key, Node { value: own, spot: value.spot })),
                (Some((_, Node { value: Value::List(all), .. })), Value::List(more)) if is_list => {
                    Arc::make_mut(all).extend(Arc::unwrap_or_clone(more));
                }
                // That of the other file is reported when the whole is read.
                (Some(_), Value::List(_)) if is_list => {}
                (Some(_), other) if is_list => {
                    wrong(&at, format!("must be a list, not {}", other.kind()));
                }
                (Some((first, _)), _) => wrong(&at, set_twice(first.spot, names)),
            }
        }
    }
    if errors.is_empty() {
        let value = Value::Map(Arc::new(joined));
        return Ok(Document(Node { value, spot: Position::UNKNOWN }));
    }
    Err(ConfigErrors::new(directory, errors))
}

fn set_twice(first: Position, names: &[Arc<str>]) -> String {
    let file = names.get(usize::from(first.file).saturating_sub(1)).map_or("", AsRef::as_ref);
    format!(
        "is set in {file}:{}, too; only {} may be in several files",
        first.line,
        list_of(&JOINED)
    )
}
