//! `xelb decap`.

mod balancer;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};

use balancer::Balancer;
pub(super) use balancer::BalancerError;
use lb_agent::{descriptor_store, readiness::Readiness};
use lb_dataplane::{
    Attached,
    decap::{DecapOptions, Decapsulator, KeptLink, REFRESH_INTERVAL},
};
use lb_log::LogFormat;
use lb_netlink::AddressWatch;

use super::{Attach, Log, output};

/// The UDP port of GUE unless a target group has another one.
const GUE_PORT: u16 = 6080;

/// How often the counters of refused packets are read, and logged if they have grown.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Unwrap tunnel packets on a target, so that it needs no tunnel device
///
/// It is for targets of groups with `forwarding: ipip` or `gue`. It runs in the foreground until
/// SIGTERM or SIGINT. Then it detaches, and tunnel packets are no longer unwrapped. At a restart of
/// its systemd unit, no packet is lost: systemd keeps the program attached until the next process
/// takes it over.
///
/// It unwraps tunnel packets to addresses of this host, if they contain TCP, UDP or ICMP for a VIP.
/// VIPs are the addresses of `lo` (`ip address add VIP/32 dev lo`), the local routes over it (`ip
/// route add local PREFIX dev lo`), and those of --vip and --config. It drops and counts the
/// others, and tunnel packets from sources that --allow does not include. Balancers send from the
/// prefixes under `tunnel` in their configuration.
///
/// Example: xelb decap --interface eth0
///
/// Example: xelb decap --interface eth0 --config balancer.yaml
#[derive(Debug, Args)]
pub(super) struct Decap {
    /// Network interface that tunnel packets arrive at
    #[arg(long, value_name = "IFACE")]
    interface: String,
    /// Copy of the balancer's configuration, a file or a directory of *.yaml files. It gives VIPs, and the senders and GUE port unless
    /// --allow and --gue-port are set. SIGHUP reads its VIPs again
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// UDP port of GUE: `gue_port` of the target group [default: 6080]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    gue_port: Option<u16>,
    /// Accept tunnel packets only from this prefix, or from `any` sender; may be given several
    /// times [default: 172.16.0.0/16 and 100::/64]
    #[arg(long = "allow", value_name = "PREFIX", value_parser = sender)]
    allowed: Vec<Sender>,
    /// Additional VIP, or prefix of VIPs; may be given several times
    #[arg(long = "vip", value_name = "PREFIX", value_parser = prefix)]
    vips: Vec<IpNet>,
    #[command(flatten)]
    attach: Attach,
    #[command(flatten)]
    log: Log,
}

/// Who may send tunnel packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Any,
    Prefix(IpNet),
}

/// Where balancers send from unless their configuration has other prefixes.
const SENDERS: [&str; 2] = ["172.16.0.0/16", "100::/64"];

/// Allowed prefixes; none means any sender.
fn allowed(senders: &[Sender]) -> Vec<IpNet> {
    let prefixes = senders.iter().map(|sender| match sender {
        Sender::Any => None,
        Sender::Prefix(net) => Some(*net),
    });
    prefixes.collect::<Option<_>>().unwrap_or_default()
}

impl Decap {
    pub(super) const fn log_format(&self) -> LogFormat {
        self.log.format
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        super::wait_for(self.serve())
    }

    /// The settings, from the options and from the balancer's configuration.
    fn options(&self) -> anyhow::Result<DecapOptions> {
        let mut vips = self.vips.clone();
        let (mut senders, mut gue_port) = (None, self.gue_port);
        if let Some(path) = &self.config {
            let balancer = Balancer::read(path)?;
            if gue_port.is_none() {
                gue_port = balancer.gue_port(path)?;
            }
            vips.extend(balancer.vips);
            senders = Some(balancer.senders);
        }
        let usual = || SENDERS.iter().filter_map(|net| net.parse().ok()).collect();
        let allowed = match self.allowed.as_slice() {
            [] => senders.unwrap_or_else(usual),
            named => allowed(named),
        };
        Ok(DecapOptions {
            interface: self.interface.clone(),
            mode: self.attach.xdp_mode,
            gue_port: gue_port.unwrap_or(GUE_PORT),
            allowed,
            vips,
        })
    }

    /// Takes the VIPs of the configuration as it is now; one with errors changes nothing.
    fn reload(&self, decapsulator: &mut Decapsulator, before: &DecapOptions) {
        if self.config.is_none() {
            return;
        }
        match self.options() {
            Ok(options) => {
                if (&options.allowed, options.gue_port) != (&before.allowed, before.gue_port) {
                    tracing::warn!(
                        "the configuration has other senders or another GUE port: restart `xelb \
                         decap` to use them"
                    );
                }
                decapsulator.name_vips(options.vips);
                refreshed(decapsulator);
            }
            Err(error) => tracing::error!(
                "the configuration is refused, the old VIPs stay in \
                                           use: {error:#}"
            ),
        }
    }

    async fn serve(self) -> anyhow::Result<()> {
        let options = self.options()?;
        // Before the program is attached: a signal that nobody waits for would end the process.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        // Before the addresses are read: what changes after that is then seen for sure.
        let mut addresses = AddressWatch::start()?;
        let mut decapsulator = Decapsulator::start(&options, kept_link())?;
        let mut kept = keep(&decapsulator, None);
        let mut status = status_of(&decapsulator);
        output::print(&format!("{status}\n"))?;
        report_vips(&decapsulator);
        let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        let mut readiness = Readiness::from_environment();
        let mut refused = String::new();
        loop {
            readiness.report(true, || format!("{status}{refused}"));
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => self.reload(&mut decapsulator, &options),
                () = readiness.wake() => {}
                changed = addresses.changed() => {
                    if let Err(error) = changed {
                        tracing::warn!("cannot follow the addresses of this host: {error}");
                        tokio::time::sleep(REFRESH_INTERVAL).await;
                    }
                    refreshed(&mut decapsulator);
                }
                _ = refresh.tick() => {
                    if restore(&mut decapsulator, &mut status) {
                        kept = keep(&decapsulator, kept.as_deref());
                    }
                    refreshed(&mut decapsulator);
                }
                _ = look.tick() => report_refused(&decapsulator, &mut refused),
            }
        }
        readiness.stopping();
        let counters = decapsulator.counters()?;
        let counted = if counters.is_empty() { "nothing".to_owned() } else { shown(&counters) };
        // At a restart, the service manager has the link until the next one takes it over.
        let ended = if kept.is_some() { "stopped" } else { "detached" };
        output::print(&format!("{ended}; counted: {counted}\n"))
    }
}

fn status_of(decapsulator: &Decapsulator) -> String {
    let attached = decapsulator.attached();
    let Attached { name, reason, .. } = attached;
    format!("unwrapping tunnel packets at {name} ({}: {reason})", attached.mode())
}

/// The link of the decapsulator before, if the service manager has kept one over a restart.
fn kept_link() -> Option<KeptLink> {
    descriptor_store::passed()
        .into_iter()
        .filter_map(|(number, name)| KeptLink::passed(number, &name))
        // Others are closed.
        .fold(None, |_, link| Some(link))
}

/// Gives the link to the service manager, which keeps it while this unit restarts, and drops it when
/// the unit is stopped. `before` is the name of the one that it has, which is dead.
fn keep(decapsulator: &Decapsulator, before: Option<&str>) -> Option<String> {
    let (name, link) = decapsulator.link()?;
    let kept = descriptor_store::forget(before).and_then(|()| descriptor_store::keep(&name, link));
    match kept {
        Ok(is_kept) => is_kept.then_some(name),
        Err(error) => {
            tracing::warn!(
                %error,
                "the service manager does not keep the program attached: a restart loses packets"
            );
            None
        }
    }
}

/// Attaches the program again when it is gone, and says so; what stays wrong is said once. Says whether
/// it was attached.
fn restore(decapsulator: &mut Decapsulator, status: &mut String) -> bool {
    match decapsulator.restore() {
        Ok(false) => return false,
        Ok(true) => {
            *status = status_of(decapsulator);
            tracing::warn!("the program was detached, and is attached again: {status}");
            return true;
        }
        Err(error) => {
            let now = format!("NOT unwrapping tunnel packets: {:#}", anyhow::Error::new(error));
            if *status != now {
                tracing::error!("{now}; trying every second");
                *status = now;
            }
        }
    }
    false
}

/// Takes over what has changed of the host's addresses.
fn refreshed(decapsulator: &mut Decapsulator) {
    match decapsulator.refresh() {
        Ok(true) => report_vips(decapsulator),
        Ok(false) => {}
        Err(error) => tracing::error!("{:#}", anyhow::Error::new(error)),
    }
}

/// Says what packets in tunnels may be for.
fn report_vips(decapsulator: &Decapsulator) {
    let vips: Vec<String> = decapsulator.vips().iter().map(IpNet::to_string).collect();
    if vips.is_empty() {
        tracing::warn!(
            "this host has no VIP, so nothing is unwrapped: add it to lo (ip address add VIP/32 dev lo), \
             or name it (--vip VIP, --config FILE)"
        );
    } else {
        tracing::info!("VIPs of tunnel packets: {}", vips.join(", "));
    }
}

/// Says what has been refused, when that is more than what was `said` last.
fn report_refused(decapsulator: &Decapsulator, said: &mut String) {
    match decapsulator.refused() {
        Ok(refused) if refused.is_empty() => {}
        Ok(refused) => {
            let now = format!("; refused: {}", shown(&refused));
            if now != *said {
                tracing::warn!("packets dropped since the start: {}", shown(&refused));
                *said = now;
            }
        }
        Err(error) => tracing::error!("{:#}", anyhow::Error::new(error)),
    }
}

fn shown(counters: &[(&'static str, u64)]) -> String {
    let shown: Vec<String> =
        counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
    shown.join(", ")
}

/// An address, a prefix of addresses, or anybody.
fn sender(text: &str) -> Result<Sender, String> {
    if text == "any" { Ok(Sender::Any) } else { prefix(text).map(Sender::Prefix) }
}

/// An address, or a prefix of addresses.
fn prefix(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| {
        "expected an address or a prefix, for example 172.16.0.0/16 or 2001:db8::1".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sender_turns_the_source_check_off() {
        let parse = |texts: &[&str]| {
            let senders: Vec<_> = texts.iter().map(|text| sender(text).unwrap()).collect();
            allowed(&senders).iter().map(IpNet::to_string).collect::<Vec<_>>()
        };
        assert_eq!(parse(&["172.16.0.0/16", "2001:db8::1"]), ["172.16.0.0/16", "2001:db8::1/128"]);
        assert!(parse(&["any"]).is_empty());
        assert!(parse(&["172.16.0.0/16", "any"]).is_empty());
        assert!(sender("anybody").is_err());
    }
}
