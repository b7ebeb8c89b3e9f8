//! `cargo xtask test`: every check and test of the project, as stages in order.
//!
//! After a failed stage, the others still run, unless an option says otherwise. Stages that only compute go on
//! beside those that mostly wait. It ends with the slowest tests, a table of stages and one closing line. What a stage does is a row of
//! [`stage::STAGES`].

mod beside;
mod dependencies;
mod kernels;
mod package;
mod programs;
mod stage;

use std::fmt::Write as _;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Result, bail};
use clap::Args;

use self::beside::{Beside, Done};
use self::stage::{Action, Environment, Stage};
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
    /// It goes on beside others.
    Running,
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
    let mut environment = Environment::new(workspace, arguments.threads);
    let mut beside = Beside::new(workspace);
    let mut rows: Vec<Row> = Vec::new();
    let count = stages.len();
    for (number, stage) in stages.iter().enumerate() {
        let waits_behind = stages.iter().skip(number).any(|later| later.waits);
        // What only computes is over before anything is measured.
        for done in beside.collect(!waits_behind)? {
            collected(done, &mut rows, &mut environment);
        }
        if arguments.fail_fast && rows.iter().any(|row| row.outcome == Outcome::Failed) {
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
        let place = waits_behind.then_some((&mut beside, number));
        rows.push(run_stage(stage, &environment, place));
    }
    for done in beside.collect(true)? {
        collected(done, &mut rows, &mut environment);
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

/// Runs it here, or, with a `place` in the table and when that is its kind, leaves its work to go on beside others.
fn run_stage(
    stage: &Stage,
    environment: &Environment<'_>,
    place: Option<(&mut Beside, usize)>,
) -> Row {
    let start = Instant::now();
    let result = setup::ensure(environment.workspace, stage.needs).and_then(|()| {
        match (&stage.action, place) {
            (Action::Here(action), _) => action(environment).map(|()| None),
            (Action::Beside(prepare), None) => {
                prepare(environment)?(&mut io::stdout(), &mut environment.timed.borrow_mut())
                    .map(|()| None)
            }
            (Action::Beside(prepare), Some((beside, row))) => {
                beside.start(row, stage.name, prepare(environment)?).map(Some)
            }
        }
    });
    let result = match result {
        Ok(Some(log)) => {
            println!(
                "==== {}: goes on beside the next stages; it writes to {}",
                stage.name,
                log.display()
            );
            let outcome = Outcome::Running;
            return Row {
                stage: stage.name,
                outcome,
                duration: Duration::ZERO,
                error: String::new(),
            };
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    finished(stage.name, result, start.elapsed())
}

/// Shows what work beside others has printed, and completes its row.
fn collected(done: Done, rows: &mut [Row], environment: &mut Environment<'_>) {
    let Done { row, outcome, timed, duration, log } = done;
    let name = rows[row].stage;
    println!("\n==== {name}, which went on beside others:");
    let printed = fs::read_to_string(&log);
    print!("{}", printed.unwrap_or_else(|error| format!("{}: {error}\n", log.display())));
    environment.timed.get_mut().extend(timed);
    rows[row] = finished(name, outcome, duration);
}

/// Says how a stage ended.
fn finished(stage: &'static str, result: Result<()>, duration: Duration) -> Row {
    let (outcome, error) = match result {
        Ok(()) => {
            println!("==== {stage}: passed ({})", human(duration));
            (Outcome::Passed, String::new())
        }
        Err(error) => {
            println!("==== {stage}: FAILED ({}): {error:#}", human(duration));
            (Outcome::Failed, format!("{error:#}"))
        }
    };
    Row { stage, outcome, duration, error }
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
            Outcome::Running => ("running", String::new()),
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
