//! The bill of materials (SBOM, CycloneDX 1.5): all crates that are linked into xelb and its BPF programs,
//! with versions, licences, checksums, and what depends on what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Release;
use crate::package::{BPF_FEATURE, linked_crates};
use crate::workspace::{Workspace, output};

/// The reference of xelb itself.
const OWN: &str = "xelb";

/// The package that the program is of.
const PROGRAM: &str = "lb-userspace";

pub(super) fn of(workspace: &Workspace, release: &Release) -> Result<String> {
    let metadata =
        output(&mut workspace.cargo(["metadata", "--format-version=1", "--locked", BPF_FEATURE]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata: not JSON")?;
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock")?;
    let lock: toml::Table = lock.parse().context("Cargo.lock")?;
    let bill = bill(&metadata, &lock, &linked_crates(workspace)?, release);
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// The document, of what Cargo says about the workspace, and of the crates, `NAME VERSION`, that are in it.
fn bill(
    metadata: &Value,
    lock: &toml::Table,
    linked: &BTreeSet<String>,
    release: &Release,
) -> Value {
    let checksums = checksums(lock);
    let mut references: BTreeMap<&str, String> = BTreeMap::new();
    let mut components: BTreeMap<String, Value> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        if !linked.contains(&name) {
            continue;
        }
        let reference = reference(package);
        references.insert(text(package, "id"), reference.clone());
        if reference != OWN {
            components.insert(reference, component(package, checksums.get(&name)));
        }
    }
    let mut dependencies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let Some(reference) = references.get(text(node, "id")) else { continue };
        let on = list(&node["deps"]).iter().filter(|one| is_linked(one));
        let on = on.filter_map(|one| references.get(text(one, "pkg")).map(String::as_str));
        dependencies.entry(reference).or_default().extend(on);
    }
    let dependencies: Vec<Value> =
        dependencies.iter().map(|(one, on)| json!({ "ref": one, "dependsOn": on })).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": release.created,
            "component": {
                "type": "application", "bom-ref": OWN, "name": OWN, "version": release.version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    })
}

/// Checksums of crates, `NAME VERSION`, from the registry.
fn checksums(lock: &toml::Table) -> BTreeMap<String, String> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let entry = |package: &toml::Value| {
        let text = |key| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        Some((format!("{} {}", text("name")?, text("version")?), text("checksum")?))
    };
    packages.into_iter().flatten().filter_map(entry).collect()
}

fn component(package: &Value, checksum: Option<&String>) -> Value {
    let reference = reference(package);
    let mut component = json!({
        "type": "library", "bom-ref": reference, "name": package["name"],
        "version": package["version"],
    });
    let licence = text(package, "license");
    if !licence.is_empty() {
        // An old way to write a choice.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if !package["source"].is_null() {
        component["purl"] = reference.into();
    }
    if let Some(checksum) = checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// The package URL of a crate of a registry; the name of one of the workspace.
fn reference(package: &Value) -> String {
    match (text(package, "name"), package["source"].is_null()) {
        (PROGRAM, true) => OWN.to_owned(),
        (name, true) => name.to_owned(),
        (name, false) => format!("pkg:cargo/{name}@{}", text(package, "version")),
    }
}

/// Whether a dependency is in the program, not only needed to build or test it. The BPF programs are in it.
fn is_linked(dependency: &Value) -> bool {
    let kinds = list(&dependency["dep_kinds"]);
    kinds.iter().any(|one| one["kind"].is_null()) || text(dependency, "name") == "lb_ebpf"
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::example;

    fn made() -> (Value, BTreeSet<String>) {
        let workspace = Workspace::find().unwrap();
        let bill = of(&workspace, &example()).unwrap();
        assert_eq!(bill, of(&workspace, &example()).unwrap(), "it is another one each time");
        (serde_json::from_str(&bill).unwrap(), linked_crates(&workspace).unwrap())
    }

    #[test]
    fn every_linked_crate_is_in_the_bill_with_licence_and_checksum() {
        let (bill, linked) = made();
        let components = list(&bill["components"]);
        // xelb itself is not one of its components.
        assert_eq!(components.len() + 1, linked.len());
        for name in ["tokio", "aya", "aya-ebpf", "aws-lc-sys", "redb"] {
            let found = components.iter().find(|one| one["name"] == name);
            let found = found.unwrap_or_else(|| panic!("no {name}"));
            let purl = format!("pkg:cargo/{name}@{}", text(found, "version"));
            assert_eq!(text(found, "purl"), purl);
            assert_eq!(found["hashes"][0]["content"].as_str().unwrap().len(), 64, "{found}");
            assert!(!text(&found["licenses"][0], "expression").is_empty(), "{found}");
        }
        assert!(!components.iter().any(|one| one["name"] == "proptest"), "tests are not linked");
        let plan = components.iter().find(|one| one["name"] == "lb-plan").unwrap();
        assert!(plan["purl"].is_null(), "no registry has it");
    }

    #[test]
    fn dependencies_name_components() {
        let (bill, _) = made();
        let names: BTreeSet<&str> =
            list(&bill["components"]).iter().map(|one| text(one, "bom-ref")).chain([OWN]).collect();
        let mut reached = BTreeSet::from([OWN]);
        for one in list(&bill["dependencies"]) {
            for other in list(&one["dependsOn"]) {
                assert!(names.contains(other.as_str().unwrap()), "{one}");
                reached.insert(other.as_str().unwrap());
            }
        }
        let alone: Vec<_> = names.difference(&reached).collect();
        assert!(alone.is_empty(), "nothing depends on {alone:?}");
    }
}
