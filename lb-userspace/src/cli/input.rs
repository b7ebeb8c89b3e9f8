//! Files that a command reads; `-` is the standard input. A configuration may be a directory.

use std::{
    io::{self, Read as _},
    path::Path,
};

use lb_agent::config_file::{self, FILE_BYTES_MAX};
use lb_config::{self as config, Config, ConfigErrors, Document, Limits, Warning};
use lb_files::bounded_file::{self, BoundedFileError};
use lb_health::Programs;

/// Reads and checks a configuration, and the files that it names; programs of checks may be anywhere.
pub(super) fn configuration(path: &Path) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    configuration_within(path, &Limits::MOST, &Programs::Anywhere)
}

/// The same, for an agent that allows so much, and programs of checks there.
pub(super) fn configuration_within(
    path: &Path,
    within: &Limits,
    programs: &Programs,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    if !is_standard_input(path) {
        return config_file::load_within(path, within, programs);
    }
    let name = shown(path);
    let bytes = bytes(path, FILE_BYTES_MAX).map_err(|why| config::unreadable(&name, why))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| config::not_utf8(&name, &bytes))?;
    config_file::check_text(text, &name, within, programs)
}

/// The bytes of a file, or why not.
pub(super) fn bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    if !is_standard_input(path) {
        return bounded_file::read(path, bytes_max).map(|(bytes, _)| bytes).map_err(|error| {
            match error {
                BoundedFileError::Io(error) => format!("cannot read the file: {error}"),
                other => other.to_string(),
            }
        });
    }
    let mut bytes = Vec::new();
    io::stdin()
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read the standard input: {error}"))?;
    if bytes.len() as u64 > bytes_max {
        return Err(BoundedFileError::TooLarge { bytes_max }.to_string());
    }
    Ok(bytes)
}

/// The name of a file, for messages.
pub(super) fn shown(path: &Path) -> String {
    if is_standard_input(path) {
        return "(standard input)".to_owned();
    }
    path.display().to_string()
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}
