//! The result is checked as every configuration is. What is refused is taken out, with the reason as a
//! remark, until the rest is valid.

use lb_config::{ConfigErrors, Protocol};

use crate::{
    Format,
    document::Document,
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
}

/// The part with a path such as `target_groups[0].targets[2].port`.
fn part(path: &str) -> Option<Part> {
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
            let (lines, name) = (group.all_lines(), group.name);
            let message = format!("group {name}: xelb refuses it: {message}");
            ledger.remark(Kind::Dropped, lines, message);
            let message = format!("its group {name} is not imported");
            document.listeners.retain(|listener| {
                let is_kept = listener.group != name;
                if !is_kept {
                    ledger.remark(Kind::Dropped, listener.lines.iter().copied(), message.clone());
                }
                is_kept
            });
        }
        Part::Listener(_) | Part::Group(_) => return false,
    }
    true
}
