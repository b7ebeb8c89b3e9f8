//! `xelb man`.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::{Arguments, output};

/// Write the manual pages of xelb and all its commands into a folder
///
/// Example: xelb man --dir /usr/local/share/man/man1
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Folder for the pages (xelb.1, xelb-agent.1 and so on); it is created if it does not exist
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let shown = self.dir.display();
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot create the folder {shown}"))?;
        clap_mangen::generate_to(Arguments::command(), &self.dir)
            .with_context(|| format!("cannot write the manual pages into {shown}"))?;
        output::print(&format!("the manual pages are in {shown}\n"))
    }
}
