//! Options of commands that print lists.

use clap::Args;
use serde_json_path::JsonPath;

use super::{
    super::{color::Color, table::Look},
    json_path,
};

/// How a list is printed.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListOptions {
    /// A table for people, `wide` with all columns and absolute times; `name` prints what other
    /// commands accept; csv, json, yaml, or `jsonpath=EXPR` (RFC 9535) for programs
    #[arg(short, long, default_value = "table", value_parser = parse_output,
        value_name = "table|wide|name|json|yaml|csv|jsonpath=EXPR")]
    pub(super) output: ListOutput,
    /// Print no headline in table, wide and csv; an empty table prints nothing
    #[arg(long)]
    pub(super) no_headers: bool,
    /// Sort by this column of the table, or by this field of the JSON
    #[arg(long, value_name = "COLUMN|FIELD")]
    pub(super) sort_by: Option<String>,
    #[command(flatten)]
    pub(super) color: Color,
}

/// A form.
#[derive(Clone, Debug)]
pub(super) enum ListOutput {
    Table,
    Wide,
    Name,
    Csv,
    Json,
    Yaml,
    JsonPath(JsonPath),
}

/// Reads a form.
fn parse_output(text: &str) -> Result<ListOutput, String> {
    Ok(match text.split_once('=') {
        Some(("jsonpath", expression)) => ListOutput::JsonPath(json_path::parse(expression)?),
        None if text == "table" => ListOutput::Table,
        None if text == "wide" => ListOutput::Wide,
        None if text == "name" => ListOutput::Name,
        None if text == "csv" => ListOutput::Csv,
        None if text == "json" => ListOutput::Json,
        None if text == "yaml" => ListOutput::Yaml,
        _ => return Err("use table, wide, name, json, yaml, csv or jsonpath=EXPR".to_owned()),
    })
}

impl ListOptions {
    /// How tables look on this standard output.
    pub(super) fn look(&self) -> Look {
        Look { headers: !self.no_headers, ..self.color.look() }
    }

    /// Whether people read it, as a table.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.output, ListOutput::Table | ListOutput::Wide)
    }

    /// Whether each object is a line.
    pub(crate) const fn has_names_only(&self) -> bool {
        matches!(self.output, ListOutput::Name)
    }

    /// Whether it makes sense for lists only, and its name then.
    pub(crate) fn for_lists_only(&self) -> Option<&'static str> {
        match self.output {
            _ if self.sort_by.is_some() => Some("--sort-by"),
            ListOutput::Name => Some("-o name"),
            ListOutput::Csv => Some("-o csv"),
            _ => None,
        }
    }

    /// The separator between two answers of one command.
    pub(crate) const fn separator(&self) -> &'static str {
        match self.output {
            ListOutput::Yaml => "---\n",
            ListOutput::Table | ListOutput::Wide => "\n",
            _ => "",
        }
    }
}
