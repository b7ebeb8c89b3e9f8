//! Tests of lists, and the table of a list for tests elsewhere.

use clap::Parser;
use serde_json::json;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    list: ListOptions,
}

fn options(line: &str) -> ListOptions {
    let words = std::iter::once("get").chain(line.split_whitespace());
    Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).list
}

const NOW: Times = Times { now_ms: 1_795_953_900_000, are_absolute: false };

/// The list as these options print it, five minutes after noon on 29 November 2026.
fn shown<T: Serialize>(line: &str, listing: &Listing<T>, items: Vec<T>) -> Shown {
    options(line).show(items, listing, NOW).unwrap()
}

/// The table.
pub(crate) fn table<T: Serialize>(listing: &Listing<T>, items: Vec<T>) -> String {
    shown("", listing, items).text
}

static THINGS: Listing<Value> = Listing {
    columns: &[
        Column::new("NAME", "name", |one, _| one["name"].as_str().unwrap_or_default().to_owned()),
        Column::new("HAS PARTS", "parts", |one, _| one["parts"].to_string()),
        Column::new("BORN", "born", |one, times| times.moment(one["born"].as_u64().unwrap_or(0))),
        Column::new("MAKER", "maker.name", |one: &Value, _| one["maker"]["name"].to_string())
            .wide(),
        Column::new("STATE", "state", |one: &Value, _| {
            one["state"].as_str().unwrap_or("-").to_owned()
        })
        .painted(|one| state_style(one["state"].as_str().unwrap_or_default())),
    ],
    fields: &["name", "parts", "born", "maker.name", "state"],
    name: |one| one["name"].as_str().map(|name| format!("thing/{name}")),
    nothing: "no things",
};

fn things() -> Vec<Value> {
    vec![
        json!({ "name": "b", "parts": 10, "born": 1_795_953_600_000_u64, "state": "healthy" }),
        json!({ "name": "a", "parts": 9, "born": 1_795_950_000_000_u64, "maker": { "name": "x,y" } }),
    ]
}

#[test]
fn every_form_of_a_list() {
    for (line, expected) in [
        (
            "",
            "NAME  HAS PARTS  BORN       STATE\n\
             b            10  5m ago     healthy\n\
             a             9  1h 5m ago  -\n",
        ),
        (
            "-o wide --no-headers",
            "b  10  2026-11-29T12:00:00Z  null   healthy\n\
             a   9  2026-11-29T11:00:00Z  \"x,y\"  -\n",
        ),
        ("-o name", "thing/b\nthing/a\n"),
        (
            "-o csv",
            "NAME,HAS PARTS,BORN,MAKER,STATE\n\
             b,10,2026-11-29T12:00:00Z,null,healthy\n\
             a,9,2026-11-29T11:00:00Z,\"\"\"x,y\"\"\",-\n",
        ),
        (
            "-o csv --no-headers --sort-by name",
            "a,9,2026-11-29T11:00:00Z,\"\"\"x,y\"\"\",-\nb,10,2026-11-29T12:00:00Z,null,healthy\n",
        ),
        ("-o jsonpath=$[*].parts", "10\n9\n"),
        ("-o jsonpath=$[*].parts --sort-by has-parts", "9\n10\n"),
        (
            "-o yaml",
            "- born: 1795953600000\n  name: b\n  parts: 10\n  state: healthy\n- born: 1795950000000\n  maker:\n    name: x,y\n  name: a\n  parts: 9\n",
        ),
    ] {
        assert_eq!(shown(line, &THINGS, things()).text, expected, "{line}");
    }
}

#[test]
fn lists_are_sorted_by_a_column_or_a_field() {
    for (key, first) in [
        ("NAME", "thing/a"),
        ("has parts", "thing/a"),
        ("HAS_PARTS", "thing/a"),
        ("$.parts", "thing/a"),
        (".born", "thing/a"),
        ("maker.name", "thing/a"),
        ("state", "thing/b"),
    ] {
        let options = ListOptions { sort_by: Some(key.to_owned()), ..options("-o name") };
        let text = options.show(things(), &THINGS, NOW).unwrap().text;
        assert!(text.starts_with(first), "{key}: {text}");
    }
    let error = options("--sort-by age").check(&THINGS).unwrap_err();
    assert_eq!(
        error,
        "--sort-by age: there is no such column or field; columns are NAME, HAS-PARTS, BORN, MAKER, \
         STATE, fields are name, parts, born, maker.name, state"
    );
}

#[test]
fn an_empty_list() {
    for (line, expected) in [
        ("", "no things\n"),
        ("--no-headers", ""),
        ("-o name", ""),
        ("-o csv", "NAME,HAS PARTS,BORN,MAKER,STATE\n"),
        ("-o json", "[]\n"),
        ("-o jsonpath=$[*]", ""),
    ] {
        assert_eq!(shown(line, &THINGS, vec![]).text, expected, "{line}");
    }
}

#[test]
fn nothing_reaches_the_terminal_but_colours() {
    let evil = || vec![json!({ "name": "a\u{1b}[2J", "state": "healthy" })];
    for form in ["", "-o wide", "-o name", "-o csv", "-o json", "-o yaml", "-o jsonpath=$[0].name"]
    {
        let text = shown(form, &THINGS, evil()).text;
        assert!(
            !text.contains('\u{1b}') && (text.contains("001b") || text.contains("\\e")),
            "{form}: {text}"
        );
        let always = shown(&format!("{form} --color always"), &THINGS, evil()).text;
        let count = if form.is_empty() || form == "-o wide" { 2 } else { 0 };
        assert_eq!(always.matches('\u{1b}').count(), count, "{form}: {always}");
    }
    assert!(shown("--color always", &THINGS, things()).text.contains("\u{1b}[32mhealthy\u{1b}[0m"));
}

#[test]
fn rows_that_have_changed() {
    let before = shown("", &THINGS, things());
    let mut new = things();
    new[0]["state"] = json!("unhealthy");
    new[1]["name"] = json!("c");
    let after = shown("", &THINGS, new);
    assert_eq!(
        after.changes(&before),
        "b            10  5m ago     unhealthy\nc             9  1h 5m ago  -\ngone: thing/a\n"
    );
    assert_eq!(after.changes(&after.clone()), "");
    let json = |items| shown("-o json", &THINGS, items);
    assert_eq!(json(things()).changes(&json(vec![])), json(things()).text);
    assert_eq!(json(things()).changes(&json(things())), "");
}

#[test]
fn wrong_forms_are_refused() {
    for (line, why) in [
        ("-o xml", "use table, wide, name"),
        ("-o jsonpath", "use table, wide, name"),
        ("-o jsonpath=$[", "at character"),
        ("--color blue", "invalid value 'blue'"),
    ] {
        let words = std::iter::once("get").chain(line.split_whitespace());
        let Err(error) = Line::try_parse_from(words) else { panic!("{line} is understood") };
        assert!(error.to_string().contains(why), "{line}: {error}");
    }
}

/// The table, on a terminal so wide.
pub(crate) fn table_of_width<T: Serialize>(
    listing: &Listing<T>,
    items: &[T],
    wide: bool,
    width: usize,
) -> String {
    let times = if wide { NOW.absolute() } else { NOW };
    super::table(items, listing, wide, times, Look { width: Some(width), ..Look::default() }).text
}
