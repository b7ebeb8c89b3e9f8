//! `cargo xtask bench --check`: ratios inside one run against bounds that are checked in. Never times:
//! those are the machine's.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::{part, program::Report};
use crate::workspace::{Workspace, output};

/// Where the bounds are.
const BOUNDS: &str = "tests/bench/bounds.toml";

/// Times that a ratio is measured before it counts as worse: machines have bad moments.
const ATTEMPTS: usize = 3;

/// How long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// Half a minute, with the `xelb` that tests use: its own code is not measured.
    Quick,
    /// As `xelb bench program` does it.
    Whole,
}

impl Speed {
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Quick => &["--packets", "20000", "--batches", "3", "--repetitions", "4"],
            Self::Whole => &[],
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    bound: Vec<Bound>,
}

/// A ratio and the most that it may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    /// What must not become slower.
    row: String,
    flows: String,
    /// What it is compared with.
    against: String,
    against_flows: String,
    /// The most that the ratio may be.
    most: f64,
    /// The same on CPUs of Intel, where it differs: how long memory takes beside a computation is the CPU's.
    most_on_intel: Option<f64>,
    /// Why that.
    reason: String,
}

/// What became of a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Kept(f64),
    Worse(f64),
    Missing,
}

pub(crate) fn check(workspace: &Workspace, speed: Speed) -> Result<()> {
    let is_intel = fs::read_to_string("/proc/cpuinfo")?.contains("GenuineIntel");
    let bounds = on_cpu(read(workspace)?, is_intel);
    let xelb = match speed {
        Speed::Quick => workspace.build_for_tests()?,
        Speed::Whole => {
            part::build(workspace)?;
            workspace.target_dir.join("release/xelb")
        }
    };
    let measure = |bounds: &[&Bound]| -> Result<Report> {
        let (rows, flows) = wanted(bounds);
        let mut bench = workspace.program_at(&xelb);
        bench.args(["bench", "program", "-o", "json", "--case", &rows, "--flows", &flows]);
        let text = output(bench.args(speed.options()))?;
        Report::parse(&serde_json::from_str(&text).context("the report is not JSON")?)
    };
    let outcomes = attempts(&bounds, measure)?;
    for (bound, outcome) in bounds.iter().zip(&outcomes) {
        println!("{}", line(bound, *outcome));
    }
    let worse: Vec<&Bound> = bounds
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Kept(_)))
        .map(|(bound, _)| bound)
        .collect();
    if worse.is_empty() {
        println!("bench: {} ratios are within their bounds", bounds.len());
        return Ok(());
    }
    let names: Vec<String> = worse.iter().map(|bound| format!("{bound}")).collect();
    bail!(
        "worse than {BOUNDS} allows, or not measured: {}; make it quicker again, or change the bound and say \
         why",
        names.join("; ")
    )
}

fn read(workspace: &Workspace) -> Result<Vec<Bound>> {
    let path = workspace.root.join(BOUNDS);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
}

/// The bounds of this kind of CPU.
fn on_cpu(mut bounds: Vec<Bound>, is_intel: bool) -> Vec<Bound> {
    for bound in &mut bounds {
        bound.most = bound.most_on_intel.filter(|_| is_intel).unwrap_or(bound.most);
    }
    bounds
}

fn parse(text: &str) -> Result<Vec<Bound>> {
    let File { bound } = toml::from_str(text).context(BOUNDS)?;
    ensure!(!bound.is_empty(), "{BOUNDS} has no bound");
    for one in &bound {
        ensure!(
            one.most > 0.0
                && one.most_on_intel.is_none_or(|most| most > 0.0)
                && !one.reason.is_empty(),
            "{BOUNDS}: {one}: no bound, or no reason"
        );
    }
    Ok(bound)
}

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { row, flows, against, against_flows, .. } = self;
        write!(formatter, "{row} ({flows}) / {against} ({against_flows})")
    }
}

/// The rows and numbers of flows that bounds are about, as options.
fn wanted(bounds: &[&Bound]) -> (String, String) {
    let rows: BTreeSet<&str> =
        bounds.iter().flat_map(|bound| [&*bound.row, &*bound.against]).collect();
    let flows: BTreeSet<&str> =
        bounds.iter().flat_map(|bound| [&*bound.flows, &*bound.against_flows]).collect();
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(",");
    (list(rows), list(flows))
}

/// Measures all ratios, and those that are worse again: the best attempt counts, since what disturbs
/// makes a program slower and never quicker.
fn attempts(
    bounds: &[Bound],
    mut measure: impl FnMut(&[&Bound]) -> Result<Report>,
) -> Result<Vec<Outcome>> {
    let mut outcomes = vec![Outcome::Missing; bounds.len()];
    for _ in 0..ATTEMPTS {
        let pairs = bounds.iter().zip(&outcomes);
        let open = pairs.filter(|(_, outcome)| !matches!(outcome, Outcome::Kept(_)));
        let open: Vec<&Bound> = open.map(|(bound, _)| bound).collect();
        if open.is_empty() {
            break;
        }
        let report = measure(&open)?;
        for (bound, outcome) in bounds.iter().zip(&mut outcomes) {
            if !matches!(outcome, Outcome::Kept(_)) {
                *outcome = better(*outcome, judge(bound, &report));
            }
        }
    }
    Ok(outcomes)
}

fn judge(bound: &Bound, report: &Report) -> Outcome {
    let Bound { row, flows, against, against_flows, most, .. } = bound;
    match report.ratio((row, flows), (against, against_flows)) {
        Some(ratio) if ratio <= *most => Outcome::Kept(ratio),
        Some(ratio) => Outcome::Worse(ratio),
        None => Outcome::Missing,
    }
}

fn better(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::Worse(first), Outcome::Worse(second)) => Outcome::Worse(first.min(second)),
        (known, Outcome::Missing) => known,
        (_, new) => new,
    }
}

fn line(bound: &Bound, outcome: Outcome) -> String {
    let most = bound.most;
    match outcome {
        Outcome::Kept(ratio) => format!("{bound}: {ratio:.2}, at most {most:.2}"),
        Outcome::Worse(ratio) => {
            format!("{bound}: {ratio:.2}, WORSE than {most:.2} ({})", bound.reason)
        }
        Outcome::Missing => format!("{bound}: NOT MEASURED"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::program::tests::report;

    fn bounds() -> Vec<Bound> {
        parse(
            "[[bound]]\nrow = \"a\"\nflows = \"1\"\nagainst = \"b\"\nagainst_flows = \"1M\"\nmost = 2.0\n\
             reason = \"r\"\n",
        )
        .unwrap()
    }

    fn outcome(ratios: &[&[(&str, &str, f64)]]) -> (Outcome, usize) {
        let mut measured = 0;
        let outcomes = attempts(&bounds(), |_| {
            let cells = ratios[measured.min(ratios.len() - 1)];
            measured += 1;
            Ok(report(cells))
        });
        (outcomes.unwrap()[0], measured)
    }

    #[test]
    fn a_worse_ratio_fails_after_three_attempts() {
        let worse = [("a", "1", 21.0), ("b", "1M", 10.0)];
        let slowest = [("a", "1", 30.0), ("b", "1M", 10.0)];
        assert_eq!(outcome(&[&slowest, &worse, &slowest]), (Outcome::Worse(2.1), 3));
    }

    #[test]
    fn a_missing_ratio_fails() {
        assert_eq!(outcome(&[&[("a", "1", 5.0)]]), (Outcome::Missing, 3));
        assert_eq!(outcome(&[&[("a", "1M", 5.0), ("b", "1M", 5.0)]]), (Outcome::Missing, 3));
    }

    #[test]
    fn a_good_ratio_is_measured_once_and_a_bad_moment_is_forgiven() {
        let good = [("a", "1", 20.0), ("b", "1M", 10.0)];
        let bad = [("a", "1", 30.0), ("b", "1M", 10.0)];
        assert_eq!(outcome(&[&good]), (Outcome::Kept(2.0), 1));
        assert_eq!(outcome(&[&bad, &bad, &good]), (Outcome::Kept(2.0), 3));
        assert_eq!(outcome(&[&[], &good]), (Outcome::Kept(2.0), 2));
    }

    #[test]
    fn the_bounds_of_the_project_can_be_read() {
        let workspace = Workspace::find().unwrap();
        let bounds = read(&workspace).unwrap();
        let all: Vec<&Bound> = bounds.iter().collect();
        assert!(wanted(&all).0.contains("ipip-4in4"), "{bounds:?}");
        assert!(parse("").is_err());
        assert!(parse("[[bound]]\nrow = \"a\"\n").is_err());
    }

    #[test]
    fn cpus_of_intel_have_bounds_of_their_own() {
        let text = "[[bound]]\nrow = \"a\"\nflows = \"1\"\nagainst = \"b\"\nagainst_flows = \"1\"\n\
                    most = 2.0\nmost_on_intel = 3.0\nreason = \"r\"\n";
        let most = |is_intel| on_cpu(parse(text).unwrap(), is_intel)[0].most;
        assert!((most(false) - 2.0).abs() < 0.01 && (most(true) - 3.0).abs() < 0.01);
        assert!(parse(&text.replace("3.0", "0.0")).is_err());
    }
}
