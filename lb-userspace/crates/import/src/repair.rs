//! The result is checked as every configuration is. What is refused is taken out, with the reason as a
//! remark, until the rest is valid.

use std::collections::HashSet;

use lb_config::{ConfigErrors, Limits, Protocol};

use crate::{
    document::Document,
    format::Format,
    ledger::Ledger,
    remark::Kind,
    result::Imported,
    service::{Check, Probe},
    yaml,
};

/// Most rounds: each takes something out, and a report has up to 200 errors.
const ROUNDS_MAX: usize = 100;

/// The name of the result in messages.
const SOURCE: &str = "result";

/// Makes the result valid, and settles the account of lines.
pub(crate) fn finish(format: Format, mut document: Document, mut ledger: Ledger) -> Imported {
    for _ in 0..ROUNDS_MAX {
        let Err(errors) = lb_config::parse(&yaml::write(format, &document, &[]), SOURCE) else {
            break;
        };
        if !take_out(&errors, &mut document, &mut ledger) {
            break;
        }
    }
    let (remarks, fates) = ledger.settle(&document.used());
    let text = yaml::write(format, &document, &remarks);
    let errors = lb_config::parse(&text, SOURCE).err();
    Imported { text, remarks, fates, errors }
}

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Listener(usize),
    Group(usize),
    Check(usize),
    Target(usize, usize),
    /// More than xelb supports, of listeners or of groups and targets.
    Beyond,
}

/// The part with a path such as `target_groups[0].targets[2].port`.
fn part(path: &str) -> Option<Part> {
    if matches!(path, "listeners" | "target_groups") {
        return Some(Part::Beyond);
    }
    let (list, rest) = path.split_once('[')?;
    let (index, rest) = rest.split_once(']')?;
    let index = index.parse().ok()?;
    match list {
        "listeners" => Some(Part::Listener(index)),
        "target_groups" => Some(match rest.strip_prefix(".targets[") {
            Some(rest) => Part::Target(index, rest.split_once(']')?.0.parse().ok()?),
            None if rest.starts_with(".health_check") => Part::Check(index),
            None => Part::Group(index),
        }),
        _ => None,
    }
}

/// Takes out what is wrong; false when nothing could be.
fn take_out(errors: &ConfigErrors, document: &mut Document, ledger: &mut Ledger) -> bool {
    let mut parts: Vec<(Part, &str)> = errors
        .errors()
        .iter()
        .filter_map(|error| Some((part(error.path())?, error.message())))
        .collect();
    // From the end, so that the numbers of the others stay.
    parts.sort_by_key(|(part, _)| *part);
    parts.dedup_by_key(|(part, _)| *part);
    let mut is_changed = false;
    for (part, message) in parts.into_iter().rev() {
        is_changed |= remove(part, message, document, ledger);
    }
    is_changed
}

fn remove(part: Part, message: &str, document: &mut Document, ledger: &mut Ledger) -> bool {
    match part {
        Part::Listener(index) if index < document.listeners.len() => {
            let listener = document.listeners.remove(index);
            let message = format!("listener {}: xelb refuses it: {message}", listener.name);
            ledger.remark(Kind::Dropped, listener.lines, message);
        }
        Part::Target(index, target) => {
            let Some(group) = document.groups.get_mut(index) else { return false };
            if target >= group.targets.len() {
                return false;
            }
            let target = group.targets.remove(target);
            let message = format!("target {}: xelb refuses it: {message}", target.address);
            ledger.remark(Kind::Dropped, target.lines, message);
        }
        Part::Check(index) => {
            let Some(group) = document.groups.get_mut(index) else { return false };
            let Some(check) = group.check.take() else { return false };
            let message = format!("health check of {}: xelb refuses it: {message}", group.name);
            if group.protocol != Protocol::Tcp && check.probe != Probe::Icmp {
                // Groups of UDP must have a check.
                group.check = Some(Check::ping());
            }
            ledger.remark(Kind::Hand, check.lines, message);
        }
        Part::Group(index) if index < document.groups.len() => {
            let group = document.groups.remove(index);
            let said = format!("group {}: xelb refuses it: {message}", group.name);
            ledger.remark(Kind::Dropped, group.all_lines(), said);
            without_groups(document, ledger);
        }
        Part::Beyond => return shrink(message, document, ledger),
        Part::Listener(_) | Part::Group(_) => return false,
    }
    true
}

/// Takes out the listeners whose group is gone.
fn without_groups(document: &mut Document, ledger: &mut Ledger) {
    let names: HashSet<&str> = document.groups.iter().map(|group| group.name.as_str()).collect();
    document.listeners.retain(|listener| {
        let is_kept = names.contains(listener.group.as_str());
        if !is_kept {
            let message = "its target group is not imported";
            ledger.remark(Kind::Dropped, listener.lines.iter().copied(), message);
        }
        is_kept
    });
}

/// Takes out the last listeners and groups of a document that is too large; false when nothing is left.
fn shrink(message: &str, document: &mut Document, ledger: &mut Ledger) -> bool {
    let most = Limits::MOST;
    let said = format!("the last of the input is left out: {message}");
    if document.listeners.len() > most.listeners {
        for listener in document.listeners.drain(most.listeners..) {
            ledger.remark(Kind::Dropped, listener.lines, said.clone());
        }
        return true;
    }
    // Of targets and rings it is not known which group has too many: a tenth of the groups goes.
    let count = document.groups.len();
    let kept =
        if count > most.target_groups { most.target_groups } else { count - count.div_ceil(10) };
    for group in document.groups.drain(kept..) {
        ledger.remark(Kind::Dropped, group.all_lines(), said.clone());
    }
    without_groups(document, ledger);
    kept < count
}
