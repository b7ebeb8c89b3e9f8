//! A thread with a mount namespace and its own bpffs, on one CPU: pins there are invisible to other
//! processes, and are removed when the thread ends in any way.

use std::{io, panic, path::Path, thread};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, CpuSet, sched_getcpu, sched_setaffinity, unshare},
    unistd::Pid,
};

use super::BenchError;

/// Where a bpffs can be mounted: the kernel makes this folder. In the thread, what is mounted there
/// elsewhere cannot be seen.
const BPFFS: &str = "/sys/fs/bpf";

const NO_TEXT: Option<&str> = None;

/// Runs `body` in such a thread, on this CPU or the one that it is on, with the path of the bpffs and the
/// number of the CPU. A panic of `body` is passed on.
pub(super) fn run<T: Send>(
    cpu: Option<usize>,
    body: impl FnOnce(&Path, usize) -> Result<T, BenchError> + Send,
) -> Result<T, BenchError> {
    thread::scope(|scope| {
        let work = || {
            let cpu = stay(cpu)?;
            enter()?;
            body(Path::new(BPFFS), cpu)
        };
        let worker = thread::Builder::new().name("bench".to_owned()).spawn_scoped(scope, work);
        let worker =
            worker.map_err(|source| BenchError::Host { action: "start a thread", source })?;
        worker.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

/// Stays on one CPU: the generator's state and the budgets of the program under test are a CPU's.
fn stay(cpu: Option<usize>) -> Result<usize, BenchError> {
    let cpu = match cpu {
        Some(cpu) => cpu,
        None => sched_getcpu().map_err(|error| BenchError::Host {
            action: "find out the current CPU",
            source: error.into(),
        })?,
    };
    let no_such = || BenchError::Usage(format!("--cpu {cpu}: xelb cannot run on this CPU"));
    let mut set = CpuSet::new();
    set.set(cpu).map_err(|_| no_such())?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(|_| no_such())?;
    Ok(cpu)
}

fn enter() -> Result<(), BenchError> {
    let failed = |action: &'static str| {
        move |error: nix::Error| BenchError::Room { action, source: io::Error::from(error) }
    };
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("make a mount namespace"))?;
    // Without this, what is mounted here would appear on the host too.
    mount(NO_TEXT, "/", NO_TEXT, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NO_TEXT)
        .map_err(failed("make the mounts private"))?;
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), NO_TEXT)
        .map_err(failed("mount a bpffs"))
}
