//! `xelb bench sink`.

use std::time::{Duration, Instant};

use clap::Args;
use lb_bench::traffic::{
    Arrived, DURATION_MAX, Sent, Sink, SinkOptions, SinkOutcome, TrafficError,
};
use tokio::signal::unix::{SignalKind, signal};

use super::traffic::rates;
use crate::cli::{
    Attach,
    output::{Format, print},
    progress,
    table::Table,
};

/// How often counters are read.
const LOOK: Duration = Duration::from_millis(100);

/// Count the packets that arrive at an interface
///
/// An XDP program counts packets and bytes by protocol. For IP-in-IP and GUE packets, it counts the
/// inner protocol. It passes packets to the host's network stack. With --drop, it drops TCP and UDP
/// packets, which is faster, but also cuts off SSH sessions through that interface. The command
/// ends after --duration or --count, or on SIGINT or SIGTERM, detaches the program and prints the
/// counts.
///
/// Example: xelb bench sink --interface eth1 --drop --duration 30s
#[derive(Debug, Args)]
pub(crate) struct SinkCommand {
    /// Network interface that packets arrive at
    #[arg(long, value_name = "IFACE")]
    interface: String,
    /// Drop TCP and UDP packets; other packets, such as ARP, are passed
    #[arg(long)]
    drop: bool,
    /// Duration, at most 1h
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// End after this number of TCP and UDP packets
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Also count flows, in 16 MiB of memory
    #[arg(long)]
    count_flows: bool,
    /// UDP port of GUE
    #[arg(long, value_name = "PORT", default_value_t = 6080, value_parser = clap::value_parser!(u16).range(1..))]
    gue_port: u16,
    #[command(flatten)]
    attach: Attach,
    #[command(flatten)]
    format: Format,
}

/// Counts with their times.
struct Watch {
    first: Option<Instant>,
    last: Option<Instant>,
    total: (u64, u64),
}

impl Watch {
    /// Notes the packets and bytes so far.
    fn look(&mut self, now: Instant, before: Instant, measured: (u64, u64)) {
        if measured.0 == self.total.0 {
            return;
        }
        if self.first.is_none() {
            self.first = Some(before);
        }
        self.last = Some(now);
        self.total = measured;
    }

    fn received(&self) -> Sent {
        let time = match (self.first, self.last) {
            (Some(first), Some(last)) => last.duration_since(first),
            _ => Duration::ZERO,
        };
        Sent::new(self.total.0, self.total.1, time)
    }
}

impl SinkCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.check()?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let sink = Sink::start(&SinkOptions {
            interface: self.interface.clone(),
            mode: self.attach.xdp_mode,
            drop: self.drop,
            gue_port: self.gue_port,
            flows: self.count_flows,
        })?;
        if !self.format.is_for_programs() {
            let mode = sink.attached().mode();
            print(&format!("counting at {} ({mode})\n", self.interface))?;
        }
        progress::lasting(self.duration);
        let end = Instant::now() + self.duration;
        let mut watch = Watch { first: None, last: None, total: (0, 0) };
        let mut before = Instant::now();
        let arrived = loop {
            let stopped = tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                () = tokio::time::sleep(LOOK.min(end.saturating_duration_since(before))) => false,
            };
            let (now, arrived) = (Instant::now(), sink.arrived()?);
            watch.look(now, before, arrived.measured());
            before = now;
            let enough = self.count.is_some_and(|count| watch.total.0 >= count);
            if stopped || enough || now >= end {
                break arrived;
            }
        };
        self.show(&sink, &watch, arrived)
    }

    fn check(&self) -> Result<(), TrafficError> {
        let refuse = |option, problem: &str| {
            Err(TrafficError::Usage { option, problem: problem.to_owned() })
        };
        if self.duration.is_zero() || self.duration > DURATION_MAX {
            return refuse("--duration", "must be more than 0 and at most 1h");
        }
        if self.count == Some(0) {
            return refuse("--count", "must be at least 1");
        }
        Ok(())
    }

    fn show(&self, sink: &Sink, watch: &Watch, arrived: Arrived) -> anyhow::Result<()> {
        let outcome = SinkOutcome {
            interface: self.interface.clone(),
            xdp_mode: sink.attached().mode(),
            drop: self.drop,
            received: watch.received(),
            flows: arrived.flows,
            kinds: arrived.kinds,
        };
        self.format.print(&outcome, render)
    }
}

fn render(outcome: &SinkOutcome) -> String {
    let mut table = Table::new(&["TUNNEL", "FAMILY", "PROTOCOL", "PACKETS", "BYTES"]);
    for kind in &outcome.kinds {
        table.row([
            kind.tunnel.to_owned(),
            kind.family.to_owned(),
            kind.protocol.to_owned(),
            kind.packets.to_string(),
            kind.bytes.to_string(),
        ]);
    }
    let [packets, bytes, per_second, megabits] = rates(&outcome.received);
    let flows = outcome.flows.map(|flows| format!("flows {flows}\n")).unwrap_or_default();
    format!(
        "{}TCP and UDP: {packets} packets, {bytes} bytes in {:.1} s: {per_second} packets/s, {megabits} \
         Mbit/s\n{flows}",
        table.render("nothing arrived"),
        outcome.received.seconds
    )
}
