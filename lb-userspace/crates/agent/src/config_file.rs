//! A configuration from a file, and the files that it names.

use std::path::Path;

use lb_config::{self as config, Config, ConfigErrors, Document, Limits, NamedFile, Warning};
use lb_files::{
    bounded_file::{self, BoundedFileError},
    private_file::{read_private, read_public},
};
use lb_health::{Programs, tls};

/// Largest configuration file, in bytes: 10,000 targets need about one of these 16 MiB.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads and checks a configuration file, YAML or JSON, and the files that it names; programs of
/// checks may be anywhere.
pub fn load(path: &Path) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    load_within(path, &Limits::MOST, &Programs::Anywhere)
}

/// The same, for an agent that allows so much, and programs of checks there.
pub fn load_within(
    path: &Path,
    within: &Limits,
    programs: &Programs,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let (name, text) = read(path)?;
    check_text(&text, &name, within, programs)
}

/// The same for a text, and a name for messages.
pub fn check_text(
    text: &str,
    name: &str,
    within: &Limits,
    programs: &Programs,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    config::parse_with_files(text, name, within, &|file| usable(file, programs))
}

/// The same for a host that is not the balancer: the files that it names are not touched.
pub fn load_elsewhere(path: &Path) -> Result<Config, ConfigErrors> {
    let (name, text) = read(path)?;
    Ok(config::parse(&text, &name)?.1)
}

/// Looks at the files that a document names, and at nothing else: a document with other errors
/// passes. Programs of checks must be there.
pub fn check_named_files(document: &Document, programs: &Programs) -> Result<(), ConfigErrors> {
    config::check_files(document, &|file| usable(file, programs))
}

/// The name of a file, for messages, and its text.
fn read(path: &Path) -> Result<(String, String), ConfigErrors> {
    let name = path.display().to_string();
    let (bytes, _) = bounded_file::read(path, FILE_BYTES_MAX).map_err(|error| {
        let message = match error {
            BoundedFileError::Io(error) => format!("cannot read the file: {error}"),
            other => other.to_string(),
        };
        config::unreadable(&name, message)
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(config::not_utf8(&name, error.as_bytes())),
    }
}

/// The seed of the flow hash that a configuration names, itself or in a file; `None` when it names none.
pub fn hash_seed(config: &Config) -> Result<Option<[u64; 2]>, String> {
    match (&config.hash_seed, &config.hash_seed_file) {
        (Some(seed), _) => Ok(Some(*seed)),
        (None, Some(path)) => read_seed(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn usable(file: &NamedFile, programs: &Programs) -> Result<(), String> {
    match file {
        NamedFile::Authorities(path) => tls::authorities(path).map(drop),
        NamedFile::Certificate(path) => {
            let file = read_public(path).map_err(|error| error.to_string())?;
            let checked = config::certificates_in(file.as_bytes()).map(drop);
            checked.map_err(|error| format!("{} {error}", path.display()))
        }
        NamedFile::Key(path) => {
            let file = read_private(path).map_err(|error| error.to_string())?;
            let checked = config::check_key(file.as_bytes());
            checked.map_err(|error| format!("{} {error}", path.display()))
        }
        // Refused by the limits already, without a look at it.
        // Whether systemd or the engine answers is known later, and may change.
        NamedFile::HostDriver(_) => Ok(()),
        NamedFile::Program(_) if *programs == Programs::Off => Ok(()),
        NamedFile::Program(path) => {
            programs.find(path).map(drop).map_err(|error| error.to_string())
        }
        NamedFile::Seed(path) => read_seed(path).map(drop),
        NamedFile::Secret(path) => webhook_secret(path).map(drop),
    }
}

/// The key of a webhook's signatures: the content of a file that only its owner and its group can
/// read, without blanks around it.
pub fn webhook_secret(path: &Path) -> Result<Vec<u8>, String> {
    let text = read_private(path).map_err(|error| error.to_string())?;
    match text.trim().as_bytes() {
        [] => Err(format!("{} is empty; write a secret into it", path.display())),
        secret => Ok(secret.to_vec()),
    }
}

/// The seed in a file that only its owner and its group can read.
fn read_seed(path: &Path) -> Result<[u64; 2], String> {
    let text = read_private(path).map_err(|error| error.to_string())?;
    let seed = config::seed_of(text.trim());
    seed.ok_or_else(|| format!("{} must hold {}", path.display(), config::SEED))
}

#[cfg(test)]
#[path = "config_file_tests.rs"]
mod tests;
