//! `xelb delete`.

use clap::Args;
use lb_config::Change;

use super::{
    complete,
    object::{self, Kind, KindWord, parse_kind},
    part_change::{How, wrong},
    selection::{self, Selecting},
};

/// Remove listeners, target groups, rules or targets from the configuration
///
/// A target that is removed finishes its flows, as with `xelb target remove`. A target group that a
/// listener still uses is not removed. All objects of one command are one revision.
///
/// Example: xelb delete listener web
///
/// Example: xelb delete target web/10.0.1.11 --dry-run
///
/// Example: xelb delete target -l rack=12 --dry-run
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Kind of the objects: listener, target-group (tg), rule or target
    #[arg(value_parser = parse_kind, add = complete::kinds())]
    kind: KindWord,
    /// Names of the objects; a target is GROUP/ADDRESS, a rule LISTENER/RULE
    #[arg(value_name = "NAME", num_args = 0.., add = complete::objects())]
    names: Vec<String>,
    #[command(flatten)]
    selecting: Selecting,
    #[command(flatten)]
    how: How,
}

impl Delete {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if let Some(selector) = &self.selecting.selector {
            let client = self.how.socket.client()?;
            let found = selection::selected(&client, &self.kind, &self.names, selector).await?;
            let changes = found.paths.into_iter().map(|path| Change::Delete { path });
            return self.how.make(changes.collect(), found.present.revision).await;
        }
        let (objects, _) = object::objects(&self.kind, &self.names, false).map_err(wrong)?;
        if objects.iter().any(|object| object.kind == Kind::Config) {
            let text = "the configuration is not deleted; `xelb delete` takes listener, \
                        target-group, rule or target, and `xelb detach` removes the data path";
            return Err(wrong(text.to_owned()));
        }
        let changes = objects.into_iter().map(|object| Change::Delete { path: object.path });
        self.how.make(changes.collect(), None).await
    }
}
