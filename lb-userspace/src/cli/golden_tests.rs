//! What people see of `get`, `status`, `stats` and `describe` on terminals of 80 and 200 columns, against
//! the files in `golden/`. `XELB_BLESS=1 cargo test -p lb-userspace golden` writes them; look at their
//! difference.

mod state;

use std::{env, fs, path::PathBuf, time::Duration};

use serde::Serialize;

use super::{
    describe, describe_target,
    get::tables,
    list::{Listing, tests::table_of_width},
    rules, scale, stats, status,
    table::Look,
    traffic::Traffic,
};

/// Columns of the terminals.
const WIDTHS: [usize; 2] = [80, 200];

/// Five minutes after noon on 29 November 2026, in milliseconds.
const NOW_MS: u64 = 1_795_953_900_000;

/// Compares what is shown at each width with its file, or writes the file.
fn check(name: &str, shown: impl Fn(usize) -> String) {
    for width in WIDTHS {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("src/cli/golden")
            .join(format!("{name}.{width}.txt"));
        let text = shown(width);
        if env::var_os("XELB_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text,
            expected,
            "{} differs; if it is right so, run `XELB_BLESS=1 cargo test -p lb-userspace golden`",
            path.display()
        );
        for line in text.lines() {
            let columns = line.chars().count();
            assert!(columns <= width, "{name}: a line of {columns} columns: {line}");
            assert_eq!(line, line.trim_end(), "{name}: blanks at the end");
        }
    }
}

fn look(width: usize) -> Look {
    Look { width: Some(width), ..Look::default() }
}

fn check_list<T: Serialize>(name: &str, listing: &Listing<T>, items: &[T]) {
    check(&format!("get-{name}"), |width| table_of_width(listing, items, false, width));
}

#[test]
fn lists_look_as_stored() {
    let state = state::snapshot();
    check_list("listeners", &tables::LISTENERS, &state.listeners);
    check_list("target-groups", &tables::GROUPS, &state.target_groups);
    check_list("targets", &tables::TARGETS, &state.targets);
    check_list("members", &scale::MEMBERS, &state.members);
    check_list("activities", &scale::ACTIVITIES, &state::activities());
    check_list("proxies", &tables::PROXIES, &state.proxies);
    check_list("revisions", &tables::REVISIONS, &state::revisions());
    check_list("rules", &rules::RULES, &rules::of(&state::document()).unwrap());
    let wide = |width| table_of_width(&tables::TARGETS, &state.targets, true, width);
    check("get-targets-wide", wide);
}

#[test]
fn pages_look_as_stored() {
    let state = state::snapshot();
    check("status", |width| status::render(&state, look(width)));
    check("stats", |width| stats::render(&state::stats(), false, look(width)));
    let traffic = Traffic::between((0, 0), (1000, 1_500_000), Duration::from_secs(1));
    check("describe-target", |width| {
        let target = describe_target::tests::described();
        describe_target::render(&target, Some(&traffic), NOW_MS, look(width))
    });
    check("describe-target-group", |width| description(&traffic).render(NOW_MS, look(width)));
}

fn description(traffic: &Traffic) -> describe::Description {
    let state = state::snapshot();
    describe::Description {
        object: "target-group web".to_owned(),
        configuration: state::document().part(&"target_groups[web]".parse().unwrap()).unwrap(),
        listeners: state.listeners.into_iter().take(2).collect(),
        target_groups: state.target_groups.into_iter().take(1).collect(),
        targets: state.targets,
        traffic: Some(traffic.clone()),
        changes: state::revisions(),
    }
}

/// Colour says nothing that is not there in words, and only where it is wanted.
#[test]
fn colours_add_nothing_but_colour() {
    let state = state::snapshot();
    let traffic = Traffic::between((0, 0), (10, 1000), Duration::from_secs(1));
    let target = describe_target::tests::described();
    let pages: [(&str, &dyn Fn(Look) -> String); 4] = [
        ("status", &|look| status::render(&state, look)),
        ("stats", &|look| stats::render(&state::stats(), false, look)),
        ("describe target", &|look| describe_target::render(&target, None, NOW_MS, look)),
        ("describe target-group", &|look| description(&traffic).render(NOW_MS, look)),
    ];
    for (name, page) in pages {
        let painted = page(Look { color: true, ..look(80) });
        assert!(painted.contains("\u{1b}["), "{name} has no colours");
        let plain = page(look(80));
        assert!(!plain.contains('\u{1b}'), "{name}");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), plain, "{name}");
    }
}
