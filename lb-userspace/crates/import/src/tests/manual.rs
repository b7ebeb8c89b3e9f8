//! The examples of docs/migrating.md: the result is what the manual shows. `XELB_BLESS=1` writes it there.

use std::{fs, path::Path};

use super::assert_kept;
use crate::{Format, Settings, import_with};

#[test]
fn examples_of_the_manual_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/migrating.md");
    let manual = fs::read_to_string(&path).unwrap();
    let mut blessed = manual.clone();
    for format in [Format::Ipvs, Format::Keepalived, Format::Haproxy] {
        let marker = format!("<!-- checked: import {} -->\n```text\n", format.name());
        let (_, rest) = manual.split_once(&marker).unwrap();
        let (input, rest) = rest.split_once("```\n").unwrap();
        let (between, rest) = rest.split_once("```yaml\n").unwrap();
        let (shown, _) = rest.split_once("```\n").unwrap();
        let mut settings = Settings::default();
        if between.contains("--interface eth0") {
            settings.interfaces.push("eth0".to_owned());
        }
        if between.contains("--source-address 10.0.0.2") {
            settings.source_addresses.push("10.0.0.2".parse().unwrap());
        }
        let imported = import_with(format, input, &settings).unwrap();
        assert_kept(format, input, &imported);
        if std::env::var_os("XELB_BLESS").is_some() {
            let old = format!("{between}```yaml\n{shown}```\n");
            let new = format!("{between}```yaml\n{}```\n", imported.text());
            blessed = blessed.replacen(&old, &new, 1);
        } else {
            assert_eq!(imported.text(), shown, "{}", format.name());
        }
    }
    if blessed != manual {
        fs::write(&path, blessed).unwrap();
    }
}

/// All documents that the manual shows are configurations, also those that nobody imports.
#[test]
fn documents_of_the_manual_are_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/migrating.md");
    let manual = fs::read_to_string(path).unwrap();
    let blocks: Vec<&str> = manual.split("```yaml\n").skip(1).collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        let (document, _) = block.split_once("```").unwrap();
        lb_config::parse(document, "manual").unwrap_or_else(|errors| panic!("{errors}"));
    }
}
