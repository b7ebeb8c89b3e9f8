//! The probe that is a program of the user's: bounded in time, output and number, without a shell, as
//! a user without rights.
//!
//! It runs in its own session, which is killed as a whole when its time is over, and when the
//! program itself has ended: what it leaves behind does not live on, unless it has created its own
//! session.

mod confine;
mod policy;

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
    time::{Instant, timeout, timeout_at},
};

use lb_config::ExecCheck;
pub use policy::{ExecPolicy, ExecUser, ProgramError, Programs};

use super::{NoDescriptor, Outcome, Probe};

/// Programs that run at a time; others wait.
const AT_A_TIME: usize = 64;

/// Bytes of the output that are kept: its end.
const OUTPUT_MAX: usize = 4096;

/// Bytes of its last line that are shown.
const SHOWN_MAX: usize = 200;

/// Time that the output of a program is read for after it has ended: something that escaped may
/// hold it open.
const OUTPUT_WAIT: Duration = Duration::from_millis(50);

/// Time before the end of a probe that it takes to end a program.
const MARGIN: Duration = Duration::from_millis(10);

static PLACES: Semaphore = Semaphore::const_new(AT_A_TIME);

/// Succeeds when the program exits with code 0.
pub(super) async fn probe(
    probe: &Probe,
    check: &ExecCheck,
    policy: &Arc<ExecPolicy>,
    deadline: Instant,
) -> Outcome {
    let Ok(Ok(place)) = timeout_at(deadline, PLACES.acquire()).await else {
        let detail = format!(
            "{AT_A_TIME} exec checks are already running; make them faster or \
                              less frequent"
        );
        return Outcome::Inconclusive { detail };
    };
    // Readers see this, and not the command.
    let unrunnable = |why: String| Outcome::Inconclusive {
        detail: format!("cannot run the command of the check: {why}"),
    };
    let (program, _place) = match find(check, policy, place, deadline).await {
        Ok(found) => found,
        Err(why) => return unrunnable(why),
    };
    let mut running = match start(probe, check, &program, &policy.user) {
        Ok(running) => running,
        Err(error) => match NoDescriptor::of(&error) {
            Some(who) => return Outcome::NoDescriptor(who),
            None => return unrunnable(why_not(&error, &policy.user)),
        },
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

/// The file to run. It may be on a file system that does not answer, so a separate thread looks it
/// up, which keeps its place for as long as that takes.
async fn find(
    check: &ExecCheck,
    policy: &Arc<ExecPolicy>,
    place: SemaphorePermit<'static>,
    deadline: Instant,
) -> Result<(PathBuf, SemaphorePermit<'static>), String> {
    if !policy.user.is_self() && !confine::can_switch_user() {
        return Err(rights(&policy.user));
    }
    let program = check.command.first().map(PathBuf::from).unwrap_or_default();
    let policy = Arc::clone(policy);
    let found = spawn_blocking(move || (policy.programs.find(&program), place));
    match timeout_at(deadline, found).await {
        Ok(Ok((Ok(program), place))) => Ok((program, place)),
        Ok(Ok((Err(error), _))) => Err(error.without_paths()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => {
            Err("looking up its program takes too long: does its file system answer?".to_owned())
        }
    }
}

/// What it takes to run a program as this user.
fn rights(user: &ExecUser) -> String {
    format!(
        "the agent needs CAP_SETUID, CAP_SETGID and CAP_KILL to run it as the user {}: allow them in its \
         unit (CapabilityBoundingSet=), or name the agent's own user (--exec-user)",
        user.name
    )
}

/// Why a program could not be started, and what to do about it.
fn why_not(error: &io::Error, user: &ExecUser) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES) => format!(
            "{error}: the user {} must be able to execute it, and to enter the directories above it",
            user.name
        ),
        Some(libc::EPERM) => format!("{error}: {}", rights(user)),
        _ => error.to_string(),
    }
}

/// A program that runs, and all that it has started. Dropping it kills them.
struct Running {
    child: Child,
    session: Option<Pid>,
}

fn start(probe: &Probe, check: &ExecCheck, program: &Path, user: &ExecUser) -> io::Result<Running> {
    let [name, arguments @ ..] = check.command.as_slice() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let seconds = probe.timeout.as_secs() + 1;
    let user = user.clone();
    let mut command = Command::new(program);
    command
        .arg0(name)
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
        command.pre_exec(move || confine::confine(&user, seconds));
    }
    let child = command.spawn()?;
    let session = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    Ok(Running { child, session })
}

impl Running {
    /// Waits for its end; gives the end of its output.
    async fn finish(&mut self) -> io::Result<(ExitStatus, Vec<u8>)> {
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
mod tests;
