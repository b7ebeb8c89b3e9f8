//! `xelb decap`.

use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};

use super::{Attach, Log, output};
use crate::{
    agent::readiness::Readiness,
    dataplane::{
        Attached,
        decap::{DecapOptions, Decapsulator, REFRESH_INTERVAL},
    },
    log::LogFormat,
};

/// Unwrap tunnel packets on a target, so that it needs no tunnel device
///
/// Runs on targets of groups with `forwarding: ipip` or `gue`, in the foreground until SIGTERM or
/// SIGINT; then it detaches, and tunnel packets are no longer unwrapped. Only packets to an address
/// of this host are; what was inside goes to this host's stack, which must have the VIP
/// (`ip address add VIP/32 dev lo`).
///
/// With --allow, tunnel packets from any other source are dropped and counted. Balancers send from
/// the prefixes that their configuration has under `tunnel`: by default 172.16.0.0/16 and 100::/64.
///
/// Example: xelb decap --interface eth0 --allow 172.16.0.0/16
#[derive(Debug, Args)]
pub(super) struct Decap {
    /// Network interface that tunnel packets arrive at
    #[arg(long, value_name = "IFACE")]
    interface: String,
    /// UDP port at which GUE is unwrapped, as `gue_port` in the balancer's configuration
    #[arg(long, value_name = "PORT", default_value_t = 6080, value_parser = clap::value_parser!(u16).range(1..))]
    gue_port: u16,
    /// Unwrap only what comes from this prefix; may be given several times
    #[arg(long = "allow", value_name = "PREFIX", value_parser = prefix)]
    allowed: Vec<IpNet>,
    #[command(flatten)]
    attach: Attach,
    #[command(flatten)]
    log: Log,
}

impl Decap {
    pub(super) const fn log_format(&self) -> LogFormat {
        self.log.format
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        super::wait_for(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        let mut decapsulator = Decapsulator::start(&DecapOptions {
            interface: self.interface,
            mode: self.attach.xdp_mode,
            gue_port: self.gue_port,
            allowed: self.allowed,
        })?;
        let mut status = status_of(&decapsulator);
        output::print(&format!("{status}\n"))?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
        let mut readiness = Readiness::from_environment();
        loop {
            readiness.report(true, || status.clone());
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = readiness.wake() => {}
                _ = refresh.tick() => {
                    restore(&mut decapsulator, &mut status);
                    if let Err(error) = decapsulator.refresh() {
                        tracing::error!("{:#}", anyhow::Error::new(error));
                    }
                }
            }
        }
        readiness.stopping();
        let counters = decapsulator.counters()?;
        let shown: Vec<String> =
            counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let counted = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
        output::print(&format!("detached; counted: {counted}\n"))
    }
}

fn status_of(decapsulator: &Decapsulator) -> String {
    let attached = decapsulator.attached();
    let Attached { name, reason, .. } = attached;
    format!("unwrapping tunnel packets at {name} ({}: {reason})", attached.mode())
}

/// Attaches the program again when it is gone, and says so; what stays wrong is said once.
fn restore(decapsulator: &mut Decapsulator, status: &mut String) {
    match decapsulator.restore() {
        Ok(false) => {}
        Ok(true) => {
            *status = status_of(decapsulator);
            tracing::warn!("the program was gone, and is attached again: {status}");
        }
        Err(error) => {
            let now = format!("NOT unwrapping tunnel packets: {:#}", anyhow::Error::new(error));
            if *status != now {
                tracing::error!("{now}; trying every second");
                *status = now;
            }
        }
    }
}

/// An address, or a prefix of addresses.
fn prefix(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| {
        "expected an address or a prefix, for example 172.16.0.0/16 or 2001:db8::1".to_owned()
    })
}
