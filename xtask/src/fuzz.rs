//! `cargo xtask fuzz`: libFuzzer looks for inputs that break what reads the bytes of strangers.
//!
//! The targets are in `tests/fuzz/targets`, a workspace of its own. Code is instrumented as cargo-fuzz does it without
//! a sanitizer, since that needs no unstable compiler: no crate of ours that is fuzzed has unsafe code of its own that
//! an address sanitizer would watch, and overflow checks and assertions are on.

mod seeds;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Args;

use crate::setup::{self, Need};
use crate::workspace::{Workspace, human, output, run};

/// What is fuzzed: programs of `tests/fuzz/Cargo.toml`.
pub(crate) const TARGETS: &[&str] = &[
    "packet",
    "decap",
    "http_request",
    "http_response",
    "http2_request",
    "proxy_header",
    "dns_message",
    "rules",
    "cookie",
    "configuration",
    "import",
];

/// What building the targets needs: libFuzzer is C++.
pub(crate) const NEEDS: &[Need] = &[Need::CxxCompiler];

/// The passes of LLVM that libFuzzer reads coverage from, and no code that is left out of it.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg=fuzzing -Clink-dead-code";

/// Targets at the same time.
const AT_ONCE: usize = 2;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The targets; all of them if none is named
    #[arg(value_name = "TARGET", value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,

    /// How long each one looks
    #[arg(long, value_name = "NUMBER", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

pub(crate) fn run_arguments(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    setup::ensure(workspace, NEEDS)?;
    let chosen: Vec<&str> = if arguments.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        arguments.targets.iter().map(String::as_str).collect()
    };
    let folder = build(workspace)?;
    look(workspace, &folder, &chosen, arguments.seconds, &mut std::io::stdout())
}

/// Builds all targets; gives the folder where they are.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let host = host(workspace)?;
    let target_dir = workspace.target_dir.join("fuzz");
    let mut cargo = workspace.cargo(["build", "--release", "--target", &host]);
    cargo.arg("--manifest-path").arg(workspace.root.join("tests/fuzz/Cargo.toml"));
    // A target is named, so that build scripts and macros, which run in the compiler, are not instrumented.
    cargo.env("CARGO_TARGET_DIR", &target_dir).env("RUSTFLAGS", INSTRUMENTATION);
    run(&mut cargo)?;
    Ok(target_dir.join(host).join("release"))
}

/// The triple of this machine.
fn host(workspace: &Workspace) -> Result<String> {
    let text = output(workspace.program("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc does not say its host")
}

/// Lets each target look for so many seconds, from the inputs in `tests/fuzz/seeds` and those that earlier runs have
/// found. An error names the targets that broke, with the input.
pub(crate) fn look(
    workspace: &Workspace,
    programs: &Path,
    targets: &[&str],
    seconds: u32,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((out, Vec::new()));
    let work = || -> Result<()> {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (line, broken) = look_at(workspace, programs, target, seconds)?;
            let mut results = results.lock().map_err(|_| anyhow!("a thread has panicked"))?;
            writeln!(results.0, "fuzz: {line}")?;
            results.1.extend(broken);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let join = |one: thread::ScopedJoinHandle<'_, Result<()>>| {
            one.join().map_err(|_| anyhow!("a thread has panicked"))?
        };
        all.into_iter().try_for_each(join)
    })?;
    let (_, broken) = results.into_inner().map_err(|_| anyhow!("a thread has panicked"))?;
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// Runs one target. Gives a line for people, and what broke it.
fn look_at(
    workspace: &Workspace,
    programs: &Path,
    target: &str,
    seconds: u32,
) -> Result<(String, Option<String>)> {
    let start = Instant::now();
    let folder = workspace.target_dir.join("fuzz");
    let (found, broken) = (folder.join("found").join(target), folder.join("broken").join(target));
    for folder in [&found, &broken] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = folder.join(format!("{target}.log"));
    let file = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
    let seeds = seeds::prepare(&workspace.root, &folder.join("seeds"), target)?;
    let mut command = Command::new(programs.join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", broken.display()))
        // An input that takes so many seconds is a fault, too; the limit of memory is libFuzzer's, in MiB.
        .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"])
        .args(seeds.dictionary.map(|path| format!("-dict={}", path.display())))
        .arg(&found)
        .args(seeds.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file);
    let status = command.status().with_context(|| format!("cannot run the target {target}"))?;
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let statistic = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("stat::{name}:")))?;
        line.trim().parse().ok()
    };
    let duration = human(start.elapsed());
    if status.success() {
        let inputs = statistic("number_of_executed_units");
        let Some(inputs) = inputs.filter(|inputs| *inputs > 0) else {
            bail!("{target} has tried nothing: see {}", log.display());
        };
        let covered = text.lines().rev().find_map(coverage).unwrap_or_default();
        return Ok((
            format!("{target:<14} {inputs:>10} inputs, {covered} edges, {duration}"),
            None,
        ));
    }
    let program = programs.join(target);
    let input = text.lines().find_map(|line| line.split("Test unit written to ").nth(1));
    let input = input.map_or_else(|| format!("(see {})", log.display()), str::to_owned);
    let cause = text.lines().find(|line| line.contains("panicked at") || line.contains("ERROR: "));
    let cause = cause.unwrap_or("it ended").trim();
    let message =
        format!("{target} breaks: {cause}\n  run it alone: {} {input}", program.display());
    Ok((format!("{target:<14} BROKEN after {duration}"), Some(message)))
}

/// The edges of a line of libFuzzer: `#512 NEW cov: 96 ft: 99 corp: 4/12b`.
fn coverage(line: &str) -> Option<u64> {
    line.split(" cov: ").nth(1)?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_file_and_the_other_way_round() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/fuzz");
        let files = fs::read_dir(root.join("targets")).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> =
            files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        let mut known = TARGETS.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        for target in TARGETS {
            assert!(manifest.contains(&format!("path = \"targets/{target}.rs\"")), "{target}");
        }
    }

    #[test]
    fn a_target_that_breaks_is_named_with_its_input() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let workspace = Workspace { root, target_dir: folder.path().to_owned() };
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let good = "echo '#9 DONE cov: 7 ft: 8' >&2; echo 'stat::number_of_executed_units: 12' >&2";
        script("packet", good);
        script(
            "decap",
            "echo \"thread panicked at x.rs\" >&2; echo 'Test unit written to /y/crash-1' >&2; exit 77",
        );
        script("rules", "true");
        let mut said = Vec::new();
        let mut look = |target| look(&workspace, folder.path(), &[target], 1, &mut said);
        look("packet").unwrap();
        let error = look("decap").unwrap_err().to_string();
        assert!(error.contains("decap breaks: thread panicked at x.rs"), "{error}");
        assert!(error.ends_with("decap /y/crash-1"), "{error}");
        assert!(look("rules").unwrap_err().to_string().contains("rules has tried nothing"));
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("packet                 12 inputs, 7 edges"), "{said}");
        assert!(said.contains("decap          BROKEN"), "{said}");
    }

    #[test]
    fn edges_are_read_from_a_line_of_libfuzzer() {
        assert_eq!(coverage("#512\tNEW    cov: 96 ft: 99 corp: 4/12b lim: 4"), Some(96));
        assert_eq!(coverage("stat::number_of_executed_units: 12"), None);
    }
}
