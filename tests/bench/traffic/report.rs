//! PURE: the results, as JSON and as tables for people.

use std::{fmt, path::Path};

use serde::Serialize;

/// Everything that was measured, with its conditions.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Interleaved repetitions.
    pub(crate) repetitions: usize,
    /// Length of each.
    pub(crate) seconds: u64,
    /// Packets per second.
    pub(crate) packets: Vec<PacketRow>,
    /// Connections per second.
    pub(crate) connections: Vec<ConnectionRow>,
    /// What could not be measured here.
    pub(crate) absent: Vec<Absent>,
}

/// A balancer with a number of flows.
#[derive(Debug, Serialize)]
pub(crate) struct PacketRow {
    pub(crate) name: String,
    pub(crate) flows: String,
    /// Millions of packets per second that arrived.
    pub(crate) mpps: Spread,
    /// The same per second of CPU time.
    pub(crate) mpps_per_cpu_second: Spread,
    /// Packets sent that did not arrive.
    pub(crate) lost_percent: Spread,
    /// What else the core did meanwhile.
    pub(crate) others_percent: Spread,
}

/// A way to the same web servers.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionRow {
    pub(crate) name: String,
    /// Connections, each with one request, per second.
    pub(crate) per_second: Spread,
    /// CPU time of the whole machine for a connection, clients and servers included.
    pub(crate) cpu_microseconds: Spread,
}

/// Something that could not be measured.
#[derive(Debug, Serialize)]
pub(crate) struct Absent {
    pub(crate) name: &'static str,
    pub(crate) why: String,
}

/// Median, lowest and highest of the repetitions.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or_default();
        Self { median: at(values.len() / 2), low: at(0), high: at(values.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.high < 100.0 { 2 } else { 0 };
        let Self { median, low, high } = self;
        write!(formatter, "{median:.digits$} ({low:.digits$} to {high:.digits$})")
    }
}

/// What xelb is meant to reach.
struct Goal {
    name: &'static str,
    /// Row that is judged and row that it is compared with: name and flows.
    rows: [(&'static str, &'static str); 2],
    least: f64,
}

const GOALS: [Goal; 2] = [
    Goal {
        name: "xelb ipip, 1M flows, of plain XDP_TX, per CPU second",
        rows: [("xelb ipip", "1M"), ("plain XDP_TX", "1M")],
        least: 0.85,
    },
    Goal {
        name: "xelb ipip, 1M flows, of nftables DNAT, 1k flows, per CPU second",
        rows: [("xelb ipip", "1M"), ("nftables DNAT", "1k")],
        least: 7.0,
    },
];

impl Results {
    pub(super) fn new(repetitions: usize, seconds: u64) -> Self {
        let kernel = nix::sys::utsname::uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_default();
        let (packets, connections) = (Vec::new(), Vec::new());
        Self { kernel, repetitions, seconds, packets, connections, absent: absent() }
    }

    fn write(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            text,
            "median (lowest to highest) of {} interleaved repetitions of {} s; kernel {}",
            self.repetitions, self.seconds, self.kernel
        )?;
        if !self.packets.is_empty() {
            self.write_packets(text)?;
        }
        if !self.connections.is_empty() {
            writeln!(text, "\n| connections | per second | us of CPU each |\n|---|---|---|")?;
            for row in &self.connections {
                writeln!(text, "| {} | {} | {} |", row.name, row.per_second, row.cpu_microseconds)?;
            }
        }
        writeln!(text)?;
        for one in &self.absent {
            writeln!(text, "not measured: {}: {}", one.name, one.why)?;
        }
        Ok(())
    }

    fn write_packets(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            text,
            "\n| frames of 60 bytes | flows | Mpps | Mpps per CPU second | lost % | core busy with \
             others % |\n|---|---|---|---|---|---|"
        )?;
        for row in &self.packets {
            let PacketRow { name, flows, mpps, mpps_per_cpu_second, lost_percent, others_percent } =
                row;
            writeln!(
                text,
                "| {name} | {flows} | {mpps} | {mpps_per_cpu_second} | {lost_percent} | \
                 {others_percent} |"
            )?;
        }
        writeln!(text)?;
        for goal in &GOALS {
            let [judged, other] = goal.rows.map(|(name, flows)| {
                self.packets.iter().find(|row| row.name == name && row.flows == flows)
            });
            let (Some(judged), Some(other)) = (judged, other) else { continue };
            let ratio = judged.mpps_per_cpu_second.median / other.mpps_per_cpu_second.median;
            let word = if ratio >= goal.least { "reached" } else { "missed" };
            writeln!(text, "{}: {ratio:.2} (goal {:.2}: {word})", goal.name, goal.least)?;
        }
        Ok(())
    }
}

impl fmt::Display for Results {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter)
    }
}

/// What cannot be compared with, and why. Where it could be, that is said.
fn absent() -> Vec<Absent> {
    let here = |path: &str, reason: &str| {
        if Path::new(path).exists() {
            format!("{path} is there, but this does not measure it yet")
        } else {
            format!("{path} is not there: {reason}")
        }
    };
    vec![
        Absent { name: "IPVS", why: here("/proc/net/ip_vs", "the kernel is built without it") },
        Absent { name: "pktgen", why: here("/proc/net/pktgen", "the kernel is built without it") },
        Absent {
            name: "Katran",
            why:
                "no package has it; its numbers in docs/performance.md are of its BPF program alone"
                    .to_owned(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!(spread.to_string(), "2.00 (1.00 to 3.00)");
        assert_eq!(Spread::of([200.0, 100.0].into_iter()).to_string(), "200 (100 to 200)");
    }

    #[test]
    fn goals_are_judged_by_medians() {
        let row = |name: &str, flows: &str, value: f64| {
            let spread = Spread::of(std::iter::once(value));
            PacketRow {
                name: name.to_owned(),
                flows: flows.to_owned(),
                mpps: spread,
                mpps_per_cpu_second: spread,
                lost_percent: spread,
                others_percent: spread,
            }
        };
        let mut results = Results::new(1, 1);
        results.packets = vec![
            row("plain XDP_TX", "1M", 3.0),
            row("xelb ipip", "1M", 2.7),
            row("nftables DNAT", "1k", 0.4),
        ];
        let text = results.to_string();
        assert!(text.contains("0.90 (goal 0.85: reached)"), "{text}");
        assert!(text.contains("6.75 (goal 7.00: missed)"), "{text}");
    }
}
