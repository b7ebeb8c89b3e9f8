//! docs/metrics.md names every metric with its type and labels, and none that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use lb_plan::warning::{Harm, WarningKind};

use super::{expressions::faults, full, read};
use crate::{catalogue::heads, family::Kind};

const PAGE: &str = "docs/metrics.md";

/// The rows of a table whose first cell is code: that code, and the other cells.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = cells(line);
            let first = cells.remove(0);
            (first.trim_matches('`').to_owned(), cells)
        })
        .collect()
}

/// A section of the page, by its heading.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(&format!("\n## {heading}\n")).expect(heading);
    let rest = &text[start + 4..];
    rest.find("\n## ").map_or(rest, |end| &rest[..end])
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let page = read(PAGE);
    let written: BTreeMap<String, Vec<String>> =
        rows(section(&page, "What there is")).into_iter().collect();
    let exported: BTreeMap<&str, (&str, String)> = heads()
        .map(|family| {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
                Kind::Info => "info",
            };
            let labels: Vec<String> =
                family.labels.iter().map(|label| format!("`{label}`")).collect();
            (family.name, (kind, labels.join(", ")))
        })
        .collect();
    let names: BTreeSet<&str> = written.keys().map(String::as_str).collect();
    assert_eq!(names, exported.keys().copied().collect(), "names");
    for (name, (kind, labels)) in exported {
        let [written_kind, written_labels, meaning, _cloudwatch] = written[name].as_slice() else {
            panic!("{name}: five columns");
        };
        assert_eq!((written_kind.as_str(), written_labels), (kind, &labels), "{name}");
        assert!(!meaning.is_empty(), "{name} has no meaning");
    }
}

/// Every kind of warning is on the page, in the order of the code, and so is whether it loses traffic.
#[test]
fn every_kind_of_warning_is_documented() {
    let page = read(PAGE);
    let written: Vec<(String, bool)> = rows(section(&page, "Kinds of warnings"))
        .into_iter()
        .map(|(kind, cells)| (kind, cells[0] == "yes"))
        .collect();
    let kinds = WarningKind::ALL.iter();
    let expected: Vec<(String, bool)> =
        kinds.map(|kind| (kind.name().to_owned(), kind.harm() == Harm::Loss)).collect();
    assert_eq!(written, expected);
}

/// What ELB has and xelb has not is not also named as something that xelb has.
#[test]
fn metrics_of_elb_are_either_there_or_not() {
    let page = read(PAGE);
    let there: BTreeSet<String> = rows(section(&page, "What there is"))
        .iter()
        .flat_map(|(_, cells)| cells[3].split('`').skip(1).step_by(2).map(str::to_owned))
        .collect();
    assert!(there.contains("HealthyHostCount") && there.contains("UnHealthyHostCount"));
    let absent = rows(section(&page, "What ELB has and xelb has not"));
    assert!(absent.len() > 5);
    for (names, reason) in absent {
        for name in names.split("`, `") {
            assert!(!there.contains(name), "{name}");
        }
        assert!(!reason[0].is_empty(), "{names} has no reason");
    }
}

/// Expressions of the page use metrics and labels that are exported.
#[test]
fn expressions_use_exported_metrics() {
    let page = read(PAGE);
    let code = page.split('`').skip(1).step_by(2);
    let expressions: Vec<&str> = code.filter(|code| code.contains("(xelb_")).collect();
    assert!(expressions.len() >= 3, "{expressions:?}");
    for expression in expressions {
        assert_eq!(faults(expression, &mut BTreeSet::new()), [""; 0], "{expression}");
    }
}

/// The example of the page is the text of a real scrape.
#[test]
fn the_example_is_a_scrape() {
    let page = read(PAGE);
    let example = page.split("```text\n# HELP").nth(1).expect("an example");
    let example = format!("# HELP{}", example.split("```").next().unwrap());
    let text = full().into_text().unwrap();
    assert!(text.contains(&example), "{example}\nis not in\n{text}");
}
