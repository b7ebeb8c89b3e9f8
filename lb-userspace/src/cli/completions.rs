//! `xelb completions`.

use anyhow::Context as _;
use clap::Args;
use clap_complete::{Shell, env::Shells};

use super::{complete, output};

/// Print a script that lets a shell complete commands, options and names
///
/// The names of target groups, targets, listeners, rules, members and contexts are those of the running
/// agent: the shell asks `xelb`, for at most a second.
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
        let shells = Shells::builtins();
        let shell = shells.completer(&self.shell.to_string()).context("unknown shell")?;
        let mut script = Vec::new();
        shell.write_registration(complete::VARIABLE, "xelb", "xelb", "xelb", &mut script)?;
        // The script has control characters that a shell needs.
        output::print_escaped(&String::from_utf8_lossy(&script))
    }
}
