//! `xelb pass`.

use clap::Args;
use lb_agent::readiness::Readiness;
use lb_dataplane::Pass;
use tokio::signal::unix::{SignalKind, signal};

use super::output;

/// Attach an XDP program that passes all packets, for the peer of a balancer's veth interface
///
/// A balancer's veth interface loses or delays packets that XDP sends, unless its peer has a native
/// XDP program, too. Run this command where the peer is, for example on the host of a container. It
/// runs in the foreground until SIGTERM or SIGINT. Then it detaches.
///
/// Example: xelb pass --interface veth1a2b3c
#[derive(Debug, Args)]
pub(super) struct PassCommand {
    /// The peer of the veth interface
    #[arg(long, value_name = "IFACE")]
    interface: String,
}

impl PassCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        super::wait_for(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        let pass = Pass::start(&self.interface)?;
        let status = format!("passing everything at {}", pass.attached().name);
        output::print(&format!("{status}\n"))?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut readiness = Readiness::from_environment();
        loop {
            readiness.report(true, || status.clone());
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = readiness.wake() => {}
            }
        }
        readiness.stopping();
        drop(pass);
        output::print("detached\n")
    }
}
