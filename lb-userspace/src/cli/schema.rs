//! `xelb schema`.

use clap::Args;
use lb_api as api;
use lb_config as config;

use super::output;

/// Print the JSON Schema of the configuration or the OpenAPI document of the API
///
/// Editors complete and check a configuration with its schema, if its first line is:
/// # yaml-language-server: $schema=./xelb.schema.json
///
/// Example: xelb schema > xelb.schema.json
///
/// Example: xelb schema --openapi > openapi.json
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Print the OpenAPI document of the API, for generators of clients
    #[arg(long)]
    openapi: bool,
}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<()> {
        output::print(if self.openapi { api::openapi_document() } else { config::SCHEMA })
    }
}
