//! `xelb bench traffic`.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use data_encoding::HEXLOWER_PERMISSIVE;
use ipnet::IpNet;
use lb_bench::traffic::{
    EgressPath, Mix, Plan, Request, Sent, SinkOptions, Task, TrafficOutcome, Transport,
};
use lb_dataplane::XdpMode;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{
    output::{Format, print},
    progress,
    table::Table,
};

/// Send packets out of an interface at a steady rate, to measure a balancer
///
/// The kernel generates the packets (XDP live frames, Linux 5.18). They bypass its network stack:
/// sockets, firewall rules and connection tracking do not see them. They belong to --flows flows in
/// turn, which differ in source address and port. Lengths and checksums are correct. TCP packets
/// are ACKs of established connections; with --syn-flood, they are SYNs, each of a new flow. Sizes
/// include the Ethernet header, but not the frame check sequence.
///
/// A run ends after --duration (at most 1 h), after --count packets, or on SIGINT, and prints its
/// results in each case. Send only to hosts that you may load.
///
/// A veth sends such packets only if its peer has an XDP program, for example `xelb bench sink`.
/// Some drivers need a program on the sending interface: see --hold-program.
///
/// Example: xelb bench traffic --interface eth1 --to 203.0.113.10:80 --flows 1000000
///
/// Example: xelb bench traffic --interface eth1 --to 203.0.113.10:80 --syn-flood --sink eth2
#[derive(Debug, Args)]
pub(crate) struct Traffic {
    /// Network interface that packets leave by
    #[arg(long, value_name = "IFACE")]
    interface: String,
    /// Destination of the packets, usually a listener
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
    /// MAC address of the next hop [default: next hop of the route to the destination]
    #[arg(long, value_name = "MAC", value_parser = mac)]
    mac: Option<Mac>,
    /// Prefix of the source addresses [default: network of the interface]
    #[arg(long, value_name = "PREFIX")]
    from: Option<IpNet>,
    /// `tcp` or `udp`
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp")]
    protocol: Transport,
    /// Number of flows, used in turn [default: 1000]
    #[arg(long, value_name = "N")]
    flows: Option<u64>,
    /// Every packet is the SYN of a new flow
    #[arg(long)]
    syn_flood: bool,
    /// Packets per second, or `max`: as fast as possible
    #[arg(long, value_name = "N", default_value = "10000", value_parser = rate)]
    rate: Rate,
    /// Bytes of a frame from the Ethernet header on, without FCS; or `imix`: 7 parts as short as
    /// possible, 4 of 590 bytes, 1 of 1514 [default: 60 for IPv4, 80 for IPv6]
    #[arg(long, value_name = "BYTES")]
    size: Option<Mix>,
    /// Duration, at most 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Maximum number of packets
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Number of CPUs that send; they share flows, rate and count
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Attach a program that passes all packets to the interface during the run; some drivers send
    /// XDP frames only then
    #[arg(long)]
    hold_program: bool,
    /// Count received and lost packets at this interface of the same machine; TCP and UDP packets
    /// are dropped there
    #[arg(long, value_name = "IFACE")]
    sink: Option<String>,
    /// Network namespace of --sink: a name of `ip netns`, or a path
    #[arg(long, value_name = "NAMESPACE", requires = "sink")]
    sink_netns: Option<String>,
    /// Also count flows at the sink, in 16 MiB of memory
    #[arg(long, requires = "sink")]
    count_flows: bool,
    /// UDP port of GUE packets at the sink
    #[arg(long, value_name = "PORT", default_value_t = 6080, value_parser = clap::value_parser!(u16).range(1..))]
    gue_port: u16,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, Debug)]
struct Mac([u8; 6]);

/// Packets per second; `None` is as fast as possible.
#[derive(Clone, Copy, Debug)]
struct Rate(Option<u64>);

fn mac(text: &str) -> Result<Mac, String> {
    let wrong = || "expected a MAC address, for example 02:00:00:00:00:01".to_owned();
    let bytes: Vec<Vec<u8>> = text
        .split(':')
        .map(|part| match part.len() {
            // Not `u8::from_str_radix`, which takes a sign.
            2 => HEXLOWER_PERMISSIVE.decode(part.as_bytes()).map_err(|_| wrong()),
            _ => Err(wrong()),
        })
        .collect::<Result<_, _>>()?;
    bytes.concat().try_into().map(Mac).map_err(|_| wrong())
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate(None));
    }
    let wrong = |_| "expected a number of packets per second, or max".to_owned();
    text.parse().map(|rate| Rate(Some(rate))).map_err(wrong)
}

impl Traffic {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = Arc::new(AtomicBool::new(false));
        let (quiet, duration) = (self.format.is_for_programs(), self.duration);
        let (task, format) = self.into_task();
        let run = task.run(
            |plan, path| {
                if !quiet {
                    // The result reports it again, and an error if the reader has gone.
                    let _printed = print(&announcement(plan, path));
                }
                progress::lasting(duration);
            },
            Arc::clone(&stop),
        );
        tokio::pin!(run);
        let outcome = loop {
            tokio::select! {
                outcome = &mut run => break outcome?,
                _ = interrupt.recv() => stop.store(true, Ordering::Relaxed),
                _ = terminate.recv() => stop.store(true, Ordering::Relaxed),
            }
        };
        format.print(&outcome, render)
    }

    fn into_task(self) -> (Task, Format) {
        let namespace = self.sink_netns.map(|name| namespace(&name));
        let (flows, gue_port) = (self.count_flows, self.gue_port);
        let sink = self.sink.map(|interface| {
            let options =
                SinkOptions { interface, mode: XdpMode::Auto, drop: true, gue_port, flows };
            (options, namespace)
        });
        let shortest = Mix::Fixed(Mix::length_min(self.to.is_ipv6()));
        let request = Request {
            to: self.to,
            from: self.from,
            transport: self.protocol,
            flows: self.flows,
            syn_flood: self.syn_flood,
            rate: self.rate.0,
            mix: self.size.unwrap_or(shortest),
            duration: self.duration,
            count: self.count,
            threads: self.threads,
        };
        let mac = self.mac.map(|mac| mac.0);
        let hold = self.hold_program;
        (Task { interface: self.interface, mac, request, hold, sink }, self.format)
    }
}

/// The file of a network namespace: names are those of `ip netns`.
fn namespace(name: &str) -> PathBuf {
    if name.contains('/') { name.into() } else { PathBuf::from("/run/netns").join(name) }
}

fn announcement(plan: &Plan, path: &EgressPath) -> String {
    let rate = plan.rate.map_or_else(|| "as many as possible".to_owned(), |rate| rate.to_string());
    let mac = path.destination_mac.map(|byte| format!("{byte:02x}")).join(":");
    let kind = if plan.syn { "SYNs, each a new flow," } else { plan.transport.name() };
    format!(
        "sending {kind} to {} ({mac}) from {}: {} flows, \
         size {}, {rate} packets/s, for at most {}\n",
        plan.to,
        plan.from,
        plan.flows,
        plan.mix,
        humantime::format_duration(plan.duration),
    )
}

pub(super) fn rates(sent: &Sent) -> [String; 4] {
    [
        sent.packets.to_string(),
        sent.bytes.to_string(),
        format!("{:.0}", sent.packets_per_second),
        format!("{:.1}", sent.megabits_per_second),
    ]
}

fn render(outcome: &TrafficOutcome) -> String {
    let mut table = Table::new(&["", "PACKETS", "BYTES", "PACKETS/S", "MBIT/S"]);
    let row = |name: &str, cells: [String; 4]| [name.to_owned()].into_iter().chain(cells);
    table.row(row("sent", rates(&outcome.sent)));
    if let Some(received) = &outcome.received {
        // Over the time of sending: it is the same packets.
        let time = Duration::from_secs_f64(outcome.sent.seconds);
        table.row(row("received", rates(&Sent::new(received.packets, received.bytes, time))));
    }
    let mut text = table.render("nothing");
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some(lost) = outcome.lost {
        add(format!("lost {lost}"));
    }
    if let Some(flows) = outcome.received.as_ref().and_then(|received| received.flows) {
        add(format!("flows sent {}, received {flows}", outcome.flows));
    }
    add(format!(
        "{} counted {} sent and {} dropped meanwhile",
        outcome.interface, outcome.transmitted, outcome.refused
    ));
    if outcome.sent.packets > 0 && outcome.transmitted == 0 {
        add(format!(
            "no packet seems to have left {}: a veth needs an XDP program at its peer (xelb bench \
             sink), some drivers need --hold-program, and some do not count such packets",
            outcome.interface
        ));
    }
    if outcome.stopped {
        add("stopped early".to_owned());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_and_rates_are_read() {
        assert_eq!(mac("02:00:00:00:00:fF").map(|mac| mac.0), Ok([2, 0, 0, 0, 0, 255]));
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "2:0:0:0:0:1", "02:00:00:00:00:+1"]
        {
            assert!(mac(text).is_err(), "{text}");
        }
        assert_eq!(rate("max").map(|rate| rate.0), Ok(None));
        assert_eq!(rate("10").map(|rate| rate.0), Ok(Some(10)));
        for text in ["", "-1", "1k", "1.5", "99999999999999999999"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
