//! `xelb man`: manual pages, one for each command and one for the configuration.

mod command_page;
mod configuration_page;
mod facts;
mod source;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::{Arguments, output};

/// Write the manual pages of xelb, its commands and its configuration
///
/// Pages of commands are in section 1, those of `xelb agent`, `xelb proxy` and `xelb decap` in
/// section 8, and xelb.yaml(5) describes every key of the configuration.
///
/// Example: xelb man --dir /usr/local/share/man
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Folder for the folders man1, man5 and man8, which are created if they do not exist
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<()> {
        for page in pages() {
            write(&page, &self.dir)?;
        }
        output::print(&format!("the manual pages are in {}\n", self.dir.display()))
    }
}

/// One manual page.
struct ManualPage {
    /// Without its section, such as `xelb-target-add`.
    name: String,
    section: u8,
    /// In roff.
    text: String,
}

/// All pages, of one version of xelb.
fn pages() -> Vec<ManualPage> {
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    command_page::add(&root, None, &mut pages);
    pages.push(configuration_page::page());
    pages
}

fn write(page: &ManualPage, dir: &Path) -> anyhow::Result<()> {
    let ManualPage { name, section, text } = page;
    let folder = dir.join(format!("man{section}"));
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let file = folder.join(format!("{name}.{section}"));
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
