//! The driver that is a program: a JSON object on its standard input, one on its standard output.
//! It runs in a process group of its own, with a clean environment, bounded in time and output.
//!
//! The group is killed at the deadline and when the program itself has ended. A process that is to
//! outlive the call, such as a member, makes a session of its own.

pub(crate) mod process;

use std::{
    env,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};

use lb_members::{CallError, CallResult, ErrorClass};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    answer::{self, printable},
    driver::{Calling, Driver, Request},
};
use process::{Ended, Program};
pub use process::{OUTPUT_BYTES_MAX, User};

/// Programs of one driver that run at a time; others wait.
const AT_A_TIME: usize = 16;

/// EX_TEMPFAIL of sysexits.h: try again.
const TRY_AGAIN: i32 = 75;

/// A driver that is a program.
#[derive(Clone, Debug)]
pub struct ExecDriver {
    program: Program,
    places: Arc<Semaphore>,
}

impl ExecDriver {
    /// The driver in this file.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        let program = Program::new(program);
        Self { program, places: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// The same, with arguments for the program.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Vec<String>) -> Self {
        self.program.arguments = arguments;
        self
    }

    /// The same, run by a user, with no other groups and no capabilities unless that is root.
    #[must_use]
    pub fn run_by(mut self, user: User) -> Self {
        self.program.user = Some(user);
        self
    }

    /// Runs the program with another input than a call, as a lifecycle hook. Exit code 0 is success.
    pub async fn run_hook(&self, input: &[u8], deadline: Duration) -> Result<(), CallError> {
        self.run_for_output(input, deadline).await.map(drop)
    }

    /// The same; gives what the program has written to its standard output.
    pub async fn run_for_output(
        &self,
        input: &[u8],
        deadline: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let (program, run) = (self.program.path.display(), self.program.run(input));
        let transient = |message| Err(CallError::new(ErrorClass::Transient, message));
        match tokio::time::timeout(deadline, run).await {
            Ok(Ok(ended)) if ended.status.success() => Ok(ended.stdout),
            Ok(Ok(Ended { status, stderr, .. })) => {
                let (how, last) = (how_it_ended("it", status), last_line(&stderr));
                let last = if last.is_empty() { last } else { format!(": {last}") };
                transient(format!("{program}: {how}{last}"))
            }
            Ok(Err(error)) => transient(format!("{program}: {error}")),
            Err(_elapsed) => transient(format!("{program} has not ended in time; killed")),
        }
    }

    async fn run(&self, request: &Request, end: Instant) -> CallResult {
        let _place = self.places.acquire().await.ok();
        let input = serde_json::to_vec(request)
            .map_err(|error| CallError::new(ErrorClass::Fatal, error.to_string()))?;
        let run = self.program.run(&input);
        match timeout_at(end, run).await {
            Ok(Ok(ended)) => judge(request, &ended),
            Ok(Err(error)) => {
                let message = format!("{}: {error}", self.program.path.display());
                Err(CallError::new(error.class(), message))
            }
            Err(_elapsed) => {
                let message =
                    format!("{} has not ended in time; killed", self.program.path.display());
                Err(CallError::new(ErrorClass::Transient, message))
            }
        }
    }
}

impl Driver for ExecDriver {
    fn call<'a>(&'a self, request: &'a Request, deadline: Duration) -> Calling<'a> {
        // The deadline counts from the call, and not from when it is first polled.
        let end = Instant::now() + deadline;
        Box::pin(async move {
            match timeout_at(end, self.run(request, end)).await {
                Ok(result) => result,
                Err(_elapsed) => {
                    let message = format!("{AT_A_TIME} calls of this driver are already under way");
                    Err(CallError::new(ErrorClass::Transient, message))
                }
            }
        })
    }

    /// With libfaketime, which programs that are linked statically do not load.
    fn with_clock_offset(&self, seconds: i64) -> Result<Box<dyn Driver>, String> {
        let library = faketime().ok_or("libfaketime is missing: `apt-get install libfaketime`")?;
        let environment = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME", format!("{seconds:+}")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // A program that is killed would leave a file of it behind.
            ("FAKETIME_DISABLE_SHM", "1".to_owned()),
        ];
        let program = Program { environment, ..self.program.clone() };
        Ok(Box::new(Self { program, ..self.clone() }))
    }
}

/// Where distributions put it.
fn faketime() -> Option<PathBuf> {
    let debian = format!("/usr/lib/{}-linux-gnu/faketime", env::consts::ARCH);
    let folders = [debian.as_str(), "/usr/lib64/faketime", "/usr/lib/faketime"];
    let files = folders.map(|folder| Path::new(folder).join("libfaketime.so.1"));
    files.into_iter().find(|file| file.is_file())
}

/// The result of a call whose program ended like this.
fn judge(request: &Request, ended: &Ended) -> CallResult {
    let Ended { status, stdout, stderr } = ended;
    let class = match status.code() {
        Some(0) => return answer::success(request, stdout),
        Some(TRY_AGAIN) | None => ErrorClass::Transient,
        Some(_) => ErrorClass::Fatal,
    };
    if let Some(error) = answer::reported_error(stdout) {
        return Err(error);
    }
    let (how, last) = (how_it_ended("the driver", *status), last_line(stderr));
    let message = if last.is_empty() { how } else { format!("{how}: {last}") };
    Err(CallError::new(class, message))
}

fn how_it_ended(what: &str, status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("{what} exits with code {code}"),
        (None, Some(signal)) => format!("{what} is ended by signal {signal}"),
        (None, None) => format!("{what} ends in an unknown way"),
    }
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    printable(text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use lb_members::Verb;
    use serde_json::Map;

    use super::*;

    #[test]
    fn exit_codes_and_what_they_mean() {
        // (wait status, standard output, result)
        let cases = [
            (1 << 8, r#"{"error": {"class": "template"}}"#, "template: "),
            (75 << 8, r#"{"error": {"class": "quota"}}"#, "quota: "),
            (1 << 8, "no", "fatal: the driver exits with code 1: last"),
            (75 << 8, "", "transient: the driver exits with code 75: last"),
            (127 << 8, "", "fatal: the driver exits with code 127: last"),
            (9, "", "transient: the driver is ended by signal 9: last"),
        ];
        let name = "web-1".to_owned();
        let (group, template, parameters) = ("web".to_owned(), String::new(), Map::new());
        let request = Request { verb: Verb::Ensure, group, name, template, parameters };
        for (status, stdout, expected) in cases {
            let status = ExitStatus::from_raw(status);
            let (stdout, stderr) = (stdout.into(), b"first\nlast\x07\n\n".to_vec());
            let result = judge(&request, &Ended { status, stdout, stderr });
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
    }
}
