//! Inputs that a target starts from, and words that it tries: without them it would have to guess checksums and keys.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use data_encoding::HEXLOWER;
use serde_json::Value;

/// Files of the project that are good inputs: the target, what stands before the text, and the file.
const TEXTS: &[(&str, &str, &str)] = &[
    ("configuration", "", "deploy/xelb.yaml"),
    ("configuration", "", "lb-userspace/crates/import/src/tests/golden/haproxy.yaml"),
    ("configuration", "", "lb-userspace/crates/import/src/tests/golden/keepalived.yaml"),
    // The first byte of an import is its format: tests/fuzz/targets/import.rs.
    ("import", "\0", "lb-userspace/crates/import/src/tests/golden/ipvs-dump.txt"),
    ("import", "\0", "lb-userspace/crates/import/src/tests/golden/ipvs-table.txt"),
    ("import", "\u{1}", "lb-userspace/crates/import/src/tests/golden/keepalived.txt"),
    ("import", "\u{2}", "lb-userspace/crates/import/src/tests/golden/haproxy.txt"),
];

/// What a target starts from.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// A folder with inputs.
    pub(super) folder: Option<PathBuf>,
    /// A dictionary, in libFuzzer's format.
    pub(super) dictionary: Option<PathBuf>,
}

/// Writes the inputs of a target to a folder, and finds its dictionary.
pub(super) fn prepare(root: &Path, folder: &Path, target: &str) -> Result<Seeds> {
    let inputs = inputs(root, target)?;
    let folder = folder.join(target);
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, bytes) in &inputs {
        fs::write(folder.join(name), bytes)?;
    }
    let dictionary = match target {
        "configuration" => {
            let path = folder.with_extension("dict");
            fs::write(&path, words_of_the_schema(root)?)?;
            Some(path)
        }
        "http_request" | "http_response" | "cookie" => Some(root.join("tests/fuzz/http.dict")),
        _ => None,
    };
    Ok(Seeds { folder: (!inputs.is_empty()).then_some(folder), dictionary })
}

/// The inputs of a target, by name.
fn inputs(root: &Path, target: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    let hex = root.join(format!("tests/fuzz/seeds/{target}.hex"));
    if let Ok(text) = fs::read_to_string(&hex) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let wrong = || format!("{}: not a name and hexadecimal bytes: {line}", hex.display());
            let (name, bytes) = line.split_once(' ').with_context(wrong)?;
            let bytes = HEXLOWER.decode(bytes.as_bytes()).with_context(wrong)?;
            inputs.push((name.to_owned(), bytes));
        }
    }
    for (_, before, path) in TEXTS.iter().filter(|(of, ..)| *of == target) {
        let text = fs::read_to_string(root.join(path)).with_context(|| (*path).to_owned())?;
        inputs.push((path.replace('/', "-"), format!("{before}{text}").into_bytes()));
    }
    Ok(inputs)
}

/// Keys and words of the configuration.
fn words_of_the_schema(root: &Path) -> Result<String> {
    let schema = fs::read_to_string(root.join("docs/xelb.schema.json"))?;
    let mut words = BTreeSet::new();
    collect(&serde_json::from_str(&schema)?, &mut words);
    let mut dictionary = String::new();
    for word in words {
        writeln!(dictionary, "\"{word}\"")?;
    }
    Ok(dictionary)
}

fn collect(schema: &Value, words: &mut BTreeSet<String>) {
    let is_plain =
        |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let ("properties", Value::Object(properties)) = (key.as_str(), value) {
                    words.extend(properties.keys().map(|name| format!("{name}: ")));
                }
                if let ("enum", Value::Array(values)) = (key.as_str(), value) {
                    let texts = values.iter().filter_map(Value::as_str).filter(is_plain);
                    words.extend(texts.map(str::to_owned));
                }
                collect(value, words);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::TARGETS;

    #[test]
    fn seeds_are_read_and_belong_to_targets() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for target in TARGETS {
            let seeds = prepare(root, folder.path(), target).unwrap();
            assert!(seeds.dictionary.is_none_or(|path| path.exists()), "{target}");
        }
        assert!(TEXTS.iter().all(|(target, ..)| TARGETS.contains(target)));
        assert!(inputs(root, "packet").unwrap().len() > 20);
        let words = words_of_the_schema(root).unwrap();
        assert!(words.contains("\"target_groups: \"") && words.contains("\"l2dsr\""), "{words}");
    }
}
