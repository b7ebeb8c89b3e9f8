//! Hostile and broken configuration files, checked by the binary within little time and memory.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

/// Processor time that a file may take, in seconds.
const CPU_SECONDS_MAX: u32 = 1;

/// Address space of the whole process, in KiB: the largest of these files has 16 MiB.
const MEMORY_KIB_MAX: u32 = 384 << 10;

/// Checks a file under limits: a process that exceeds one is killed, which is no exit code.
fn validate(path: &Path) -> Output {
    let script = format!(
        "ulimit -t {CPU_SECONDS_MAX}; ulimit -v {MEMORY_KIB_MAX}; exec \"$0\" validate -f \"$1\""
    );
    Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_xelb")]).arg(path).output().unwrap()
}

/// What is said of a file after its name, on the first line.
fn told(path: &Path) -> String {
    let output = validate(path);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}: {} {stderr}", path.display(), output.status);
    assert!(stderr.len() < 100_000, "{} bytes are said", stderr.len());
    let first = stderr.lines().next().unwrap_or_default();
    let name = path.display().to_string();
    first.strip_prefix(&name).unwrap_or_else(|| panic!("{first}")).to_owned()
}
