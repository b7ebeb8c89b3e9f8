//! The probe that is a program of the user's: bounded in time, output and number, without a shell.
//!
//! It runs in a session of its own, which is killed as a whole when its time is over, and when the
//! program itself has ended: what it leaves behind does not live on, unless it has made a session
//! of its own.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::{
        resource::{Resource, setrlimit},
        signal::{Signal, killpg},
    },
    unistd::{Pid, setsid},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use super::{Outcome, Probe};
use crate::config::ExecCheck;

/// Programs that run at a time; others wait.
const AT_A_TIME: usize = 64;

/// Bytes of the output that are kept: its end.
const OUTPUT_MAX: usize = 4096;

/// Bytes of its last line that are shown.
const SHOWN_MAX: usize = 200;

/// Largest file that a program may write.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Time that the output of a program is read for after it has ended: something that escaped may
/// hold it open.
const OUTPUT_WAIT: Duration = Duration::from_millis(50);

/// Time before the end of a probe that it takes to end a program.
const MARGIN: Duration = Duration::from_millis(10);

static PLACES: Semaphore = Semaphore::const_new(AT_A_TIME);

/// Whether a program can be run; an error says why not, for people.
pub(crate) fn usable(program: &Path) -> Result<(), String> {
    let shown = program.display();
    let data = std::fs::metadata(program).map_err(|error| format!("{shown}: {error}"))?;
    if !data.is_file() || data.permissions().mode() & 0o111 == 0 {
        return Err(format!("{shown} is not a program that can be executed"));
    }
    Ok(())
}

/// Succeeds when the program exits with code 0.
pub(super) async fn probe(probe: &Probe, check: &ExecCheck, deadline: Instant) -> Outcome {
    let Ok(Ok(_place)) = timeout_at(deadline, PLACES.acquire()).await else {
        let detail = format!("{AT_A_TIME} exec checks run already; make them quicker or rarer");
        return Outcome::Inconclusive { detail };
    };
    let mut running = match start(probe, check) {
        Ok(running) => running,
        Err(error) => {
            // Readers see this, and not the command.
            let detail = format!("cannot run the command of the check: {error}");
            return Outcome::Inconclusive { detail };
        }
    };
    let end = deadline.checked_sub(MARGIN).unwrap_or(deadline);
    match timeout_at(end, running.finish()).await {
        Ok(Ok((status, output))) => judge(status, &output),
        Ok(Err(error)) => {
            Outcome::Inconclusive { detail: format!("cannot wait for the check: {error}") }
        }
        Err(_elapsed) => {
            Outcome::timeout(format!("the check has not ended within {:?}; killed", probe.timeout))
        }
    }
}

/// A program that runs, and all that it has started. Dropping it kills them.
struct Running {
    child: Child,
    session: Option<Pid>,
}

fn start(probe: &Probe, check: &ExecCheck) -> std::io::Result<Running> {
    let [program, arguments @ ..] = check.command.as_slice() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let seconds = probe.timeout.as_secs() + 1;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("XELB_TARGET_ADDRESS", probe.address.ip().to_string())
        .env("XELB_TARGET_PORT", probe.address.port().to_string())
        .env("XELB_TARGET_GROUP", &probe.group)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // SAFETY: between fork and exec, these are system calls only.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
            setrlimit(Resource::RLIMIT_CPU, seconds, seconds + 1)?;
            setrlimit(Resource::RLIMIT_FSIZE, FILE_BYTES_MAX, FILE_BYTES_MAX)?;
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            Ok(())
        });
    }
    let child = command.spawn()?;
    let session = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    Ok(Running { child, session })
}

impl Running {
    /// Waits for its end; gives the end of its output.
    async fn finish(&mut self) -> std::io::Result<(ExitStatus, Vec<u8>)> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let output = async { tokio::join!(tail(stdout), tail(stderr)) };
        let mut output = std::pin::pin!(output);
        let mut read = None;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status?,
                both = &mut output, if read.is_none() => read = Some(both),
            }
        };
        // What it has left behind.
        self.kill();
        let both = match read {
            Some(both) => both,
            None => timeout(OUTPUT_WAIT, output).await.unwrap_or_default(),
        };
        let (out, error) = both;
        Ok((status, if error.is_empty() { out } else { error }))
    }

    fn kill(&self) {
        if let Some(session) = self.session {
            // Nobody may be left.
            let _gone = killpg(session, Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads everything, and keeps its end.
async fn tail(reader: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut reader) = reader else {
        return kept;
    };
    let mut buffer = [0; OUTPUT_MAX];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        kept.extend(buffer.get(..length).unwrap_or_default());
        let surplus = kept.len().saturating_sub(OUTPUT_MAX);
        kept.drain(..surplus);
        // A flood must not keep others from running.
        tokio::task::yield_now().await;
    }
    kept
}

fn judge(status: ExitStatus, output: &[u8]) -> Outcome {
    use std::os::unix::process::ExitStatusExt as _;

    if status.success() {
        return Outcome::Success;
    }
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let last: String = last.trim().chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect();
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("the check exits with code {code}"),
        (None, Some(signal)) => format!("the check is ended by signal {signal}"),
        (None, None) => "the check ends in an unknown way".to_owned(),
    };
    Outcome::failed(if last.is_empty() { how } else { format!("{how}: {last}") })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::health::tcp::tests::probe_of;

    /// For what hangs.
    const TIMEOUT: Duration = Duration::from_millis(700);

    /// For what ends by itself, on a machine that is as busy as it likes.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A shell script, in a folder of its own.
    fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("check");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    }

    async fn run(text: &str) -> Outcome {
        run_within(text, PATIENCE).await
    }

    async fn run_within(text: &str, timeout: Duration) -> Outcome {
        let (_folder, path) = script(text);
        let command = vec![path.display().to_string(), "an argument".to_owned()];
        let probe = Probe { timeout, ..probe_of(([127, 0, 0, 1], 8080).into()) };
        let begun = Instant::now();
        let outcome = super::probe(&probe, &ExecCheck { command }, begun + timeout).await;
        assert!(begun.elapsed() < timeout + PATIENCE, "{text}");
        outcome
    }

    #[tokio::test]
    async fn the_exit_code_decides_and_the_last_line_says_why() {
        assert_eq!(run("exit 0").await, Outcome::Success);
        assert_eq!(run("exit 3").await, Outcome::failed("the check exits with code 3"));
        let seen = run("echo first; echo second; echo; exit 1").await;
        assert_eq!(seen, Outcome::failed("the check exits with code 1: second"));
        let seen = run("echo out; echo why >&2; exit 1").await;
        assert_eq!(seen, Outcome::failed("the check exits with code 1: why"));
        assert_eq!(run("kill -9 $$").await, Outcome::failed("the check is ended by signal 9"));
    }

    #[tokio::test]
    async fn it_is_told_the_target_and_nothing_else() {
        let seen = run(
            "echo $XELB_TARGET_GROUP $XELB_TARGET_ADDRESS $XELB_TARGET_PORT $1 $HOME; pwd >&2; \
                        exec 2>&1; exit 1",
        )
        .await;
        assert_eq!(seen, Outcome::failed("the check exits with code 1: /"));
        let seen =
            run("echo $XELB_TARGET_GROUP $XELB_TARGET_ADDRESS $XELB_TARGET_PORT $1 $HOME; exit 1")
                .await;
        assert_eq!(
            seen,
            Outcome::failed("the check exits with code 1: web 127.0.0.1 8080 an argument")
        );
    }

    /// Processes that have this word in their command line.
    fn running(word: &str) -> usize {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
    }

    #[tokio::test]
    async fn what_hangs_or_forks_is_killed_as_a_whole() {
        let late = Outcome::timeout("the check has not ended within 700ms; killed");
        for (word, text) in [
            ("71.25", "sleep 71.25"),
            ("72.25", "trap '' TERM INT HUP; while :; do sleep 72.25; done"),
            ("73.25", "sleep 73.25 & sleep 73.25 & wait"),
        ] {
            assert_eq!(run_within(text, TIMEOUT).await, late, "{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(running(word), 0, "{text}");
        }
        // It ends well, and what it has started goes with it, though it holds the output open.
        assert_eq!(run("sleep 74.25 & exit 0").await, Outcome::Success);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(running("74.25"), 0);
    }

    #[tokio::test]
    async fn a_flood_of_output_is_bounded() {
        let seen = run("head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end; exit 1").await;
        assert_eq!(seen, Outcome::failed("the check exits with code 1: end"));
        let late = Outcome::timeout("the check has not ended within 700ms; killed");
        assert_eq!(run_within("while :; do echo flood; done", TIMEOUT).await, late);
        let seen = run(
            "echo x > /dev/null; dd if=/dev/zero of=/tmp/xelb-exec-test bs=1M count=9 2>/dev/null; \
                        stat -c %s /tmp/xelb-exec-test; rm -f /tmp/xelb-exec-test; exit 1",
        )
        .await;
        assert_eq!(seen, Outcome::failed("the check exits with code 1: 1048576"));
    }

    #[tokio::test]
    async fn no_zombie_is_left() {
        for _ in 0..20 {
            assert_eq!(run("exit 0").await, Outcome::Success);
        }
        let mine = std::process::id().to_string();
        let zombies = fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let rest = stat.rsplit(')').next().unwrap_or_default();
            let fields: Vec<&str> = rest.split_whitespace().collect();
            fields.first() == Some(&"Z") && fields.get(1) == Some(&mine.as_str())
        });
        // Other tests of this process may be ending a program just now.
        assert!(zombies.count() <= 2);
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        let (folder, path) = script("exit 0");
        assert_eq!(usable(&path), Ok(()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        for (program, expected) in [
            ("/nonexistent/check", "/nonexistent/check: No such file or directory (os error 2)"),
            ("/tmp", "/tmp is not a program that can be executed"),
        ] {
            assert_eq!(usable(Path::new(program)).unwrap_err(), expected);
        }
        assert!(usable(&path).unwrap_err().ends_with("is not a program that can be executed"));
        drop(folder);
    }
}
