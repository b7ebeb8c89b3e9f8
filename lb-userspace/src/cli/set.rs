//! `xelb set`.

use clap::Args;
use lb_config::{Change, Document, PartPath, PartStep};

use super::{
    assignment::{self, Assignment},
    complete,
    object::{self, Kind, KindWord, parse_kind},
    part_change::{How, wrong},
    selection::{self, Selecting},
    weight::{self, Weight},
};

/// Weight of a target that has none, where `defaults` has none either.
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
///
/// Example: xelb set target -l rack=12 weight=50%
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
    selecting: Selecting,
    #[command(flatten)]
    how: How,
}

impl Set {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (changes, present) = if let Some(selector) = &self.selecting.selector {
            // A pair has a `=`, and the name of a group or a listener has none.
            let count = self.words.iter().take_while(|word| !word.contains('=')).count();
            let (names, pairs) = self.words.split_at(count);
            let client = self.how.socket.client()?;
            let found = selection::selected(&client, &self.kind, names, selector).await?;
            let changes = self.changes(found.kind, &found.paths, pairs).map_err(wrong)?;
            (changes, Some(found.present))
        } else {
            let named = object::objects(&self.kind, &self.words, true);
            let (objects, pairs) = named.map_err(wrong)?;
            let paths: Vec<PartPath> = objects.into_iter().map(|object| object.path).collect();
            (self.changes(self.kind.kind(), &paths, &pairs).map_err(wrong)?, None)
        };
        let mut is_relative = false;
        for change in &changes {
            is_relative |= relative_weight(change).map_err(wrong)?.is_some();
        }
        let present = match present {
            None if is_relative => Some(self.how.socket.client()?.configuration().await?),
            present => present,
        };
        let Some(present) = present else {
            return self.how.make(changes, None).await;
        };
        let changes = absolute(changes, &present.document).map_err(wrong)?;
        self.how.make(changes, present.revision).await
    }

    fn changes(
        &self,
        kind: Kind,
        paths: &[PartPath],
        pairs: &[String],
    ) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        for path in paths {
            for pair in pairs {
                let Assignment { key, value } = assignment::parse(kind, pair)?;
                changes.push(Change::Set { path: path.join(&key), value });
            }
            for key in &self.unset {
                let key = assignment::key(kind, key)?;
                changes.push(Change::Delete { path: path.join(&key) });
            }
        }
        if changes.is_empty() {
            return Err("give at least one KEY=VALUE; for example slow_start=30s".to_owned());
        }
        Ok(changes)
    }
}

/// The changes, with relative weights as what they are of the present ones.
pub(super) fn absolute(
    mut changes: Vec<Change>,
    present: &Document,
) -> Result<Vec<Change>, String> {
    for change in &mut changes {
        let relative = relative_weight(change)?;
        if let (Change::Set { path, value }, Some(weight)) = (change, relative) {
            let of = present_weight(present, path)?;
            let new = weight.of(of).map_err(|error| format!("{path}: {error}"))?;
            *value = assignment::value(&new.to_string())?;
        }
    }
    Ok(changes)
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
    let target = document.part(&target).map_err(|error| error.to_string())?;
    let defaults = document.part(&"defaults".parse().unwrap_or_default()).ok();
    for part in [Some(target), defaults].into_iter().flatten() {
        let part = serde_json::to_value(part).map_err(|error| error.to_string())?;
        if let Some(weight) = part["weight"].as_u64() {
            return Ok(u32::try_from(weight).unwrap_or(u32::MAX));
        }
    }
    Ok(DEFAULT_WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_weights_are_of_what_each_target_has() {
        let document = |text: &str| {
            let part = lb_config::Part::parse(text).unwrap();
            serde_json::from_value(serde_json::to_value(part).unwrap()).unwrap()
        };
        let changed = |document: &Document, address: &str| {
            let path = PartPath::of(&[("target_groups", "web"), ("targets", address)]);
            let value = assignment::value("\"50%\"").unwrap();
            let path = path.with(PartStep::Key("weight".to_owned()));
            let changes = absolute(vec![Change::Set { path, value }], document).unwrap();
            serde_json::to_value(&changes).unwrap()[0]["value"].as_u64()
        };
        let plain = "target_groups: [{ name: web, port: 80, targets: [{ address: 10.0.1.11 }, \
                     { address: 10.0.1.12, weight: 30 }] }]";
        let with_defaults = document(&format!("{{ defaults: {{ weight: 8 }}, {plain} }}"));
        let plain = document(plain);
        assert_eq!(changed(&plain, "10.0.1.11"), Some(50));
        assert_eq!(changed(&plain, "10.0.1.12:80"), Some(15));
        assert_eq!(changed(&with_defaults, "10.0.1.11"), Some(4));
        assert_eq!(changed(&with_defaults, "10.0.1.12"), Some(15));
    }
}
