//! Lists of objects in the forms of `xelb get`: tables, names, CSV, JSONPath, JSON and YAML. Columns and
//! fields are declared, so that an unknown one is refused before the agent is asked.

mod column;
mod csv;
mod json_path;
mod options;
mod sort;

use serde::Serialize;
use serde_json::Value;

use super::{
    table::{Cell, Look, Table},
    terminal,
};
pub(super) use column::{Column, Times, state_style};
pub(super) use options::ListOptions;
use options::ListOutput;

/// What is listed of objects of one kind.
pub(super) struct Listing<T: 'static> {
    /// Columns of the table, from left to right.
    pub(super) columns: &'static [Column<T>],
    /// Fields of an object in JSON, as paths such as `drain.who`.
    pub(super) fields: &'static [&'static str],
    /// The name that other commands accept; none for objects that no command names.
    pub(super) name: fn(&T) -> Option<String>,
    /// What is printed in place of an empty table.
    pub(super) nothing: &'static str,
}

/// A list as it is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// All of it. What a terminal would obey is escaped.
    pub(super) text: String,
    /// The rows of a table, if it is one.
    pub(super) rows: Option<Vec<Row>>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    name: String,
    cells: Vec<String>,
    line: String,
}

impl ListOptions {
    /// Whether the options fit to this listing.
    pub(super) fn check<T>(&self, listing: &Listing<T>) -> Result<(), String> {
        self.sort_key(listing).map(|_| ())
    }

    fn sort_key<T>(&self, listing: &Listing<T>) -> Result<Option<&'static str>, String> {
        self.sort_by.as_deref().map(|wanted| sort::field(wanted, listing)).transpose()
    }

    /// The list as it is printed.
    pub(super) fn show<T: Serialize>(
        &self,
        items: Vec<T>,
        listing: &Listing<T>,
        times: Times,
    ) -> anyhow::Result<Shown> {
        let key = self.sort_key(listing).map_err(super::part_change::wrong)?;
        let items = match key {
            Some(field) => sort::sorted(items, field)?,
            None => items,
        };
        Ok(match &self.output {
            ListOutput::Table => table(&items, listing, false, times, self.look()),
            ListOutput::Wide => table(&items, listing, true, times.absolute(), self.look()),
            ListOutput::Csv => text(&self.csv(&items, listing, times.absolute())),
            ListOutput::Name => text(
                &items.iter().filter_map(listing.name).map(|name| name + "\n").collect::<String>(),
            ),
            _ => self.document(&items)?,
        })
    }

    /// The same for what is no list of objects.
    pub(super) fn document<T: Serialize>(&self, document: &T) -> anyhow::Result<Shown> {
        Ok(text(&match &self.output {
            ListOutput::Yaml => serde_saphyr::to_string(document)?,
            ListOutput::JsonPath(path) => json_path::found(path, &serde_json::to_value(document)?),
            _ => format!("{}\n", serde_json::to_string_pretty(document)?),
        }))
    }

    fn csv<T>(&self, items: &[T], listing: &Listing<T>, times: Times) -> String {
        let headlines = listing.columns.iter().map(|column| column.headline.to_owned());
        let head = if self.no_headers { String::new() } else { csv::record(headlines) };
        let rows = items.iter().map(|item| {
            csv::record(listing.columns.iter().map(|column| column.cell(item, times).text))
        });
        head + &rows.collect::<String>()
    }
}

/// The rows of a table, in a look.
fn table<T>(items: &[T], listing: &Listing<T>, wide: bool, times: Times, look: Look) -> Shown {
    let columns = || listing.columns.iter().filter(|column| wide || !column.wide);
    let headlines: Vec<&str> = columns().map(|column| column.headline).collect();
    let mut table = Table::new(&headlines);
    let cells =
        |item: &T| -> Vec<Cell> { columns().map(|column| column.cell(item, times)).collect() };
    for item in items {
        table.row(cells(item));
    }
    let mut lines = table.lines(look);
    let text = match (items, look.headers) {
        ([], true) => format!("{}\n", listing.nothing),
        ([], false) => String::new(),
        _ => lines.concat(),
    };
    let rows = lines.drain(usize::from(look.headers)..).zip(items).map(|(line, item)| Row {
        name: (listing.name)(item).unwrap_or_default(),
        cells: cells(item).into_iter().map(|cell| cell.text).collect(),
        line,
    });
    Shown { rows: Some(rows.collect()), text }
}

fn text(text: &str) -> Shown {
    Shown { text: terminal::lines(text).into_owned(), rows: None }
}

impl Shown {
    /// What is new since `before`: rows that are new or have changed, and the names of those that are
    /// gone. All of it, where it has no rows.
    pub(super) fn changes(&self, before: &Self) -> String {
        let (Some(rows), Some(old)) = (&self.rows, &before.rows) else {
            return if self.text == before.text { String::new() } else { self.text.clone() };
        };
        let is_old =
            |row: &&Row| !old.iter().any(|one| one.name == row.name && one.cells == row.cells);
        let changed = rows.iter().filter(is_old).map(|row| row.line.clone());
        let is_gone = |one: &&Row| !rows.iter().any(|row| row.name == one.name);
        let gone =
            old.iter().filter(is_gone).map(|one| format!("gone: {}\n", terminal::line(&one.name)));
        changed.chain(gone).collect()
    }
}

/// The value at a path of keys.
fn at<'value>(value: &'value Value, path: &str) -> &'value Value {
    path.split('.').fold(value, |value, key| &value[key])
}

#[cfg(test)]
pub(crate) mod tests;
