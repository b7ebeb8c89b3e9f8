//! What a change of the configuration would do: `--dry-run` of `apply` and `rollback`.

use std::fmt::Write as _;

use clap::Args;
use lb_api::{Client, ClientError, PreviewView, Terms};
use lb_config::Document;

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
}

impl Conditions {
    pub(super) const fn terms(&self) -> Terms {
        Terms { base: self.if_revision, force: self.force }
    }
}

/// Shows what `document` would do; an error if it would be refused.
pub(super) async fn show(
    client: &Client,
    document: &Document,
    format: &Format,
    force: bool,
) -> anyhow::Result<()> {
    let preview = client.preview(document).await?;
    format.print(&preview, render)?;
    let refused = |why: &str| Err(ClientError::Invalid(why.to_owned()).into());
    if preview.warnings.iter().any(|warning| warning.starts_with(REFUSED)) {
        return refused("this change would be refused");
    }
    if force || preview.left_without_targets.is_empty() && preview.broken_connections.is_empty() {
        return Ok(());
    }
    refused("this change would be refused without --force")
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
    use lb_config::Difference;
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
             warning: listener web: no target of green has been checked yet\n\
             REFUSED: listener all takes 10.0.0.1\n\
             nothing has been changed: this was a dry run\n"
        );
        let empty = PreviewView { differences: vec![], target_groups: vec![], ..preview };
        assert!(render(&empty).starts_with("configuration\n  nothing differs\nREFUSED"));
    }
}
