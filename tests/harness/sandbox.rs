//! A thread in a mount namespace of its own, with a fresh `/run` and bpffs.
//!
//! It isolates file names, not privileges: processes in it are root of the machine.

use std::{fs, panic, path::Path, thread};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use crate::error::{Context as _, Result};

/// Where network namespaces have names, as `ip netns` expects them.
pub const NETNS_DIR: &str = "/run/netns";
/// The lab's own files: configurations, logs, what servers serve.
pub const LAB_DIR: &str = "/run/lab";
/// The lab's bpffs.
pub const BPFFS: &str = "/sys/fs/bpf";

const NO_TEXT: Option<&str> = None;

/// The mounts of a lab; gone when it is dropped, or when the last process in it ends.
#[derive(Debug)]
pub struct Sandbox {
    /// Only [`run`] makes one, since it changes the calling thread for good.
    _private: (),
}

/// Runs `body` in a separate thread that sees the sandbox; threads and processes that it starts see
/// it too. A panic of `body` is passed on.
pub fn run<T, E>(
    body: impl FnOnce(Sandbox) -> std::result::Result<T, E> + Send + 'static,
) -> std::result::Result<T, E>
where
    T: Send + 'static,
    E: From<crate::Error> + Send + 'static,
{
    let worker = thread::Builder::new()
        .name("lab".to_owned())
        .spawn(move || body(Sandbox::enter()?))
        .context(|| "starting the lab's thread".to_owned())?;
    worker.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
}

impl Sandbox {
    fn enter() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS)
            .context(|| "making a private mount namespace".to_owned())?;
        // Without this, what is mounted here would appear on the machine too.
        mount(NO_TEXT, "/", NO_TEXT, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NO_TEXT)
            .context(|| "making the mounts private".to_owned())?;
        let sandbox = Self { _private: () };
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
            .context(|| "mounting a tmpfs on /run".to_owned())?;
        mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), NO_TEXT)
            .context(|| format!("mounting a bpffs on {BPFFS}"))?;
        for directory in [NETNS_DIR, LAB_DIR] {
            fs::create_dir_all(directory).context(|| format!("creating {directory}"))?;
        }
        Ok(sandbox)
    }

    /// The lab's own directory.
    #[must_use]
    pub fn directory(&self) -> &'static Path {
        Path::new(LAB_DIR)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The mount namespace ends with the thread; this only makes sure that no straggler, such
        // as a child that another thread is about to reap, delays it.
        for target in [BPFFS, "/run"] {
            if let Err(error) = umount2(target, MntFlags::MNT_DETACH) {
                eprintln!("lab: unmounting {target}: {error}");
            }
        }
    }
}
