//! `xelb bench program`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use lb_bench::{
    self as bench, Options, Source,
    cases::{CASES, Case, FLOWS, Flows, Memory, Reference},
    report::{Cell, Report, Row},
};
use lb_common::generate::CONNECTION_PACKETS;

use crate::cli::{output::Format, table::Table};

/// Measure the cost of the program per packet, in nanoseconds
///
/// It loads the balancer's program with its own maps, attaches it to no interface, and runs it on
/// packets of a generator. It measures the cost of the generator, too, and subtracts it. After each
/// measurement, it checks with the program's counters that every packet was forwarded. It needs
/// root and keeps one CPU busy. With default options, it takes about a minute and 1.5 GB of memory.
/// The result is the cost of the program alone, without drivers, interrupts and the wire.
///
/// In addition to the cases of the balancer, there are programs for comparison: `swap-macs` only
/// sends frames back, `constant-header` puts the same header before each frame, and `lru-hash`
/// looks up flows as other balancers do.
///
/// Example: xelb bench program --case ipip-4in4,constant-header --flows 1,1M
///
/// Example: xelb bench program --live --listener 203.0.113.10:80 -o json
#[derive(Debug, Args)]
pub(in crate::cli) struct Program {
    /// Cases to measure [default: all]
    #[arg(long = "case", value_name = "NAME", value_delimiter = ',', value_parser = row())]
    rows: Vec<Chosen>,
    /// Numbers of flows [default: all]. With `all-new`, every packet opens a flow
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', value_parser = flows())]
    flows: Vec<Flows>,
    /// Number of targets of each target group
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..16_384))]
    targets: u16,
    /// Packets per batch; percentiles are those of batches
    #[arg(long, value_name = "NUMBER", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    packets: u32,
    /// Batches per case and number of flows in each repetition
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    batches: u32,
    /// Number of repetitions of all measurements
    #[arg(long, value_name = "NUMBER", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// Time limit in seconds; the remaining repetitions are skipped then
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit: u64,
    /// CPU to run on [default: the CPU that it is started on]
    #[arg(long, value_name = "NUMBER")]
    cpu: Option<usize>,
    /// Measure a copy of the maps of the running data path instead of a synthetic configuration
    #[arg(long)]
    live: bool,
    /// Folder where the maps of the running data path are pinned
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/xelb", requires = "live")]
    bpffs: PathBuf,
    /// Listener that packets are sent to [default: the first eight]
    #[arg(long = "listener", value_name = "ADDRESS:PORT", requires = "live")]
    listeners: Vec<SocketAddr>,
    #[command(flatten)]
    format: Format,
}

/// What can be chosen by name.
#[derive(Clone, Copy, Debug)]
enum Chosen {
    Case(Case),
    Reference(Reference),
}

fn row() -> impl clap::builder::TypedValueParser<Value = Chosen> {
    let references = Reference::ALL.iter().map(|reference| reference.name());
    PossibleValuesParser::new(CASES.iter().map(|case| case.name).chain(references)).try_map(
        |name| {
            let case = CASES.iter().find(|case| case.name == name).copied().map(Chosen::Case);
            let reference = Reference::ALL.iter().find(|one| one.name() == name).copied();
            case.or(reference.map(Chosen::Reference)).ok_or("no such case")
        },
    )
}

fn flows() -> impl clap::builder::TypedValueParser<Value = Flows> {
    PossibleValuesParser::new(FLOWS.iter().map(|flows| flows.name)).try_map(|name| {
        FLOWS.iter().find(|flows| flows.name == name).copied().ok_or("no such number of flows")
    })
}

impl Program {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let report = bench::measure(&self.options()?, progress(self.repetitions))?;
        self.format.print(&report, render)
    }

    fn options(&self) -> Result<Options, bench::BenchError> {
        let all = self.rows.is_empty();
        let mut cases: Vec<Case> = if all { CASES.to_vec() } else { Vec::new() };
        let mut references = if all { Reference::ALL.to_vec() } else { Vec::new() };
        for chosen in &self.rows {
            match chosen {
                Chosen::Case(case) if !cases.contains(case) => cases.push(*case),
                Chosen::Reference(one) if !references.contains(one) => references.push(*one),
                _ => {}
            }
        }
        let source = if self.live {
            if let (false, Some(case)) = (all, cases.first()) {
                return Err(bench::BenchError::Usage(format!(
                    "--case {}: --live measures listeners instead of cases; choose them with \
                     --listener",
                    case.name
                )));
            }
            Source::Live { folder: self.bpffs.clone(), listeners: self.listeners.clone() }
        } else {
            Source::Synthetic { cases, targets: self.targets }
        };
        Ok(Options {
            source,
            references,
            flows: if self.flows.is_empty() { FLOWS.to_vec() } else { self.flows.clone() },
            packets: self.packets,
            batches: self.batches,
            repetitions: self.repetitions,
            time_limit: Duration::from_secs(self.time_limit),
            cpu: self.cpu,
        })
    }
}

/// Says how far it is, to people.
fn progress(repetitions: u32) -> impl FnMut(u32) + Send {
    move |repetition| {
        let mut errors = io::stderr();
        if errors.is_terminal() {
            // A closed standard error is ignored.
            let _written = write!(errors, "\rrepetition {repetition} of {repetitions} ");
            if repetition == repetitions {
                let _written = writeln!(errors);
            }
        }
    }
}

fn render(report: &Report) -> String {
    let Report { conditions, method, rows, .. } = report;
    let targets = match method.targets {
        0 => String::new(),
        targets => format!(", {targets} targets per group"),
    };
    let early = if method.ended_early { "; the time limit ended it early" } else { "" };
    let head = format!(
        "nanoseconds per packet, without the generator: median (lowest to 90th percentile) of \
         batches of {} packets\n{}, Linux {}, CPU {}; {} configuration{targets}\n{} repetitions \
         of {} batches in {} s{early}; machine code of the program: {} bytes\n\n",
        method.packets,
        conditions.cpu,
        conditions.kernel,
        method.cpu,
        method.configuration,
        method.repetitions,
        method.batches,
        method.seconds,
        report.machine_code_bytes
    );
    let flows = rows.first().map_or(&[][..], |row| &row.cells);
    let headlines: Vec<&str> =
        std::iter::once("CASE").chain(flows.iter().map(|cell| cell.flows.as_str())).collect();
    let mut table = Table::new(&headlines);
    for row in rows {
        table.row(std::iter::once(row.name.clone()).chain(row.cells.iter().map(shown)));
    }
    head + &table.render("nothing was measured") + &notes(rows)
}

fn shown(cell: &Cell) -> String {
    if cell.samples == 0 {
        return "-".to_owned();
    }
    let of = &cell.nanoseconds;
    format!("{:.1} ({:.1} to {:.1})", of.p50, of.min, of.p90)
}

/// New connections a second, where whole ones were measured, and why listeners have no numbers.
fn notes(rows: &[Row]) -> String {
    let whole = rows.iter().filter(|row| row.memory == Memory::Whole.name());
    let measured = whole.flat_map(|row| row.cells.iter().map(move |cell| (row, cell)));
    let rates = measured.filter(|(_, cell)| cell.samples > 0).map(|(row, cell)| {
        let nanoseconds = f64::from(CONNECTION_PACKETS) * cell.nanoseconds.p50;
        let rate = 1e9 / nanoseconds.max(1.0);
        format!(
            "{}: {rate:.0} new connections per second on this CPU, {CONNECTION_PACKETS} packets \
             each\n",
            row.name
        )
    });
    rates.chain(left_out(rows)).collect()
}

fn left_out(rows: &[Row]) -> impl Iterator<Item = String> {
    let listeners = rows.iter().filter(|row| row.mode.is_empty() && row.kind == "program");
    let cells = listeners.flat_map(|row| row.cells.iter().map(move |cell| (row, cell)));
    cells.filter_map(|(row, cell)| {
        let why = cell.left_out.as_ref()?;
        Some(format!("{}, {} flows: skipped: {why}\n", row.name, cell.flows))
    })
}

#[cfg(test)]
mod tests {
    use lb_bench::report::Summary;

    use super::*;

    #[test]
    fn skipped_measurements_are_explained_for_listeners() {
        let nanoseconds = Summary { min: 40.0, p50: 41.25, p90: 50.0, p99: 60.0, max: 60.0 };
        let measured = Cell { flows: "1k".to_owned(), samples: 9, nanoseconds, ..Cell::default() };
        let why = Some("dropped".to_owned());
        let missing = Cell { flows: "1k".to_owned(), left_out: why, ..Cell::default() };
        let row = |name: &str, mode: &str, cell: &Cell| Row {
            name: name.to_owned(),
            kind: "program".to_owned(),
            mode: mode.to_owned(),
            cells: vec![cell.clone()],
            ..Row::default()
        };
        let rows = vec![
            row("ipip-4in4", "ipip", &measured),
            row("nat-ipv4", "nat", &missing),
            row("203.0.113.10:80/tcp", "", &missing),
        ];
        let text = render(&Report { rows, ..Report::default() });
        assert!(text.contains("ipip-4in4            41.2 (40.0 to 50.0)\n"), "{text}");
        assert!(text.contains("nat-ipv4             -\n"), "{text}");
        assert!(text.ends_with("203.0.113.10:80/tcp, 1k flows: skipped: dropped\n"), "{text}");
    }
}
