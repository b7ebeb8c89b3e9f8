//! A configuration from a file, or from the files of a directory, and the files that it names.

use std::path::{Path, PathBuf};

use lb_config::{
    self as config, Config, ConfigErrors, Document, FILES_MAX, FileCheck, FileText, Limits,
    NamedFile, Warning,
};
use lb_drivers::header_fields;
use lb_files::{
    bounded_file::{self, BoundedFileError},
    private_file::{read_private, read_public},
    yaml_directory::{self, Listing},
};
use lb_health::{Programs, tls};

/// Largest configuration, in bytes, in one file or in several: 10,000 targets need about one of these
/// 16 MiB.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads and checks a configuration, YAML or JSON, and the files that it names; programs of checks may be
/// anywhere. A directory has it in its `*.yaml` files.
pub fn load(path: &Path) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    load_within(path, &Limits::MOST, &Programs::Anywhere)
}

/// The same, for an agent that allows so much, and programs of checks there.
pub fn load_within(
    path: &Path,
    within: &Limits,
    programs: &Programs,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    load_checking(path, within, &|file| usable(file, programs))
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
pub fn load_elsewhere(
    path: &Path,
    within: &Limits,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    load_checking(path, within, &|_| Ok(()))
}

/// Looks at the files that a document names, and at nothing else: a document with other errors
/// passes. Programs of checks must be there.
pub fn check_named_files(document: &Document, programs: &Programs) -> Result<(), ConfigErrors> {
    config::check_files(document, &|file| usable(file, programs))
}

fn load_checking(
    path: &Path,
    within: &Limits,
    check_file: &FileCheck<'_>,
) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    if !path.is_dir() {
        let FileText { name, text } = read(path, FILE_BYTES_MAX)?;
        return config::parse_with_files(&text, &name, within, check_file);
    }
    let name = path.display().to_string();
    let listing = list(path, &name)?;
    let texts = read_all(&listing.files)?;
    let (document, config, mut warnings) =
        config::parse_directory(&texts, &name, within, check_file)?;
    warnings.extend(listing.left_out.iter().map(|file| {
        let message = "is not read: only files whose names end in .yaml are; rename it";
        Warning::of_file(&file.display().to_string(), message)
    }));
    Ok((document, config, warnings))
}

/// The files of a directory that make its configuration; none if it is not a directory.
#[must_use]
pub fn files_of(path: &Path) -> Vec<PathBuf> {
    yaml_directory::list(path).map_or_else(|_| Vec::new(), |listing| listing.files)
}

fn list(path: &Path, name: &str) -> Result<Listing, ConfigErrors> {
    let listing =
        yaml_directory::list(path).map_err(|error| config::unreadable(name, error.to_string()))?;
    let message = match listing.files.len() {
        0 => "is a directory without a configuration: no file in it has a name that ends in .yaml"
            .to_owned(),
        count if count > FILES_MAX => {
            format!("has {count} files that end in .yaml, more than the maximum of {FILES_MAX}")
        }
        _ => return Ok(listing),
    };
    Err(config::unreadable(name, message))
}

/// The text of each file; else what is wrong with all that cannot be read.
fn read_all(files: &[PathBuf]) -> Result<Vec<FileText>, ConfigErrors> {
    let mut texts = Vec::with_capacity(files.len());
    let mut errors = Vec::new();
    let mut bytes_left = FILE_BYTES_MAX;
    for path in files {
        match read(path, bytes_left) {
            Ok(file) => {
                bytes_left = bytes_left.saturating_sub(file.text.len() as u64);
                texts.push(file);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(texts) } else { Err(ConfigErrors::of_files(errors)) }
}

/// A file with so many bytes at most.
fn read(path: &Path, bytes_max: u64) -> Result<FileText, ConfigErrors> {
    let name = path.display().to_string();
    let (bytes, _) = bounded_file::read(path, bytes_max).map_err(|error| {
        let message = match error {
            BoundedFileError::Io(error) => format!("cannot read the file: {error}"),
            BoundedFileError::TooLarge { .. } if bytes_max < FILE_BYTES_MAX => {
                let most = FILE_BYTES_MAX >> 20;
                format!("with the files before it, is larger than {most} MiB")
            }
            other => other.to_string(),
        };
        config::unreadable(&name, message)
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(FileText { name, text }),
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
        NamedFile::RevocationLists(path) => tls::revocation_lists(path).map(drop),
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
        NamedFile::Headers(path) => {
            let text = read_private(path).map_err(|error| error.to_string())?;
            let fields = header_fields(&text).map(drop);
            fields.map_err(|error| format!("{}: {error}", path.display()))
        }
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
