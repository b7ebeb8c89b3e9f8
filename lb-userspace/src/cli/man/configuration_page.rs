//! PURE: `xelb.yaml(5)`, the keys of the configuration as its schema describes them.

use std::collections::{BTreeMap, BTreeSet};

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::{ManualPage, source};
use crate::cli::config_key::{self, ConfigKey};

const NAME: &str = "xelb.yaml";
const SECTION: u8 = 5;

/// A whole configuration; a test of the package checks it.
const EXAMPLE: &str = include_str!("../../../../deploy/xelb.yaml");

const DESCRIPTION: [&str; 4] = [
    "The configuration of an agent or a proxy of xelb, in YAML 1.2 or JSON. It says which listeners \
     there are, which target groups they forward to, and which targets these have.",
    "`xelb agent --config FILE` follows the file: a change is in force when the file is saved. A file \
     with errors changes nothing. `xelb validate -f FILE` prints all errors with their lines. An \
     unknown key is an error.",
    "A key is shown with the sections that it stands in. `[]` stands for each item of a list: \
     target_groups[].targets[].weight is the weight of a target. A key that is not required may be \
     left out, or be null.",
    "Durations are numbers with a unit: 500ms, 5s, 2m, 1h.",
];

pub(super) fn page() -> ManualPage {
    let mut roff = Roff::new();
    source::title(&mut roff, NAME, SECTION);
    source::section(&mut roff, "NAME");
    roff.text([roman("xelb.yaml - configuration of xelb")]);
    source::section(&mut roff, "DESCRIPTION");
    for (index, text) in DESCRIPTION.into_iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(text)]);
    }
    source::section(&mut roff, "EXAMPLE");
    source::literal(&mut roff, &EXAMPLE.lines().collect::<Vec<_>>());
    source::section(&mut roff, "KEYS");
    keys(&mut roff);
    source::section(&mut roff, "FILES");
    for (path, meaning) in [
        ("/etc/xelb/xelb.yaml", "The configuration of the service xelb-agent."),
        ("/usr/share/xelb/xelb.schema.json", "The JSON Schema that this page is made from."),
        ("/usr/share/doc/xelb/docs/configuration.md", "The same with explanations."),
    ] {
        source::item(&mut roff, vec![source::path(path)], meaning);
    }
    let others = ["xelb", "xelb-agent", "xelb-validate", "xelb-explain-config", "xelb-schema"];
    let others = others.map(|name| (name.to_owned(), super::facts::section_of(name)));
    source::see_also(&mut roff, &others);
    ManualPage { name: NAME.to_owned(), section: SECTION, text: source::clean(&roff.render()) }
}

/// A subsection for each section of the configuration, in which its keys are sorted.
fn keys(roff: &mut Roff) {
    let mut all = merged(config_key::all());
    all.sort_by(|one, other| (section_of(one), &one.key).cmp(&(section_of(other), &other.key)));
    let mut current = None;
    for key in &all {
        let section = section_of(key);
        if current != Some(section) {
            current = Some(section);
            source::subsection(roff, if section.is_empty() { "The whole file" } else { section });
        }
        entry(roff, key);
    }
}

/// The section that a key stands in: `target_groups[].targets[]` of its weight.
fn section_of(key: &ConfigKey) -> &str {
    key.key.rsplit_once('.').map_or("", |(section, _)| section)
}

/// The list of the whole file that a key stands in.
fn list_of(key: &ConfigKey) -> &str {
    key.key.split('.').next().unwrap_or_default()
}

/// Keys of which the same is said with several protocols become one, and one that is the same with all
/// protocols names none.
fn merged(keys: Vec<ConfigKey>) -> Vec<ConfigKey> {
    let mut protocols: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in &keys {
        protocols.entry(list_of(key).to_owned()).or_default().extend(key.protocols.clone());
    }
    let mut merged: Vec<(ConfigKey, BTreeSet<String>)> = Vec::new();
    for mut key in keys {
        let named = key.protocols.take();
        key.of.clear();
        match merged.iter_mut().find(|(known, _)| *known == key) {
            Some((_, all)) => all.extend(named),
            None => merged.push((key, named.into_iter().collect())),
        }
    }
    let named = |(mut key, own): (ConfigKey, BTreeSet<String>)| {
        if own != protocols[list_of(&key)] {
            // `others` are named last.
            let (others, mut own): (Vec<String>, Vec<String>) =
                own.into_iter().partition(|one| one == "others");
            own.extend(others);
            key.protocols = Some(own.join(", ")).filter(|text| !text.is_empty());
        }
        key
    };
    merged.into_iter().map(named).collect()
}

fn entry(roff: &mut Roff, key: &ConfigKey) {
    let ConfigKey { kind, title, description, .. } = key;
    roff.control("TP", []);
    roff.text([bold(key.key.as_str()), roman(" "), italic(kind.as_str())]);
    let mut facts = vec![format!("{title}: {}.", description.trim_end_matches('.'))];
    match key.protocols.as_deref() {
        None => {}
        Some("others") => facts.push("With other protocols.".to_owned()),
        Some(protocols) => facts.push(format!("With protocol {protocols}.")),
    }
    facts.push(match (&key.default, key.required) {
        (_, true) => "Required.".to_owned(),
        (Some(default), _) => format!("Default: {default}."),
        (None, _) => "Default: not set.".to_owned(),
    });
    for (name, value) in [("Range", &key.range), ("Form", &key.form)] {
        facts.extend(value.as_ref().map(|value| format!("{name}: {value}.")));
    }
    if !key.examples.is_empty() {
        facts.push(format!("Example: {}.", key.examples.join(", ")));
    }
    roff.text([roman(facts.join(" "))]);
}
