//! Every command has a page, and every key of the schema is in xelb.yaml(5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn all() -> BTreeMap<String, String> {
    pages()
        .into_iter()
        .map(|page| (format!("{}({})", page.name, page.section), page.text))
        .collect()
}

/// The text of a page as it is read.
fn plain(source: &str) -> String {
    source.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

/// Names of pages, such as `xelb-target-add`, and the examples of the help.
fn commands(command: &clap::Command, name: &str, found: &mut Vec<(String, Vec<String>)>) {
    let help = command.clone().render_long_help().to_string();
    let examples = help.lines().filter_map(|line| line.trim().strip_prefix("Example: "));
    found.push((name.to_owned(), examples.map(str::to_owned).collect()));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        commands(sub, &format!("{name}-{}", sub.get_name()), found);
    }
}

#[test]
fn every_command_has_a_page_with_its_examples() {
    let pages = all();
    let mut expected = Vec::new();
    commands(&Arguments::command(), "xelb", &mut expected);
    assert_eq!(pages.len(), expected.len() + 1, "{:?}", pages.keys());
    for (name, examples) in expected {
        let service = ["xelb-agent", "xelb-decap", "xelb-proxy"].contains(&name.as_str());
        let page = format!("{name}({})", if service { 8 } else { 1 });
        let text = plain(pages.get(&page).unwrap_or_else(|| panic!("no {page}")));
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
            let quote = if section.contains(' ') { "\"" } else { "" };
            let heading = format!("\n.SH {quote}{section}{quote}\n");
            assert_eq!(text.matches(&heading).count(), 1, "{page}: {section}: {text}");
        }
        let (_, shown) = text.split_once(".SH EXAMPLES").unwrap();
        assert!(!examples.is_empty(), "{page}");
        for example in examples {
            let line = example.replace('\\', "\\e").replace('\'', "\\*(Aq");
            assert!(shown.contains(&format!("\n{line}\n")), "{page}: {example}: {shown}");
        }
        assert!(!text.split(".SH EXAMPLES").next().unwrap().contains("Example: "), "{page}");
    }
}

#[test]
fn pages_name_only_pages_that_exist() {
    let pages = all();
    for (page, text) in &pages {
        let text = plain(text);
        for word in text.split_whitespace().filter(|word| word.starts_with("xelb")) {
            let word = word.trim_end_matches(['.', ',', ';', ':']);
            if word.ends_with("(1)") || word.ends_with("(5)") || word.ends_with("(8)") {
                assert!(pages.contains_key(word), "{page} names {word}");
            }
        }
    }
}

#[test]
fn pages_say_variables_and_files() {
    let pages = all();
    for (page, words) in [
        ("xelb-get(1)", ["XELB_SERVER", "NO_COLOR", "/run/xelb/xelb.sock", "contexts.yaml"]),
        ("xelb-agent(8)", ["XELB_LOG", "XELB_SOCKET", "/etc/xelb/xelb.yaml", "/var/lib/xelb"]),
        ("xelb-edit(1)", ["VISUAL", "XELB_TOKEN", "XELB_CONTEXT", "/run/xelb/xelb.sock"]),
    ] {
        for word in words {
            let (_, text) = pages[page].split_once(".SH ENVIRONMENT").unwrap();
            assert!(plain(text).contains(word), "{page}: {word}");
        }
    }
    assert!(!pages["xelb-schema(1)"].contains("xelb.sock"));
}

/// All names of keys in the schema, wherever they stand.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "properties" {
                    let names = value.as_object().into_iter().flatten();
                    for (key, inner) in names {
                        // Conditions repeat keys, without a title.
                        if inner.get("title").is_some() {
                            found.insert(key.clone());
                        }
                        keys(inner, found);
                    }
                } else {
                    keys(value, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| keys(one, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_schema_is_in_the_page_of_the_configuration() {
    let page = plain(&all()["xelb.yaml(5)"]);
    let schema: Value = serde_json::from_str(lb_config::SCHEMA).unwrap();
    let mut names = BTreeSet::new();
    keys(&schema, &mut names);
    assert!(names.len() > 100, "{names:?}");
    let entries: Vec<&str> = page
        .split(".TP\n")
        .skip(1)
        .filter_map(|entry| entry.split_whitespace().next()?.rsplit('.').next())
        .collect();
    for name in names {
        assert!(entries.contains(&name.as_str()), "xelb.yaml(5) has no {name}");
    }
    for key in crate::cli::config_key::all() {
        let entries =
            page.split(".TP\n").filter(|entry| entry.starts_with(&format!("{} ", key.key)));
        let entries: String = entries.collect::<String>().replace('\n', " ");
        assert!(entries.contains(&key.title), "{}: {entries}", key.key);
        assert!(entries.contains(&key.kind), "{}: {} of {entries}", key.key, key.kind);
    }
    assert!(page.contains("Default: 100. Range: 0 to 1000."), "{page}");
}
