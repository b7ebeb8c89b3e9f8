//! A program with its arguments, which runs without a shell.

use std::path::Path;

use crate::{named_file::NamedFile, section::Section, values};

/// Reads the list under a key that must be there: the program's absolute path, and its arguments.
pub(super) fn program(
    section: &Section<'_>,
    key: &'static str,
    example: &str,
) -> Option<Vec<String>> {
    section.required(key, example)?;
    let list = section.list(key)?;
    let words: Vec<Option<String>> = list
        .entries()
        .map(|entry| match values::text(entry.node) {
            Ok(word) => Some(word),
            Err(message) => {
                section.findings.error(&entry.at, message);
                None
            }
        })
        .collect();
    let command: Vec<String> = words.into_iter().collect::<Option<_>>()?;
    let Some(program) = command.first() else {
        section.findings.error(&list.at, "must name a program");
        return None;
    };
    if !Path::new(program).is_absolute() {
        let message = format!("{program} is not an absolute path; programs run without a shell");
        section.findings.error(&list.at, message);
        return None;
    }
    section.findings.file(&list.at, NamedFile::Program(program.into()));
    Some(command)
}
