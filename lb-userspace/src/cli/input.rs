//! Files that a command reads; `-` is the standard input. A configuration may be a directory.

use std::{
    io::{self, Read as _},
    path::Path,
};

use lb_agent::config_file::{self, FILE_BYTES_MAX};
use lb_api::Transport;
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
    let (name, text) = standard_input()?;
    config_file::check_text(&text, &name, within, programs)
}

/// The same, for this agent. One on another host looks itself at the files that the configuration names:
/// they are there.
pub(super) fn configuration_for(
    path: &Path,
    agent: &Transport,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    if is_elsewhere(agent) { configuration_of_elsewhere(path) } else { configuration(path) }
}

/// Whether an agent is on another host.
pub(super) const fn is_elsewhere(agent: &Transport) -> bool {
    matches!(agent, Transport::Tls(_))
}

/// Whether a document names files.
pub(super) fn names_files(document: &Document) -> bool {
    config::check_files(document, &|_| Err(String::new())).is_err()
}

/// The same without a look at the files that it names.
pub(super) fn configuration_of_elsewhere(
    path: &Path,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    configuration_of_elsewhere_within(path, &Limits::MOST)
}

/// The same, for an agent that allows so much.
pub(super) fn configuration_of_elsewhere_within(
    path: &Path,
    within: &Limits,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    if !is_standard_input(path) {
        return config_file::load_elsewhere(path, within);
    }
    let (name, text) = standard_input()?;
    config::parse_within(&text, &name, within)
}

/// Its name, and its text.
fn standard_input() -> Result<(String, String), ConfigErrors> {
    let path = Path::new("-");
    let name = shown(path);
    let bytes = bytes(path, FILE_BYTES_MAX).map_err(|why| config::unreadable(&name, why))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(config::not_utf8(&name, error.as_bytes())),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_a_configuration_names_are_looked_for_on_the_host_of_the_agent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xelb.yaml");
        let seed = folder.path().join("seed").display().to_string();
        std::fs::write(&path, format!("interfaces: [eth0]\nhash_seed_file: {seed}\n")).unwrap();
        let error = configuration_for(&path, &Transport::Unix("xelb.sock".into())).unwrap_err();
        assert!(error.to_string().contains("hash_seed_file"), "{error}");
        let (document, ..) = configuration_of_elsewhere(&path).unwrap();
        assert!(names_files(&document) && !names_files(&Document::default()));
        // Everything else is checked.
        std::fs::write(&path, "interfaces: [eth0]\nlisseners: []\n").unwrap();
        let error = configuration_of_elsewhere(&path).unwrap_err();
        assert!(error.to_string().contains("unknown key"), "{error}");
    }
}
