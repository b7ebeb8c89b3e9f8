//! What a change of the configuration would do: `--dry-run`; and what it did.

use std::fmt::Write as _;

use clap::Args;
use lb_api::{Client, ClientError, Message, PreviewView, Terms};
use lb_config::{Difference, Document};
use serde::Serialize;

use super::{diff, output::Format, table::Table};

/// Prefix of a warning that `--force` does not override.
const REFUSED: &str = "REFUSED: ";

/// Conditions of a change.
#[derive(Debug, Args)]
pub(super) struct Conditions {
    /// Only show what would change in the configuration and for flows
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Apply the change even if a listener loses its last usable target or open connections break
    #[arg(long)]
    pub(super) force: bool,
    /// Apply the change only if this is still the current revision, to overwrite no other change
    #[arg(long, value_name = "REVISION")]
    pub(super) if_revision: Option<u64>,
    /// Why, for `xelb get revisions`
    #[arg(long, short, value_name = "TEXT")]
    pub(super) message: Option<String>,
}

impl Conditions {
    pub(super) fn terms(&self) -> Terms {
        let message = self.message.clone().unwrap_or_default();
        Terms { base: self.if_revision, force: self.force, prune: false, message }
    }
}

/// Shows what `document` would do; an error if it would be refused. Without `prune`, it may not
/// leave out what is in service.
pub(super) async fn show(
    client: &Client,
    document: &Document,
    format: &Format,
    force: bool,
    prune: bool,
) -> anyhow::Result<()> {
    show_preview(client.preview(document).await?, format, force, prune)
}

/// The same for a preview.
pub(super) fn show_preview(
    mut preview: PreviewView,
    format: &Format,
    force: bool,
    prune: bool,
) -> anyhow::Result<()> {
    if prune {
        preview.left_out.clear();
    }
    format.print(&preview, render)?;
    let why = refusal(&preview, force);
    why.map_or(Ok(()), |why| Err(ClientError::Invalid(why.to_owned()).into()))
}

/// Why a change would be refused.
fn refusal(preview: &PreviewView, force: bool) -> Option<&'static str> {
    let harms = !preview.left_without_targets.is_empty() || !preview.broken_connections.is_empty();
    if preview.warnings.iter().any(|warning| warning.starts_with(REFUSED)) {
        return Some("this change would be refused");
    }
    match (!preview.left_out.is_empty(), harms && !force) {
        (true, true) => Some("this change would be refused without --prune and --force"),
        (true, false) => Some("this change would be refused without --prune"),
        (false, true) => Some("this change would be refused without --force"),
        (false, false) => None,
    }
}

/// What a change has done.
#[derive(Serialize)]
struct Outcome<'text> {
    /// A line for people, and a line for each warning.
    message: &'text str,
    /// The revision that it made.
    revision: Option<u64>,
    /// What differs from the revision before.
    differences: Vec<Difference>,
}

/// Says what a change has done; `first` is the configuration that it has made, if that is the
/// agent's first one.
pub(super) async fn report(
    client: &Client,
    done: &Message,
    format: &Format,
    first: Option<&Document>,
) -> anyhow::Result<()> {
    let differences = match (done.revision, first) {
        (Some(1), Some(document)) => Document::default().differences(document),
        (Some(number @ 2..), _) => client.differences(number - 1, number).await?,
        _ => Vec::new(),
    };
    let Message { message, revision } = done;
    let outcome = Outcome { message, revision: *revision, differences };
    format.print(&outcome, Outcome::render)
}

/// Differences that are shown.
const DIFFERENCES_SHOWN: usize = 40;

impl Outcome<'_> {
    fn render(&self) -> String {
        let Self { message, revision, differences } = self;
        let shown = differences.get(..DIFFERENCES_SHOWN).unwrap_or(differences);
        let mut text = format!("{message}\n{}", diff::lines(shown, "  "));
        let more = differences.len() - shown.len();
        if let (Some(number), 1..) = (revision, more) {
            let before = number.saturating_sub(1);
            // Writing to a string does not fail.
            let _written = writeln!(text, "  and {more} more; see `xelb diff {before} {number}`");
        }
        if !differences.is_empty() {
            let count = |kind: (bool, bool)| {
                let is_it = |one: &&Difference| (one.before.is_some(), one.after.is_some()) == kind;
                differences.iter().filter(is_it).count()
            };
            let (added, changed) = (count((false, true)), count((true, true)));
            let removed = count((true, false));
            let _written = writeln!(text, "added {added}, changed {changed}, removed {removed}");
        }
        text
    }
}

fn render(preview: &PreviewView) -> String {
    let mut text = String::from("configuration\n");
    text.push_str(&diff::lines(&preview.differences, "  "));
    if !preview.target_groups.is_empty() {
        let mut table = Table::new(&["GROUP", "MOVES", "REMEMBERED FLOWS", "STARTS", "STOPS"]);
        for group in &preview.target_groups {
            table.row([
                group.name.clone(),
                format!("{:.1}%", group.moved_share * 100.0),
                group.remembered_flows.to_string(),
                names(&group.starts),
                names(&group.stops),
            ]);
        }
        text.push_str("flows\n");
        for line in table.render("").lines() {
            // Writing to a string does not fail.
            let _written = writeln!(text, "  {line}");
        }
    }
    for harm in preview.left_without_targets.iter().chain(&preview.broken_connections) {
        let _written = writeln!(text, "REFUSED without --force: {harm}");
    }
    for line in &preview.scaling {
        let _written = writeln!(text, "scaling: {line}");
    }
    for object in &preview.left_out {
        let _written = writeln!(text, "REFUSED without --prune: {object} is in service");
    }
    for warning in &preview.warnings {
        let said = if warning.starts_with(REFUSED) { "" } else { "warning: " };
        let _written = writeln!(text, "{said}{warning}");
    }
    text.push_str("nothing has been changed: this was a dry run\n");
    text
}

/// Names of targets; of many, the first ones.
fn names(targets: &[String]) -> String {
    const NAMED: usize = 3;
    let mut named: Vec<&str> = targets.iter().take(NAMED).map(String::as_str).collect();
    let more = format!("and {} more", targets.len().saturating_sub(NAMED));
    match targets.len() {
        0 => named.push("-"),
        1..=NAMED => {}
        _ => named.push(&more),
    }
    named.join(" ")
}

#[cfg(test)]
mod tests {
    use lb_plan::GroupImpact;

    use super::*;

    #[test]
    fn a_preview_shows_moved_flows_and_refusals() {
        let preview = PreviewView {
            differences: vec![Difference {
                path: "target_groups[web].targets[10.0.1.12]".to_owned(),
                before: Some("{ address: 10.0.1.12 }".to_owned()),
                after: None,
            }],
            target_groups: vec![GroupImpact {
                name: "web".to_owned(),
                moved_share: 0.5,
                remembered_flows: 12,
                starts: Vec::new(),
                stops: (1..=5).map(|octet| format!("10.0.1.{octet}:80")).collect(),
            }],
            left_without_targets: vec!["listener web: its group has no targets".to_owned()],
            broken_connections: vec!["source_nat: ports go".to_owned()],
            scaling: vec!["target group web is scaled: it begins with 2".to_owned()],
            left_out: vec!["listener dns".to_owned()],
            warnings: vec![
                "listener web: no target of green has been checked yet".to_owned(),
                "REFUSED: listener all takes 10.0.0.1".to_owned(),
            ],
        };
        assert_eq!(
            render(&preview),
            "configuration\n  - target_groups[web].targets[10.0.1.12]: { address: 10.0.1.12 }\n\
             flows\n  \
             GROUP  MOVES  REMEMBERED FLOWS  STARTS  STOPS\n  \
             web    50.0%                12  -       10.0.1.1:80 10.0.1.2:80 10.0.1.3:80 and 2 more\n\
             REFUSED without --force: listener web: its group has no targets\n\
             REFUSED without --force: source_nat: ports go\n\
             scaling: target group web is scaled: it begins with 2\n\
             REFUSED without --prune: listener dns is in service\n\
             warning: listener web: no target of green has been checked yet\n\
             REFUSED: listener all takes 10.0.0.1\n\
             nothing has been changed: this was a dry run\n"
        );
        let empty = PreviewView { differences: vec![], target_groups: vec![], ..preview };
        assert!(render(&empty).starts_with("configuration\n  nothing differs\nREFUSED"));
    }

    #[test]
    fn an_outcome_says_what_was_added_changed_and_removed() {
        let difference = |path: &str, before: Option<&str>, after: Option<&str>| Difference {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let mut outcome = Outcome {
            message: "revision 7: apply",
            revision: Some(7),
            differences: vec![
                difference("listeners[a]", None, Some("{ name: a }")),
                difference("listeners[b].port", Some("80"), Some("81")),
                difference("listeners[c]", Some("{ name: c }"), None),
            ],
        };
        assert_eq!(
            outcome.render(),
            "revision 7: apply\n  + listeners[a]: { name: a }\n  ~ listeners[b].port: 80 -> 81\n  \
             - listeners[c]: { name: c }\nadded 1, changed 1, removed 1\n"
        );
        outcome.differences = vec![difference("listeners[a]", None, Some("x")); 45];
        let text = outcome.render();
        assert!(text.contains("\n  and 5 more; see `xelb diff 6 7`\nadded 45, "), "{text}");
        outcome.differences.clear();
        assert_eq!(outcome.render(), "revision 7: apply\n  nothing differs\n");
    }

    #[test]
    fn a_refusal_names_the_options_that_are_missing() {
        let some = || vec!["x".to_owned()];
        let none = PreviewView {
            differences: vec![],
            target_groups: vec![],
            left_without_targets: vec![],
            broken_connections: vec![],
            scaling: vec![],
            left_out: vec![],
            warnings: vec![],
        };
        let harm = PreviewView { left_without_targets: some(), ..none.clone() };
        let both = PreviewView { left_out: some(), ..harm.clone() };
        let left_out = PreviewView { left_out: some(), ..none.clone() };
        for (preview, force, wanted) in [
            (&none, false, None),
            (&harm, true, None),
            (&harm, false, Some("without --force")),
            (&both, true, Some("without --prune")),
            (&left_out, false, Some("without --prune")),
            (&both, false, Some("without --prune and --force")),
        ] {
            let why = refusal(preview, force);
            assert_eq!(why.is_some(), wanted.is_some(), "{why:?}");
            assert!(why.unwrap_or_default().ends_with(wanted.unwrap_or_default()), "{why:?}");
        }
    }
}
