//! `cargo xtask demo`: builds `xelb` and the demo, and becomes the demo, or records it as a picture.
//!
//! What is shown lives in lb-tests, with the lab that it uses; this is only the way there.

mod picture;
mod recording;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Args;

use crate::setup;
use crate::workspace::{self, Workspace, is_root};

/// Pauses of a picture: between two lines of a block, and at most.
const SHORTEST: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_millis(2500);

/// The largest picture, in bytes: readers of the README load it.
const PICTURE_BYTES_MAX: usize = 150_000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Record the demo as an animated picture (SVG); before other arguments
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Passed on to the demo, for instance `scaling` (its own demo) or `--keep` (leaves it up); `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !is_root()? {
        bail!("the demo makes network namespaces and loads BPF programs: run it as root");
    }
    setup::ensure(workspace, setup::LAB_NEEDS)?;
    // Both in one go, so that what they share is compiled once.
    let both = ["--bin", "xelb", "--bin", "xelb-demo"];
    workspace::run(workspace.cargo(["build"]).args(both))?;
    let mut demo = workspace.program_at(&workspace.target_dir.join("debug/xelb-demo"));
    demo.args(&arguments.arguments);
    if let Some(file) = &arguments.record {
        return record(demo, file);
    }
    // This process becomes the demo's: signals reach it, and its exit code is ours.
    let error = demo.exec();
    Err(anyhow!(error).context(format!("cannot run {}", workspace::shown(&demo))))
}

/// Runs the demo to its end, shows what it prints, and writes that as a picture.
fn record(mut demo: Command, file: &Path) -> Result<()> {
    demo.env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR");
    let name = workspace::shown(&demo);
    let start = Instant::now();
    let mut child =
        demo.stdout(Stdio::piped()).spawn().with_context(|| format!("running {name}"))?;
    let stdout = child.stdout.take().context("the demo has no standard output")?;
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading what the demo prints")?;
        println!("{line}");
        lines.push(recording::line(start.elapsed(), &line));
    }
    let status = child.wait().with_context(|| format!("waiting for {name}"))?;
    ensure!(status.success(), "{name} failed ({status}); {} is as it was", file.display());
    let lines = recording::paced(lines, SHORTEST, LONGEST);
    let picture = picture::svg(&lines, "Terminal: cargo xtask demo");
    let size = picture.len();
    ensure!(
        size <= PICTURE_BYTES_MAX,
        "the picture has {size} bytes, more than {PICTURE_BYTES_MAX}"
    );
    fs::write(file, picture).with_context(|| format!("writing {}", file.display()))?;
    println!("demo: {} ({size} bytes)", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::picture::escaped;

    /// The picture of the README is recorded again when a step is new or has another name.
    #[test]
    fn the_picture_shows_the_steps_of_the_demo() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let picture = fs::read_to_string(format!("{root}/docs/pictures/demo.svg")).unwrap();
        let mut steps = 0;
        for file in ["steps", "https"] {
            let code = fs::read_to_string(format!("{root}/tests/demo/{file}.rs")).unwrap();
            for call in code.split("screen.step(").skip(1) {
                let heading = call.split('"').nth(1).unwrap();
                // What stands in braces is filled in when the demo runs.
                for part in heading.split(['{', '}']).step_by(2) {
                    assert!(
                        picture.contains(&escaped(part)),
                        "the picture has no step {heading:?}: run `cargo xtask demo --record \
                         docs/pictures/demo.svg`, and look at it"
                    );
                }
                steps += 1;
            }
        }
        assert!(steps > 5, "only {steps} steps are found in the code");
    }
}
