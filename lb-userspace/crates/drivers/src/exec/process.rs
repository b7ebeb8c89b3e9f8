//! One run of a program: its process group, input, output, and end. What its output means is in
//! `answer`.

use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use lb_members::ErrorClass;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::{Instant, sleep_until},
};

/// The most bytes of an answer.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Bytes of the standard error that are kept: its end.
const ERROR_BYTES_MAX: usize = 4096;

/// Time that the output is read for after the program has ended: a process that has left the group
/// may hold it open.
const OUTPUT_WAIT: Duration = Duration::from_millis(50);

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub uid: u32,
    /// Number of the user's group.
    pub gid: u32,
}

/// A program, and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Variables besides `PATH`.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Who runs it; this process' own user if not set.
    pub(crate) user: Option<User>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    /// Its end.
    pub(crate) stderr: Vec<u8>,
}

/// Why a program has no end to judge.
#[derive(Debug)]
pub(crate) enum RunError {
    Start(io::Error),
    Wait(io::Error),
    TooMuchOutput,
}

impl RunError {
    /// A program that cannot be run will not run next time, unless the host lacks something.
    pub(crate) fn class(&self) -> ErrorClass {
        use io::ErrorKind::{NotFound, PermissionDenied};
        match self {
            Self::Start(error) if matches!(error.kind(), NotFound | PermissionDenied) => {
                ErrorClass::Fatal
            }
            Self::TooMuchOutput => ErrorClass::Fatal,
            Self::Start(_) | Self::Wait(_) => ErrorClass::Transient,
        }
    }
}

impl std::fmt::Display for RunError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start(error) => write!(formatter, "cannot run it: {error}"),
            Self::Wait(error) => write!(formatter, "cannot wait for it: {error}"),
            Self::TooMuchOutput => {
                write!(formatter, "its answer is longer than {OUTPUT_BYTES_MAX} bytes")
            }
        }
    }
}

/// A process group. Dropping it kills it.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// Kills it once: when the program is reaped, its number may become that of another group.
    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // Nobody may be left.
            let _gone = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    /// A program without arguments, of this process' own user.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, arguments: Vec::new(), environment: Vec::new(), user: None }
    }

    /// Runs it to its end. Dropping the future kills it and all of its group.
    pub(crate) async fn run(&self, input: &[u8]) -> Result<Ended, RunError> {
        let mut command = Command::new(&self.path);
        if let Some(User { uid, gid }) = self.user {
            // Without supplementary groups: std::os::unix::process::CommandExt::uid drops them.
            command.uid(uid).gid(gid);
        }
        let mut child = command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(RunError::Start)?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let mut group = ProcessGroup(id);
        finish(&mut child, &mut group, input).await
    }
}

/// Feeds the program, reads what it writes, and waits for its end.
async fn finish(
    child: &mut Child,
    group: &mut ProcessGroup,
    input: &[u8],
) -> Result<Ended, RunError> {
    let (stdin, mut stdout, mut stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program may end without reading.
            let _closed = stdin.write_all(input).await;
        }
    };
    let mut write = std::pin::pin!(write);
    let mut is_written = false;
    let (mut out, mut error) = (Vec::new(), Vec::new());
    let mut status: Option<ExitStatus> = None;
    let mut last_read = Instant::now();
    while status.is_none() || stdout.is_some() || stderr.is_some() {
        tokio::select! {
            () = &mut write, if !is_written => is_written = true,
            ended = child.wait(), if status.is_none() => {
                status = Some(ended.map_err(RunError::Wait)?);
                last_read = Instant::now() + OUTPUT_WAIT;
                // What it has left behind.
                group.kill();
            }
            more = append(&mut stdout, &mut out), if stdout.is_some() => {
                if !more {
                    stdout = None;
                }
                if out.len() > OUTPUT_BYTES_MAX {
                    return Err(RunError::TooMuchOutput);
                }
            }
            more = append(&mut stderr, &mut error), if stderr.is_some() => {
                if !more {
                    stderr = None;
                }
                let surplus = error.len().saturating_sub(ERROR_BYTES_MAX);
                error.drain(..surplus);
            }
            () = sleep_until(last_read), if status.is_some() => break,
        }
        // A flood must not keep others from running.
        tokio::task::yield_now().await;
    }
    match status {
        Some(status) => Ok(Ended { status, stdout: out, stderr: error }),
        None => Err(RunError::Wait(io::ErrorKind::Other.into())),
    }
}

/// Reads what is there; false at the end.
async fn append(reader: &mut Option<impl AsyncRead + Unpin>, to: &mut Vec<u8>) -> bool {
    match reader {
        Some(reader) => matches!(reader.read_buf(to).await, Ok(1..)),
        None => false,
    }
}
