//! `xelb completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Arguments, output};

/// Print completions for a shell
///
/// Example: xelb completions bash > /etc/bash_completion.d/xelb
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
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
