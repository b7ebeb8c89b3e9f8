//! The workspace on disk, and running programs in it. It decides nothing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

/// Paths of the workspace and its products.
#[derive(Clone)]
pub(crate) struct Workspace {
    /// The directory of the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Cargo's target directory; absolute.
    pub(crate) target_dir: PathBuf,
}

impl Workspace {
    /// The workspace that this program belongs to.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir =
            env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = PathBuf::from(manifest_dir)
            .parent()
            .ok_or_else(|| anyhow!("CARGO_MANIFEST_DIR has no parent directory"))?
            .to_owned();
        let metadata = output(cargo_program().current_dir(&root).args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--offline",
        ]))?;
        let metadata: serde_json::Value =
            serde_json::from_str(&metadata).context("cargo metadata: not JSON")?;
        let target_dir = metadata["target_directory"]
            .as_str()
            .ok_or_else(|| anyhow!("cargo metadata names no target_directory"))?;
        Ok(Self { root, target_dir: target_dir.into() })
    }

    /// `cargo`, at the root, with this target directory.
    pub(crate) fn cargo<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        let mut command = cargo_program();
        command
            .args(arguments.into_iter().map(Into::into))
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target_dir);
        command
    }

    /// Builds all programs and tests, in one go: Cargo chooses the features of what they share by
    /// what is built with it, and compiles it again for every other choice. Gives `xelb`.
    pub(crate) fn build_for_tests(&self) -> Result<PathBuf> {
        run(&mut self.cargo(["build", "--workspace", "--bins", "--tests"]))?;
        Ok(self.target_dir.join("debug/xelb"))
    }

    /// The program at a path, at the root.
    pub(crate) fn program_at(&self, path: &Path) -> Command {
        let mut command = Command::new(path);
        command.current_dir(&self.root);
        command
    }

    /// A program, at the root, so that the pinned toolchain is the one that it uses.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.root);
        command
    }
}

fn cargo_program() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command to its end with the terminal of this one; its failure is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a command to its end and gives its standard output; its failure is an error that carries
/// what it wrote to standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", shown(command), output.status, stderr.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{}: not UTF-8", shown(command)))
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let mut words = vec![name.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    format!("`{}`", words.join(" "))
}

/// Where PATH has a program.
pub(crate) fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether this process acts as root.
pub(crate) fn is_root() -> Result<bool> {
    // The files of a process belong to its effective user (proc(5)).
    Ok(fs::metadata("/proc/self").context("/proc is not mounted")?.uid() == 0)
}

/// A duration as people read it: `0.3 s`, `12 s`, `3 min 04 s`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (340, "0.3 s"),
            (9_900, "9.9 s"),
            (59_999, "59 s"),
            (184_000, "3 min 04 s"),
        ] {
            assert_eq!(human(Duration::from_millis(millis)), expected, "{millis} ms");
        }
    }

    #[test]
    fn failures_name_the_command_and_what_it_said() {
        let error = output(Command::new("/bin/sh").args(["-c", "echo broken >&2; exit 3"]));
        let message = format!("{:#}", error.unwrap_err());
        assert!(message.contains("`sh -c"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(message.ends_with("broken"), "{message}");
        let error = run(&mut Command::new("/nonexistent/program"));
        assert!(format!("{:#}", error.unwrap_err()).starts_with("cannot run `program`"));
    }
}
