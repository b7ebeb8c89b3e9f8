//! Printing: tables for people, JSON for programs, and no panic when standard output is closed.

use std::io::{self, ErrorKind, Write as _};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{progress, terminal};

/// How the answer is printed.
#[derive(Debug, Default, Args)]
pub(super) struct Format {
    /// A table for people; JSON or YAML for programs (stable; see docs/cli.md)
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

impl Format {
    /// Whether programs read it.
    pub(super) const fn is_for_programs(&self) -> bool {
        !matches!(self.output, Output::Table)
    }

    /// Prints the answer.
    pub(super) fn print<T: Serialize>(
        &self,
        answer: &T,
        table: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        print(&self.text(answer, table)?)
    }

    /// Prints the answer. The page is not escaped again: whoever makes it escapes what others have written.
    pub(super) fn print_page<T: Serialize>(
        &self,
        answer: &T,
        page: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        match self.output {
            Output::Table => print_escaped(&page(answer)),
            _ => self.print(answer, |_| String::new()),
        }
    }

    /// The answer as it is printed.
    pub(super) fn text<T: Serialize>(
        &self,
        answer: &T,
        table: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<String> {
        Ok(match self.output {
            Output::Table => table(answer),
            Output::Json => format!("{}\n", serde_json::to_string_pretty(answer)?),
            Output::Yaml => serde_saphyr::to_string(answer)?,
        })
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
                Output::Yaml => format!("---\n{}", serde_saphyr::to_string(item)?.trim_end()),
            };
            print(&format!("{text}\n"))?;
        }
        Ok(())
    }
}

/// Prints a text, without what a terminal would obey. A reader that has gone away, as in `xelb stats | head`, is no error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    print_escaped(&terminal::lines(text))
}

/// Prints a text in which only xelb itself has written control characters.
pub(super) fn print_escaped(text: &str) -> anyhow::Result<()> {
    progress::end();
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a line to standard error; a closed standard error is not an error.
pub(super) fn print_error(line: &str) {
    progress::end();
    let _unread = writeln!(io::stderr(), "{line}");
}
