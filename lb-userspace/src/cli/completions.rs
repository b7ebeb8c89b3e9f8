//! `xelb completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Arguments, output};

/// Print a script that lets a shell complete xelb's commands and options
///
/// Example: xelb completions bash > /etc/bash_completion.d/xelb
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Shell that the script is for
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "xelb", &mut script);
        output::print(&String::from_utf8_lossy(&script))
    }
}
