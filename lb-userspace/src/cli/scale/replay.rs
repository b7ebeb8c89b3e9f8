//! `xelb scale replay`: the last hours of a group through other policies.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use lb_config::{ConfigErrors, Document};
use lb_scaling::{Comparison, ReplayOptions, Scorecard, compare};
use serde::Serialize;
use serde_json::{Value, json};

use super::Group;
use crate::cli::{input, output::Format, table::Table};

/// Largest file of policies.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Which policies, and what is assumed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    group: Group,
    /// Value of all target tracking policies
    #[arg(long, value_name = "N", required_unless_present = "policy", conflicts_with = "policy",
        value_parser = positive)]
    target: Option<f64>,
    /// File with a list of policies, as `policies` of the group has it; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Work that one target can do, in units of the metric [default: value of the group's target
    /// tracking policy]
    #[arg(long, value_name = "N", value_parser = positive)]
    target_limit: Option<f64>,
    /// Time from the launch of a member to its first request
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    boot: Duration,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0, such as 800".to_owned())
}

impl Replay {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { format, group, target, policy, target_limit, boot } = self;
        let policies = policy.as_deref().map(policies).transpose()?;
        let client = group.socket.client()?;
        let described = client.scaling(&group.name).await?;
        let document = client.configuration().await?.document;
        let own = settings(&document, &group.name, |_| {})?;
        let other = settings(&document, &group.name, |scaling| match policies {
            Some(policies) => scaling["policies"] = policies,
            None => set_target(scaling, target),
        })?;
        let options = ReplayOptions { target_limit, boot };
        let compared = compare(&described.loads, &own, &other, &options);
        let compared =
            compared.map_err(|why| anyhow::anyhow!("group {} has no replay: {why}", group.name))?;
        format.print(&View::of(&compared, boot), table)
    }
}

/// The list of policies in a file.
fn policies(file: &Path) -> Result<Value, ConfigErrors> {
    let name = input::shown(file);
    let wrong = |why: String| lb_config::unreadable(&name, why);
    let bytes = input::bytes(file, FILE_BYTES_MAX).map_err(wrong)?;
    let text = str::from_utf8(&bytes).map_err(|_| lb_config::not_utf8(&name, &bytes))?;
    let value: Value = serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
    match value {
        Value::Array(_) => Ok(value),
        // As it stands in the configuration.
        Value::Object(mut keys) if keys.len() == 1 && keys.contains_key("policies") => {
            Ok(keys.remove("policies").unwrap_or_default())
        }
        _ => Err(wrong("expected a list of policies, as `policies` of a group has it".to_owned())),
    }
}

fn set_target(scaling: &mut Value, target: Option<f64>) {
    let policies = scaling["policies"].as_array_mut().into_iter().flatten();
    for policy in policies {
        if let Some(tracking) = policy.get_mut("target_tracking") {
            tracking["value"] = json!(target);
        }
    }
}

/// The checked settings of a group after a change. Nothing else of the document is looked at: its
/// secrets may be hidden.
fn settings(
    document: &Document,
    group: &str,
    change: impl FnOnce(&mut Value),
) -> anyhow::Result<std::sync::Arc<lb_scaling::CheckedSettings>> {
    let whole = serde_json::to_value(document)?;
    let mut groups = whole["target_groups"].as_array().into_iter().flatten();
    let found = groups.find(|one| one["name"] == group);
    let scaling = found.and_then(|group| group.get("scaling")).filter(|one| one.is_object());
    let (Some(mut scaling), Some(found)) = (scaling.cloned(), found) else {
        anyhow::bail!("target group {group} is not scaled any more");
    };
    change(&mut scaling);
    scaling["driver"] = json!({ "static": { "targets": [{ "address": "192.0.2.1", "port": 1 }] } });
    scaling["hooks"] = Value::Null;
    // Metrics are those of its kind.
    let by_proxy = ["http", "https", "grpc"].iter().any(|one| found["protocol"] == *one);
    let mut alone = json!({ "name": group, "protocol": "http", "port": 1, "scaling": scaling });
    if !by_proxy {
        alone["protocol"] = json!("tcp");
        alone["forwarding"] = json!("ipip");
    }
    let alone = json!({ "interfaces": ["eth0"], "target_groups": [alone] });
    let document: Document = serde_json::from_value(alone)?;
    let (config, _) = lb_config::validate(&document)?;
    let packets = config.target_groups.first().and_then(|group| group.scaling.as_ref());
    let requests = config.http_target_groups.first().and_then(|group| group.scaling.as_ref());
    let scaling = packets.or(requests);
    let settings = scaling.map(|scaling| std::sync::Arc::clone(&scaling.settings));
    settings.ok_or_else(|| anyhow::anyhow!("target group {group} is not scaled any more"))
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct View {
    /// The first minute, and the end of the last one; RFC 3339.
    from: String,
    to: String,
    minutes: usize,
    metric: String,
    target_limit: f64,
    boot_seconds: u64,
    own: Score,
    other: Score,
}

/// A score for people and programs.
#[derive(Debug, Serialize)]
struct Score {
    /// Time with fewer targets in service than needed, in percent.
    short_percent: f64,
    /// Time with more targets than needed, in percent.
    excess_percent: f64,
    member_hours: f64,
    /// Changes of the desired capacity.
    changes: u32,
    /// Those that went back within half an hour.
    reversals: u32,
}

impl Score {
    fn of(score: &Scorecard) -> Self {
        Self {
            short_percent: 100.0 * score.violation_share(),
            excess_percent: 100.0 * score.excess_share(),
            member_hours: score.member_hours(),
            changes: score.actions,
            reversals: score.reversals,
        }
    }
}

impl View {
    fn of(compared: &Comparison, boot: Duration) -> Self {
        let Comparison { span, minutes, metric, target_limit, own, other } = compared;
        Self {
            from: span.0.to_string(),
            to: span.1.to_string(),
            minutes: *minutes,
            metric: metric.clone(),
            target_limit: *target_limit,
            boot_seconds: boot.as_secs(),
            own: Score::of(own),
            other: Score::of(other),
        }
    }
}

fn table(view: &View) -> String {
    let View { from, to, minutes, metric, target_limit, boot_seconds, own, other } = view;
    let mut table = Table::new(&["", "NOW", "OTHER"]);
    let mut row = |name: &str, of: fn(&Score) -> String| {
        table.row([name.to_owned(), of(own), of(other)]);
    };
    row("time short of targets, %", |score| format!("{:.2}", score.short_percent));
    row("time with too many, %", |score| format!("{:.2}", score.excess_percent));
    row("member-hours", |score| format!("{:.2}", score.member_hours));
    row("changes of capacity", |score| score.changes.to_string());
    row("changes that went back", |score| score.reversals.to_string());
    format!(
        "{minutes} minutes of load, {from} to {to}\none target can do {target_limit} of {metric}; a \
         member boots in {boot_seconds} s\n\n{}",
        table.render("")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = r#"{"interfaces": ["eth0"], "target_groups": [{"name": "web", "protocol": "tcp",
        "port": 80, "forwarding": "fullnat", "scaling": {"min": 1, "max": 9,
        "driver": {"exec": {"program": "/x", "parameters": "(hidden: needs the role configure)"}},
        "policies": [{"name": "load",
                      "target_tracking": {"metric": "packets_per_target", "value": 100}}]}}]}"#;

    fn value(settings: &lb_scaling::CheckedSettings) -> String {
        format!("{:?}", settings.policies)
    }

    #[test]
    fn settings_are_changed_and_checked() {
        let document: Document = serde_json::from_str(GROUP).unwrap();
        let own = settings(&document, "web", |_| {}).unwrap();
        assert!(value(&own).contains("100"), "{own:?}");
        let other = settings(&document, "web", |scaling| set_target(scaling, Some(70.0))).unwrap();
        assert!(value(&other).contains("70"), "{other:?}");
        let wrong = settings(&document, "web", |scaling| scaling["policies"] = json!([{}]));
        let error = wrong.unwrap_err();
        assert!(error.is::<ConfigErrors>(), "it exits with 2: {error}");
        assert!(error.to_string().contains("scaling.policies[0]"), "{error}");
        assert!(settings(&document, "api", |_| {}).is_err());
        assert!(positive("0").is_err() && positive("nan").is_err() && positive("0.5").is_ok());
    }

    #[test]
    fn both_scores_stand_side_by_side() {
        let score = |short| Score {
            short_percent: short,
            excess_percent: 50.0,
            member_hours: 12.5,
            changes: 4,
            reversals: 1,
        };
        let view = View {
            from: "2026-11-29T12:00:00Z".to_owned(),
            to: "2026-11-29T18:00:00Z".to_owned(),
            minutes: 360,
            metric: "packets_per_target".to_owned(),
            target_limit: 1000.0,
            boot_seconds: 60,
            own: score(1.25),
            other: score(0.0),
        };
        let text = table(&view);
        assert!(text.starts_with("360 minutes of load, 2026-11-29T12:00:00Z to "), "{text}");
        assert!(text.contains("time short of targets, %   1.25   0.00\n"), "{text}");
    }
}
