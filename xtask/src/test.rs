//! `cargo xtask test`: every check and test of the project, as stages in order.
//!
//! After a failed stage, the others still run, unless an option says otherwise. It ends with the
//! slowest tests, a table of stages and one closing line. What a stage does is a row of
//! [`stage::STAGES`].

mod dependencies;
mod kernels;
mod package;
mod programs;
mod stage;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use self::stage::{Environment, Stage};
use crate::setup;
use crate::workspace::{Workspace, human, is_root};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The stages to run, in their usual order; all of them if none is named
    #[arg(value_name = "STAGE", value_parser = stage::parse)]
    stages: Vec<&'static Stage>,

    /// The stages for a quick look while working: no root, under three minutes
    #[arg(long, conflicts_with = "stages")]
    quick: bool,

    /// Stop at the first stage that fails
    #[arg(long)]
    fail_fast: bool,

    /// Privileged tests that run at the same time [default: by the stage]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..))]
    threads: Option<u8>,
}

/// Tests that are named at the end, since they take the most time.
const SLOWEST_SHOWN: usize = 10;

/// What became of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotRun,
}

/// A line of the closing table.
struct Row {
    stage: &'static str,
    outcome: Outcome,
    duration: Duration,
    /// Why it failed.
    error: String,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let stages = stage::selected(&arguments.stages, arguments.quick);
    let privileged: Vec<&str> =
        stages.iter().filter(|stage| stage.privileged).map(|stage| stage.name).collect();
    if !privileged.is_empty() && !is_root()? {
        bail!(
            "{} make network namespaces and load BPF programs: run this as root, or name other \
             stages (`cargo xtask test --help` lists them)",
            privileged.join(", ")
        );
    }
    let environment = Environment::new(workspace, arguments.threads);
    let mut rows: Vec<Row> = Vec::new();
    let count = stages.len();
    for (number, stage) in stages.into_iter().enumerate() {
        let skip = arguments.fail_fast && rows.iter().any(|row| row.outcome == Outcome::Failed);
        if skip {
            rows.push(not_run(stage));
            continue;
        }
        let since = human(start.elapsed());
        println!(
            "\n==== {} ({} of {count}, after {since}): {}",
            stage.name,
            number + 1,
            stage.purpose
        );
        rows.push(run_stage(stage, &environment));
    }
    let timed = environment.timed.borrow();
    if !timed.is_empty() {
        print!("\nThe slowest tests:\n{}", programs::slowest(&timed, SLOWEST_SHOWN));
    }
    print!("{}{}", failures(&rows), table(&rows));
    closing(&rows, start.elapsed()).map(|line| println!("{line}"))
}

fn not_run(stage: &Stage) -> Row {
    let (outcome, duration) = (Outcome::NotRun, Duration::ZERO);
    Row { stage: stage.name, outcome, duration, error: String::new() }
}

fn run_stage(stage: &Stage, environment: &Environment<'_>) -> Row {
    let start = Instant::now();
    let result = setup::ensure(environment.workspace, stage.needs)
        .and_then(|()| (stage.action)(environment));
    let duration = start.elapsed();
    let (outcome, error) = match result {
        Ok(()) => {
            println!("==== {}: passed ({})", stage.name, human(duration));
            (Outcome::Passed, String::new())
        }
        Err(error) => {
            println!("==== {}: FAILED ({}): {error:#}", stage.name, human(duration));
            (Outcome::Failed, format!("{error:#}"))
        }
    };
    Row { stage: stage.name, outcome, duration, error }
}

/// Why stages failed, once more at the end: a reader of the last lines needs no more.
fn failures(rows: &[Row]) -> String {
    let mut text = String::new();
    for Row { stage, error, .. } in rows.iter().filter(|row| row.outcome == Outcome::Failed) {
        // Writing to a string does not fail.
        let _written = write!(text, "\n{stage} failed: {error}\n");
    }
    text
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from("\n");
    for Row { stage, outcome, duration, .. } in rows {
        let (word, duration) = match outcome {
            Outcome::Passed => ("passed", human(*duration)),
            Outcome::Failed => ("FAILED", human(*duration)),
            Outcome::NotRun => ("not run", String::new()),
        };
        let line = format!("{stage:<12} {word:<8} {duration:>12}");
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

/// The last line; an error if any stage failed.
fn closing(rows: &[Row], duration: Duration) -> Result<String> {
    let with = |outcome| rows.iter().filter(move |row| row.outcome == outcome);
    let failed: Vec<&str> = with(Outcome::Failed).map(|row| row.stage).collect();
    let passed = with(Outcome::Passed).count();
    let duration = human(duration);
    if failed.is_empty() {
        let plural = if passed == 1 { "stage" } else { "stages" };
        return Ok(format!("test: {passed} {plural} passed ({duration})"));
    }
    bail!("test: FAILED: {} ({passed} of {} passed, {duration})", failed.join(", "), rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stage: &'static str, outcome: Outcome, seconds: u64) -> Row {
        let error = if outcome == Outcome::Failed { "two warnings" } else { "" };
        Row { stage, outcome, duration: Duration::from_secs(seconds), error: error.to_owned() }
    }

    #[test]
    fn the_table_has_a_line_for_every_stage() {
        let rows = [
            row("fmt", Outcome::Passed, 1),
            row("clippy", Outcome::Failed, 75),
            row("unit", Outcome::NotRun, 0),
        ];
        let expected = "\nfmt          passed          1.0 s\n\
                        clippy       FAILED     1 min 15 s\n\
                        unit         not run\n";
        assert_eq!(table(&rows), expected);
        assert_eq!(failures(&rows), "\nclippy failed: two warnings\n");
    }

    #[test]
    fn the_closing_line_names_what_failed() {
        let second = Duration::from_secs(1);
        let passed = [row("fmt", Outcome::Passed, 1), row("unit", Outcome::Passed, 1)];
        assert_eq!(closing(&passed, second).unwrap(), "test: 2 stages passed (1.0 s)");
        assert_eq!(closing(&passed[..1], second).unwrap(), "test: 1 stage passed (1.0 s)");
        let failed = [row("fmt", Outcome::Failed, 1), row("unit", Outcome::NotRun, 0)];
        let message = closing(&failed, second).unwrap_err().to_string();
        assert_eq!(message, "test: FAILED: fmt (0 of 2 passed, 1.0 s)");
    }
}
