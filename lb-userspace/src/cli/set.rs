//! `xelb set`.

use clap::Args;
use lb_config::{Change, Document, PartPath, PartStep};

use super::{
    assignment::{self, Assignment},
    complete,
    object::{self, KindWord, parse_kind},
    part_change::{How, wrong},
    weight::{self, Weight},
};

/// Weight of a target that has none.
const DEFAULT_WEIGHT: u32 = 100;

/// Change keys of a listener, a target group, a rule, a target, or of the configuration
///
/// A KEY is a path in the object, such as `health_check.interval`. Where it is clear, the last part
/// is enough: `interval`. A VALUE is written as in a configuration file. All changes of one command
/// are one revision. A weight of a target may be `+50`, `-20` or `50%` of the present one.
///
/// Example: xelb set target-group web slow_start=30s interval=2s
///
/// Example: xelb set target web/10.0.1.11 weight=50%
///
/// Example: xelb set listener web target_group=green --dry-run
///
/// Example: xelb set config icmp.echo=false
#[derive(Debug, Args)]
pub(super) struct Set {
    /// Kind of the object: listener, target-group (tg), rule, target or config
    #[arg(value_parser = parse_kind, add = complete::kinds())]
    kind: KindWord,
    /// Name of the object (a target is GROUP/ADDRESS, a rule LISTENER/RULE), then keys with their
    /// values
    #[arg(value_name = "NAME KEY=VALUE", num_args = 0.., add = complete::objects())]
    words: Vec<String>,
    /// Remove this key, so that its default holds; may be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    how: How,
}

impl Set {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut changes = self.changes().map_err(wrong)?;
        let relative = changes.iter().map(relative_weight).collect::<Result<Vec<_>, _>>();
        let relative = relative.map_err(wrong)?;
        if relative.iter().all(Option::is_none) {
            return self.how.make(changes, None).await;
        }
        let present = self.how.socket.client()?.configuration().await?;
        for (change, weight) in changes.iter_mut().zip(relative) {
            if let (Change::Set { path, value }, Some(weight)) = (change, weight) {
                let of = present_weight(&present.document, path).map_err(wrong)?;
                let new = weight.of(of).map_err(|error| wrong(format!("{path}: {error}")))?;
                *value = assignment::value(&new.to_string()).map_err(wrong)?;
            }
        }
        self.how.make(changes, present.revision).await
    }

    fn changes(&self) -> Result<Vec<Change>, String> {
        let (objects, pairs) = object::objects(&self.kind, &self.words, true)?;
        let mut changes = Vec::new();
        for object in &objects {
            for pair in &pairs {
                let Assignment { key, value } = assignment::parse(object.kind, pair)?;
                changes.push(Change::Set { path: object.path.join(&key), value });
            }
            for key in &self.unset {
                let key = assignment::key(object.kind, key)?;
                changes.push(Change::Delete { path: object.path.join(&key) });
            }
        }
        if changes.is_empty() {
            return Err("give at least one KEY=VALUE; for example slow_start=30s".to_owned());
        }
        Ok(changes)
    }
}

/// The change of a weight of a target that is relative to the present one: `+50`, `-20` or `50%`.
fn relative_weight(change: &Change) -> Result<Option<Weight>, String> {
    let Change::Set { path, value } = change else { return Ok(None) };
    if !matches!(path.steps(), [.., PartStep::Key(list), PartStep::Item(_), PartStep::Key(key)]
        if list == "targets" && key == "weight")
    {
        return Ok(None);
    }
    let text = serde_json::to_value(value).map_err(|error| error.to_string())?;
    match text.as_str().map(weight::parse) {
        Some(Ok(weight)) if weight.is_relative() => Ok(Some(weight)),
        // Whatever else it is, the agent says what is wrong with it.
        _ => Ok(None),
    }
}

/// The weight of a target in this configuration.
fn present_weight(document: &Document, path: &PartPath) -> Result<u32, String> {
    let Some((_, target)) = path.steps().split_last() else { return Ok(DEFAULT_WEIGHT) };
    let target = target.iter().fold(PartPath::default(), |path, step| path.with(step.clone()));
    let part = document.part(&target).map_err(|error| error.to_string())?;
    let part = serde_json::to_value(part).map_err(|error| error.to_string())?;
    Ok(match part["weight"].as_u64() {
        Some(weight) => u32::try_from(weight).unwrap_or(u32::MAX),
        None => DEFAULT_WEIGHT,
    })
}
