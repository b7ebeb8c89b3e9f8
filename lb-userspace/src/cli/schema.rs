//! `xelb schema`.

use clap::Args;

use super::output;
use crate::config;

/// Print the JSON Schema of the configuration, by which editors complete and check it
///
/// An editor finds it by the first line of the configuration:
/// # yaml-language-server: $schema=./xelb.schema.json
///
/// Example: xelb schema > xelb.schema.json
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub(super) fn run(self) -> anyhow::Result<()> {
        output::print(config::SCHEMA)
    }
}
