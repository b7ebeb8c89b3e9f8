//! Child processes that cannot outlive the lab.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigSet, Signal, killpg},
    },
    unistd::{Pid, getpid, getppid},
};

use crate::{
    error::{Context as _, Error, Result},
    requirements::search_path,
};

/// Pause between two looks at a child that should end.
const PAUSE: Duration = Duration::from_millis(2);

/// A command to be run on a host.
#[derive(Debug)]
pub struct Task {
    command: Command,
    text: String,
    /// Whether it ends by itself at once: then it need not die with the lab.
    is_brief: bool,
}

impl Task {
    /// A command of a program and its arguments.
    pub fn new<S: AsRef<str>>(program: impl AsRef<Path>, arguments: &[S]) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        let mut text = program.display().to_string();
        for argument in arguments {
            command.arg(argument.as_ref());
            // Writing to a String cannot fail.
            let _: std::fmt::Result = write!(text, " {}", argument.as_ref());
        }
        command.env("PATH", search_path()).stdin(Stdio::null());
        Self { command, text, is_brief: false }
    }

    /// For a command that ends by itself at once, such as `ip`: it is started without a copy of this
    /// process's page tables (`vfork`), which is a good part of what a lab costs.
    #[must_use]
    pub fn brief(mut self) -> Self {
        self.is_brief = true;
        self
    }

    /// The command line, for messages.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in a folder, where it may leave files.
    #[must_use]
    pub fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Appends what it prints to a file.
    pub fn log_to(mut self, path: &Path) -> Result<Self> {
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .context(|| format!("opening {}", path.display()))
        };
        self.command.stdout(open()?).stderr(open()?);
        Ok(self)
    }

    /// Starts it from the calling thread: it inherits the thread's namespaces and dies with the
    /// thread.
    pub(crate) fn start(mut self, host: &str) -> Result<Process> {
        let parent = getpid();
        // A Ctrl-C at the terminal is for the lab, which ends its children in its own order.
        self.command.process_group(0);
        if !self.is_brief {
            self.die_with(parent);
        }
        let child =
            self.command.spawn().context(|| format!("starting `{}` on {host}", self.text))?;
        Ok(Process { child, text: self.text, host: host.to_owned() })
    }

    /// Makes it die with the calling thread.
    fn die_with(&mut self, parent: Pid) {
        // SAFETY: the closure runs between fork and exec and makes only async-signal-safe calls
        // (prctl, getppid, pthread_sigmask); it takes no lock and allocates nothing.
        unsafe {
            self.command.pre_exec(move || {
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                if getppid() != parent {
                    // The parent died before the line above: no signal will come.
                    return Err(Errno::ESRCH.into());
                }
                SigSet::empty().thread_set_mask()?;
                Ok(())
            });
        }
    }

    /// Runs it from the calling thread to its end, at most `limit` long.
    pub(crate) fn finish(mut self, host: &str, limit: Duration) -> Result<Finished> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = self.start(host)?;
        let stdout = read_all(process.child.stdout.take());
        let stderr = read_all(process.child.stderr.take());
        let status = process.wait(limit);
        if status.is_err() {
            process.kill();
        }
        let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().unwrap_or_default());
        let status = status.map_err(|error| match error {
            Error::Timeout { what, limit } => {
                Error::Timeout { what: format!("{what}; it had printed: {stdout}{stderr}"), limit }
            }
            other => other,
        })?;
        Ok(Finished { status, stdout, stderr, text: process.text.clone(), host: host.to_owned() })
    }
}

/// Reads a pipe to its end on another thread, so that a child never blocks on a full one.
fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe
            && let Err(error) = pipe.read_to_end(&mut bytes)
        {
            eprintln!("lab: reading the output of a command: {error}");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A command that has run.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    text: String,
    host: String,
}

impl Finished {
    /// What it printed, when it ended well.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            Ok(self.stdout)
        } else {
            Err(Error::Command {
                command: self.text,
                host: self.host,
                status: self.status.to_string(),
                output: format!("{}{}", self.stdout, self.stderr),
            })
        }
    }
}

/// A running child, the leader of its own process group; killed and reaped when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    text: String,
    host: String,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn group(&self) -> Pid {
        // Process ids are below 2^22 on Linux.
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        killpg(self.group(), signal).context(|| format!("sending {signal} to `{}`", self.text))
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context(|| format!("looking after `{}`", self.text))
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if started.elapsed() >= limit {
                return Err(Error::Timeout {
                    what: format!("`{}` on {} ended", self.text, self.host),
                    limit,
                });
            }
            thread::sleep(PAUSE);
        }
    }

    /// Asks it to end (SIGTERM) and waits for it.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait(limit)
    }

    /// Ends it at once (SIGKILL) and reaps it. Says nothing when it had ended before.
    pub fn kill(&mut self) {
        if let Ok(Some(_)) = self.ended() {
            return;
        }
        let killed: io::Result<()> = killpg(self.group(), Signal::SIGKILL)
            .map_err(io::Error::from)
            .and_then(|()| self.child.wait().map(drop));
        if let Err(error) = killed {
            eprintln!("lab: killing `{}` on {}: {error}", self.text, self.host);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
