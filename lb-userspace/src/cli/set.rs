//! `xelb set`.

use clap::Args;
use lb_config::Change;

use super::{
    assignment::{self, Assignment},
    object::{self, KindWord, parse_kind},
    part_change::{How, wrong},
};

/// Change keys of a listener, a target group, a rule, a target, or of the configuration
///
/// A KEY is a path in the object, such as `health_check.interval`. Where it is clear, the last part
/// is enough: `interval`. A VALUE is written as in a configuration file. All changes of one command
/// are one revision.
///
/// Example: xelb set target-group web slow_start=30s interval=2s
///
/// Example: xelb set target web/10.0.1.11 weight=50
///
/// Example: xelb set listener web target_group=green --dry-run
///
/// Example: xelb set config icmp.echo=false
#[derive(Debug, Args)]
pub(super) struct Set {
    /// Kind of the object: listener, target-group (tg), rule, target or config
    #[arg(value_parser = parse_kind)]
    kind: KindWord,
    /// Name of the object (a target is GROUP/ADDRESS, a rule LISTENER/RULE), then keys with their
    /// values
    #[arg(value_name = "NAME KEY=VALUE", num_args = 0..)]
    words: Vec<String>,
    /// Remove this key, so that its default holds; may be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    how: How,
}

impl Set {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let changes = self.changes().map_err(wrong)?;
        self.how.make(changes, None).await
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
