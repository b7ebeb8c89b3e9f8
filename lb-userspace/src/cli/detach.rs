//! `xelb detach`.

use std::path::PathBuf;

use clap::Args;
use lb_dataplane as dataplane;

use super::output;

/// Remove the data path of a stopped agent: its programs, links and maps
///
/// Stop the agent first. Afterwards, packets for VIPs go to this host's own network stack. No other
/// command removes the data path.
///
/// Example: xelb detach
#[derive(Debug, Args)]
pub(super) struct Detach {
    /// Where the data path is pinned: the --bpffs of its agent
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/xelb")]
    bpffs: PathBuf,
}

impl Detach {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folder = self.bpffs.display();
        let said = if dataplane::detach(&self.bpffs)? {
            format!("the data path pinned in {folder} is removed\n")
        } else {
            format!("nothing is pinned in {folder}\n")
        };
        output::print(&said)
    }
}
