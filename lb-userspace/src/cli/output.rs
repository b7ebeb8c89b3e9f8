//! Printing: tables for people, JSON for programs, and no panic when nobody reads on.

use std::io::{self, ErrorKind, Write as _};

use clap::{Args, ValueEnum};
use serde::Serialize;

/// How the answer is printed.
#[derive(Debug, Args)]
pub(super) struct Format {
    /// A table for people, or JSON for programs (stable; see docs/cli.md)
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

impl Format {
    /// Whether programs read the answer.
    pub(super) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Prints the answer.
    pub(super) fn print<T: Serialize>(
        &self,
        answer: &T,
        table: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        match self.output {
            Output::Table => print(&table(answer)),
            Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(answer)?)),
        }
    }
}

impl Format {
    /// Prints items as they come, each a line; JSON is one object a line.
    pub(super) fn print_each<T: Serialize>(
        &self,
        items: &[T],
        line: impl Fn(&T) -> String,
    ) -> anyhow::Result<()> {
        for item in items {
            let text = match self.output {
                Output::Table => line(item),
                Output::Json => serde_json::to_string(item)?,
            };
            print(&format!("{text}\n"))?;
        }
        Ok(())
    }
}

/// Prints a text as it is. A reader that has gone away, as in `xelb stats | head`, is no error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
