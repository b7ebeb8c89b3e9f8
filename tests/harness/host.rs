//! One host: a network namespace, and the thread that lives in it.
//!
//! Other threads reach the namespace by handing that thread work. Processes are started by it too:
//! they inherit the namespace, keep the view of the files (which `ip netns exec` would hide behind
//! another mount namespace, bpffs included), and die with it.

use std::{
    fs::{self, File},
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::{
    error::{Context as _, Result},
    process::{Finished, Process, Task},
    requirements::find_program,
    sandbox::{NETNS_DIR, Sandbox},
};

type Job = Box<dyn FnOnce() + Send>;

/// How long a command of the lab itself (`ip`, `ethtool`) may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// A host of the lab.
#[derive(Debug)]
pub struct Host {
    name: String,
    jobs: Option<mpsc::Sender<Job>>,
    worker: Option<JoinHandle<()>>,
}

impl Host {
    /// A host with a loopback interface and nothing else. The name is that of its namespace in
    /// `ip netns`, inside the sandbox.
    pub fn new(_sandbox: &Sandbox, name: &str) -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (ready, made) = mpsc::sync_channel(1);
        let label = name.to_owned();
        let worker = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let made = make_namespace(&label);
                let usable = made.is_ok();
                if ready.send(made).is_ok() && usable {
                    for job in queue {
                        job();
                    }
                }
            })
            .context(|| format!("starting the thread of host {name}"))?;
        let host = Self { name: name.to_owned(), jobs: Some(jobs), worker: Some(worker) };
        // The sender is dropped without a message only when the thread panicked.
        made.recv().unwrap_or_else(|_| {
            Err(crate::Error::Answer {
                what: format!("the thread of host {name}"),
                text: "ended early".to_owned(),
            })
        })?;
        host.set("net/ipv4/conf/default/rp_filter", "0")?;
        host.set("net/ipv4/conf/all/rp_filter", "0")?;
        host.set("net/ipv6/conf/default/accept_dad", "0")?;
        host.set("net/ipv6/conf/default/dad_transmits", "0")?;
        host.set("net/ipv6/conf/default/accept_ra", "0")?;
        host.ip("link set lo up")?;
        Ok(host)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `job` in the namespace and waits for it; a panic of `job` is passed on.
    ///
    /// # Panics
    /// When `job` does.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, result) = mpsc::sync_channel(1);
        let sent = self.jobs.as_ref().map(|jobs| {
            jobs.send(Box::new(move || {
                // The receiver is gone only when the caller has panicked.
                drop(sender.send(panic::catch_unwind(AssertUnwindSafe(job))));
            }))
        });
        let answer = match sent {
            Some(Ok(())) => result.recv().ok(),
            _ => None,
        };
        match answer {
            Some(Ok(value)) => value,
            Some(Err(payload)) => panic::resume_unwind(payload),
            None => panic!("the thread of host {} ended early", self.name),
        }
    }

    /// Starts a thread in the namespace.
    pub fn thread<T: Send + 'static>(
        &self,
        name: &str,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let name = format!("{}-{name}", self.name);
        let label = name.clone();
        self.run(move || thread::Builder::new().name(name).spawn(body))
            .context(|| format!("starting the thread {label}"))
    }

    /// Starts a process in the namespace.
    pub fn spawn(&self, task: Task) -> Result<Process> {
        let name = self.name.clone();
        self.run(move || task.start(&name))
    }

    /// Runs a command in the namespace to its end, at most `limit` long. The host does other work
    /// meanwhile.
    pub fn finish(&self, task: Task, limit: Duration) -> Result<Finished> {
        let name = self.name.clone();
        let worker = self.thread("command", move || task.finish(&name, limit))?;
        worker.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Runs a command that must succeed; returns what it printed.
    pub fn command<S: AsRef<str>>(
        &self,
        program: &str,
        arguments: &[S],
        limit: Duration,
    ) -> Result<String> {
        self.finish(Task::new(program, arguments), limit)?.success()
    }

    /// Runs `ip` with these words.
    pub fn ip(&self, words: &str) -> Result<String> {
        self.words("ip", words)
    }

    /// Runs a program of the lab itself with these words.
    pub fn words(&self, program: &str, words: &str) -> Result<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        // Rust uses `vfork` for a program with a path only, when `PATH` is set.
        let path = find_program(program).unwrap_or_else(|| program.into());
        self.finish(Task::new(path, &words).brief(), COMMAND_LIMIT)?.success()
    }

    /// Writes a value below `/proc/sys`: that of this namespace, since its thread writes it.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{name}");
        let label = format!("writing {value} to {path} on {}", self.name);
        let value = value.to_owned();
        self.run(move || fs::write(path, value)).context(|| label)
    }

    /// Whether an XDP program is attached to an interface.
    pub fn has_xdp(&self, interface: &str) -> Result<bool> {
        Ok(self.ip(&format!("-d link show dev {interface}"))?.contains("prog/xdp"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(worker) = self.worker.take()
            && worker.join().is_err()
        {
            eprintln!("lab: the thread of host {} panicked", self.name);
        }
    }
}

/// Moves the calling thread into a new network namespace and names it.
fn make_namespace(name: &str) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)
        .context(|| format!("making a network namespace for {name}"))?;
    let path = Path::new(NETNS_DIR).join(name);
    File::create(&path).context(|| format!("creating {}", path.display()))?;
    mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .context(|| format!("naming the network namespace {}", path.display()))
}
