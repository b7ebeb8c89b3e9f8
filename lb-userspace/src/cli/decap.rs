//! `xelb decap`.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Attach, output};
use crate::dataplane::decap::{Decapsulator, REFRESH_INTERVAL};

/// Unwrap tunnel packets on a target, so that it needs no tunnel device
///
/// Runs on targets of groups with `forwarding: ipip`, in the foreground until SIGTERM or SIGINT;
/// then it detaches, and tunnel packets are no longer unwrapped. Only packets to an address of this
/// host are; what was inside goes to this host's stack, which must have the VIP
/// (`ip address add VIP/32 dev lo`).
///
/// Example: xelb decap --interface eth0
#[derive(Debug, Args)]
pub(super) struct Decap {
    /// Network interface that tunnel packets arrive at
    #[arg(long, value_name = "IFACE")]
    interface: String,
    #[command(flatten)]
    attach: Attach,
}

impl Decap {
    pub(super) fn run(self) -> anyhow::Result<()> {
        super::wait_for(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        let mut decapsulator = Decapsulator::start(&self.interface, self.attach.xdp_mode)?;
        let attached = decapsulator.attached();
        output::print(&format!(
            "unwrapping tunnel packets at {} ({}: {})\n",
            attached.name,
            attached.mode(),
            attached.reason
        ))?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = refresh.tick() => {
                    if let Err(error) = decapsulator.refresh() {
                        tracing::error!("{:#}", anyhow::Error::new(error));
                    }
                }
            }
        }
        let counters = decapsulator.counters()?;
        let shown: Vec<String> =
            counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let counted = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
        output::print(&format!("detached; counted: {counted}\n"))
    }
}
