//! Test programs: built by Cargo, run by us, so that building and running are separate, every test
//! has its time, and a failed test is shown with the command that runs it alone.
//!
//! It knows libtest's lines, and nothing of what is tested.

use std::env;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::workspace::{Workspace, human};

/// A test and the time that it took.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimedTest {
    /// Its program and its path in it: `network failover::a_dead_target_leaves`.
    pub(super) name: String,
    pub(super) duration: Duration,
}

/// A test program that Cargo has built.
#[derive(Debug, PartialEq)]
pub(super) struct Program {
    /// As Cargo calls its target: `lb_userspace`, `network`.
    pub(super) name: String,
    executable: PathBuf,
    /// The folder of its package, where Cargo would run it.
    package_dir: PathBuf,
    /// What selects it: `--package lb-tests --test network`.
    selection: String,
}

/// What a line of a test program says.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    Passed(&'a str, Duration),
    Failed(&'a str, Duration),
    Other,
}

/// How test programs are run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pass<'a> {
    /// Tests at the same time; as many as libtest thinks if none is said.
    pub(super) threads: Option<usize>,
    /// Which tests, in libtest's words.
    pub(super) filters: &'a [&'a str],
}

/// A test program, and how it is run.
pub(super) type Part<'a> = (&'a Program, Pass<'a>);

/// Runs these groups one after the other, and the parts of a group beside each other. All are run, also after a
/// failure.
///
/// What they say is shown at once, and each test is added to `timed`. An error names the tests that failed.
pub(super) fn run(groups: &[Vec<Part<'_>>], timed: &mut Vec<TimedTest>) -> Result<()> {
    let mut failures = Vec::new();
    let count: usize = groups.iter().map(Vec::len).sum();
    let mut number = 0;
    for group in groups {
        let work = |number: usize, (program, pass): Part<'_>| -> Result<_> {
            let place = format!("{number} of {count}");
            let (mut tests, mut failed) = (Vec::new(), Vec::new());
            run_named(program, pass, &place, &mut io::stdout(), &mut tests, &mut failed)?;
            Ok((tests, failed))
        };
        thread::scope(|scope| -> Result<()> {
            let work = &work;
            let mut running = Vec::new();
            for part in group {
                number += 1;
                running.push(scope.spawn(move || work(number, *part)));
            }
            for one in running {
                let (mut tests, mut failed) =
                    one.join().map_err(|_| anyhow!("a thread has panicked"))??;
                timed.append(&mut tests);
                failures.append(&mut failed);
            }
            Ok(())
        })?;
    }
    closing(&failures)
}

/// Runs many short programs, two at a time: what one says is shown when it is done.
pub(super) fn run_in_pairs(
    programs: &[Program],
    pass: Pass<'_>,
    out: &mut (dyn Write + Send),
    timed: &mut Vec<TimedTest>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((out, timed, Vec::new()));
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(program) = programs.get(number) else {
                return Ok(());
            };
            let place = format!("{} of {}", number + 1, programs.len());
            let (mut said, mut tests, mut failed) = (Vec::new(), Vec::new(), Vec::new());
            run_named(program, pass, &place, &mut said, &mut tests, &mut failed)?;
            let mut results = results.lock().map_err(|_| anyhow!("a thread has panicked"))?;
            results.0.write_all(&said)?;
            results.1.append(&mut tests);
            results.2.append(&mut failed);
        }
    };
    thread::scope(|scope| {
        let both = [scope.spawn(work), scope.spawn(work)];
        both.into_iter()
            .try_for_each(|one| one.join().map_err(|_| anyhow!("a thread has panicked"))?)
    })?;
    let (_, _, failures) = results.into_inner().map_err(|_| anyhow!("a thread has panicked"))?;
    closing(&failures)
}

/// An error that says how each test that failed is run alone.
fn closing(failures: &[String]) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let alone: Vec<String> =
        failures.iter().map(|command| format!("\n  run it alone: {command}")).collect();
    let (count, plural) = (failures.len(), if failures.len() == 1 { "" } else { "s" });
    bail!("{count} failure{plural}{}", alone.concat())
}

/// Runs a program between a line that names it and one with its time.
fn run_named(
    program: &Program,
    pass: Pass<'_>,
    place: &str,
    out: &mut dyn Write,
    timed: &mut Vec<TimedTest>,
    failures: &mut Vec<String>,
) -> Result<()> {
    let shown = format!("{} {}", program.selection, pass.filters.join(" "));
    out.write_all(format!("---- {} ({place})\n", shown.trim_end()).as_bytes())?;
    let start = Instant::now();
    run_program(program, pass, out, timed, failures)?;
    out.write_all(format!("---- {}: {}\n", program.name, human(start.elapsed())).as_bytes())?;
    Ok(())
}

/// Builds the test programs that Cargo's options choose.
pub(super) fn build(workspace: &Workspace, choice: &[&str]) -> Result<Vec<Program>> {
    let mut cargo = workspace.cargo(["test", "--workspace", "--no-run"]);
    cargo.args(choice).args(["--message-format", "json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the tests do not build ({})", output.status);
    let text = String::from_utf8(output.stdout).context("cargo's messages: not UTF-8")?;
    let programs = text.lines().map(program).filter_map(Result::transpose);
    programs.collect()
}

/// The test program that a message of Cargo is about, if it is about one.
fn program(message: &str) -> Result<Option<Program>> {
    let message: Value = serde_json::from_str(message).context("cargo's message is not JSON")?;
    let (Some(executable), Some(true)) =
        (message["executable"].as_str(), message["profile"]["test"].as_bool())
    else {
        return Ok(None);
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = text(&message["target"]["name"]).ok_or_else(|| anyhow!("a target has no name"))?;
    let manifest = text(&message["manifest_path"]).context("a program has no manifest_path")?;
    let package_dir = Path::new(&manifest).parent().context("a manifest has no folder")?.to_owned();
    let folder = package_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let id = message["package_id"].as_str().unwrap_or_default();
    let package = package_name(id).map_or(folder, str::to_owned);
    let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
    let selection = match kind {
        "test" => format!("--package {package} --test {name}"),
        "bin" => format!("--package {package} --bin {name}"),
        _ => format!("--package {package} --lib"),
    };
    Ok(Some(Program { name, executable: executable.into(), package_dir, selection }))
}

/// The name in Cargo's identifier of a package: `path+file:///x/crates/health#lb-health@0.1.0`; `None` where the
/// identifier leaves it out, since the folder has it: `path+file:///x/xtask#0.1.0`.
fn package_name(id: &str) -> Option<&str> {
    let (name, _version) = id.rsplit_once('#')?.1.split_once('@')?;
    Some(name)
}

fn run_program(
    program: &Program,
    pass: Pass<'_>,
    out: &mut dyn Write,
    timed: &mut Vec<TimedTest>,
    failures: &mut Vec<String>,
) -> Result<()> {
    let mut command = Command::new(&program.executable);
    // The time of each test is an option of libtest that is not stable yet.
    command.args(["-Z", "unstable-options", "--report-time"]).env("RUSTC_BOOTSTRAP", "1");
    command.current_dir(&program.package_dir).env("CARGO_MANIFEST_DIR", &program.package_dir);
    command.env("CARGO", env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(pass.filters);
    if let Some(threads) = pass.threads {
        command.args(["--test-threads", &threads.to_string()]);
    }
    let shown = program.executable.display();
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {shown}"))?;
    let stdout = child.stdout.take().context("its output is a pipe")?;
    let alone = |test: &str| format!("cargo test {} -- --exact {test}", program.selection);
    let known = failures.len();
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("reading from {shown}"))?;
        // In one piece: other programs may write there, too.
        out.write_all(format!("{line}\n").as_bytes())?;
        let (test, duration) = match read(&line) {
            Line::Passed(test, duration) => (test, duration),
            Line::Failed(test, duration) => {
                failures.push(alone(test));
                (test, duration)
            }
            Line::Other => continue,
        };
        timed.push(TimedTest { name: format!("{} {test}", program.name), duration });
    }
    let status = child.wait().with_context(|| format!("waiting for {shown}"))?;
    if !status.success() && failures.len() == known {
        // It ended without a word of which test it was: a signal, an abort.
        writeln!(out, "{shown} ended with {status}")?;
        failures.push(format!("cargo test {}", program.selection));
    }
    Ok(())
}

/// Reads `test failover::dead ... ok <1.234s>`.
fn read(line: &str) -> Line<'_> {
    let parts = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
    let Some((test, outcome)) = parts else {
        return Line::Other;
    };
    let Some((outcome, seconds)) =
        outcome.strip_suffix("s>").and_then(|rest| rest.split_once(" <"))
    else {
        return Line::Other;
    };
    let Ok(duration) = seconds.parse().map(Duration::from_secs_f64) else {
        return Line::Other;
    };
    match outcome {
        "ok" => Line::Passed(test, duration),
        _ if outcome.starts_with("FAILED") => Line::Failed(test, duration),
        _ => Line::Other,
    }
}

/// The slowest tests, one a line, the slowest first.
pub(super) fn slowest(timed: &[TimedTest], count: usize) -> String {
    let mut sorted: Vec<&TimedTest> = timed.iter().collect();
    sorted.sort_by_key(|test| std::cmp::Reverse(test.duration));
    sorted.iter().take(count).fold(String::new(), |lines, test| {
        format!("{lines}{:>12}  {}\n", human(test.duration), test.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_libtest_are_read() {
        let second = Duration::from_secs(1);
        for (line, expected) in [
            ("test a::b ... ok <1.000s>", Line::Passed("a::b", second)),
            ("test a::b ... FAILED <1.000s>", Line::Failed("a::b", second)),
            (
                "test a::b - should panic ... ok <1.000s>",
                Line::Passed("a::b - should panic", second),
            ),
            ("test a::b ... ignored, why", Line::Other),
            ("test a::b has been running for over 60 seconds", Line::Other),
            ("test result: ok. 3 passed; 0 failed", Line::Other),
            ("10 sequences hold", Line::Other),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn programs_are_found_among_the_messages() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/x/tests/Cargo.toml",
            "package_id":"path+file:///x/tests#lb-tests@0.1.0",
            "target":{"kind":["test"],"name":"network"},"profile":{"test":true},
            "executable":"/x/target/debug/deps/network-1"}"#;
        let found = program(message).unwrap().unwrap();
        assert_eq!(found.selection, "--package lb-tests --test network");
        assert_eq!(found.package_dir, Path::new("/x/tests"));
        assert_eq!(package_name("path+file:///x/xtask#0.1.0"), None);
        let other = message.replace("true", "false");
        assert_eq!(program(&other).unwrap(), None, "a program that is no test");
        assert_eq!(program(r#"{"reason":"build-finished","success":true}"#).unwrap(), None);
    }

    #[test]
    fn a_program_that_fails_is_named_with_the_test_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let script = |text: &str| {
            let path = folder.path().join("program");
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
            path
        };
        let run = |text: &str| {
            let program = Program {
                name: "network".to_owned(),
                executable: script(text),
                package_dir: folder.path().to_owned(),
                selection: "--package lb-tests --test network".to_owned(),
            };
            let (mut timed, mut failures) = (Vec::new(), Vec::new());
            // A process that another test starts holds the script open for writing until it runs.
            for _ in 0..100 {
                match run_program(
                    &program,
                    Pass { threads: Some(1), filters: &[] },
                    &mut io::sink(),
                    &mut timed,
                    &mut failures,
                ) {
                    Err(error) if format!("{error:#}").contains("Text file busy") => {
                        thread::sleep(Duration::from_millis(20));
                    }
                    outcome => {
                        outcome.unwrap();
                        break;
                    }
                }
            }
            (timed.len(), failures)
        };
        assert_eq!(run("echo 'test a::b ... ok <0.100s>'"), (1, vec![]));
        let failed = "cargo test --package lb-tests --test network -- --exact a::b";
        assert_eq!(
            run("echo 'test a::b ... FAILED <0.100s>'; exit 101"),
            (1, vec![failed.to_owned()])
        );
        let killed = "cargo test --package lb-tests --test network";
        assert_eq!(run("kill -9 $$"), (0, vec![killed.to_owned()]));
    }

    #[test]
    fn pairs_run_all_and_name_what_failed() {
        let program = |name: &str, executable: &str| Program {
            name: name.to_owned(),
            executable: executable.into(),
            package_dir: "/".into(),
            selection: format!("--test {name}"),
        };
        let programs: Vec<Program> = ["a", "b", "c", "d", "e"]
            .iter()
            .map(|name| program(name, if *name == "b" { "/bin/false" } else { "/bin/true" }))
            .collect();
        let (mut said, mut timed) = (Vec::new(), Vec::new());
        let error = run_in_pairs(&programs, Pass::default(), &mut said, &mut timed).unwrap_err();
        assert_eq!(error.to_string(), "1 failure\n  run it alone: cargo test --test b");
        let said = String::from_utf8(said).unwrap();
        for name in ["a (1 of 5)", "b (2 of 5)", "c (3 of 5)", "d (4 of 5)", "e (5 of 5)"] {
            assert_eq!(said.matches(&format!("---- --test {name}")).count(), 1, "{said}");
        }
    }

    #[test]
    fn the_slowest_come_first() {
        let test = |name: &str, seconds| TimedTest {
            name: name.to_owned(),
            duration: Duration::from_secs(seconds),
        };
        let timed = [test("a", 11), test("b", 70), test("c", 12)];
        assert_eq!(slowest(&timed, 2), "  1 min 10 s  b\n        12 s  c\n");
    }
}
