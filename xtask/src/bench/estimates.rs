//! What criterion has written: medians in nanoseconds, by the name of the measurement.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// A bound on the depth of criterion's folders.
const DEPTH_MAX: usize = 6;

/// Everything below criterion's folder.
pub(super) fn read(folder: &Path) -> Result<Value> {
    let mut medians = BTreeMap::new();
    collect(folder, 0, &mut medians)?;
    ensure!(!medians.is_empty(), "criterion has left nothing in {}", folder.display());
    Ok(json!({ "median_nanoseconds": medians }))
}

fn collect(folder: &Path, depth: usize, medians: &mut BTreeMap<String, f64>) -> Result<()> {
    let [benchmark, estimates] = ["benchmark.json", "estimates.json"].map(|name| folder.join(name));
    if folder.ends_with("new") && benchmark.exists() && estimates.exists() {
        let name = json_of(&benchmark)?["full_id"].as_str().unwrap_or_default().to_owned();
        let median = json_of(&estimates)?["median"]["point_estimate"].as_f64();
        medians.insert(name, median.context("criterion gives no median")?);
        return Ok(());
    }
    let cannot_read = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        if path.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth + 1, medians)?;
        }
    }
    Ok(())
}

fn json_of(path: &Path) -> Result<Value> {
    let cannot_read = || format!("cannot read {}", path.display());
    let text = fs::read_to_string(path).with_context(cannot_read)?;
    serde_json::from_str(&text).with_context(cannot_read)
}

/// The median of a measurement, in milliseconds.
pub(super) fn milliseconds(estimates: &Value, name: &str) -> Option<f64> {
    Some(estimates["median_nanoseconds"].get(name)?.as_f64()? / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_found_by_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ring/65536 slots_1000/new");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("benchmark.json"), r#"{"full_id":"ring/65536 slots/1000"}"#).unwrap();
        fs::write(folder.join("estimates.json"), r#"{"median":{"point_estimate":1500000.0}}"#)
            .unwrap();
        let read = read(root.path()).unwrap();
        assert_eq!(milliseconds(&read, "ring/65536 slots/1000"), Some(1.5));
        assert_eq!(milliseconds(&read, "ring"), None);
        let empty = tempfile::tempdir().unwrap();
        assert!(super::read(empty.path()).is_err());
    }
}
