//! `xelb detach`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use lb_config::plural::counted;
use lb_dataplane as dataplane;

use super::output;

/// Remove the data path of a stopped agent: its programs, links and maps
///
/// Stop the agent first. Afterwards, packets for VIPs go to this host's own network stack. The local
/// routes that the agent has made for VIPs of the HTTP proxy are removed, too. No other command
/// removes the data path.
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
        let routes =
            lb_netlink::vip_routes().context("cannot read the local routes of this host")?;
        for prefix in &routes {
            lb_netlink::remove_vip_route(*prefix)
                .with_context(|| format!("cannot remove the local route of {prefix}"))?;
        }
        let said = match routes.len() {
            0 => said,
            count => said + &format!("{} of VIPs removed\n", counted(count as u64, "local route")),
        };
        output::print(&said)
    }
}
