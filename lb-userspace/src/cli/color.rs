//! The option `--color`, and how what is printed looks on this standard output.

use std::io;

use anstream::AutoStream;
use clap::{Args, ColorChoice};

use super::table::Look;

/// When there are colours.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Color {
    /// Colours of states and warnings: `auto` on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

impl Color {
    /// How tables and pages look.
    pub(super) fn look(self) -> Look {
        let color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
        };
        let width = terminal_size::terminal_size_of(io::stdout());
        let width = width.map(|(terminal_size::Width(columns), _)| usize::from(columns));
        Look { width, color, headers: true }
    }
}
