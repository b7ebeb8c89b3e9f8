//! Privileges that a process drops between fork and exec, before it becomes the program of a check:
//! system calls only, since nothing else is safe there.

use std::{fs, io, sync::LazyLock};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        signal::Signal,
    },
    unistd::{setgroups, setresgid, setresuid, setsid},
};

use super::policy::ExecUser;

/// Largest file that a program may write.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Files that it may have open; the agent's own limit is far higher.
const OPEN_FILES_MAX: u64 = 1024;

/// CAP_KILL, CAP_SETGID and CAP_SETUID: needed to run a program as another user, and to end it.
const NEEDED: u64 = 1 << 5 | 1 << 6 | 1 << 7;

/// `struct __user_cap_header_struct` of linux/capability.h, version 3.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// Whether this process may run programs as another user, and end them.
pub(super) fn can_switch_user() -> bool {
    static EFFECTIVE: LazyLock<u64> = LazyLock::new(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
    });
    *EFFECTIVE & NEEDED == NEEDED
}

/// Becomes a session of its own, of this user, without capabilities and without means to get them,
/// with only the first three files open, with resource limits, and is killed with the thread that
/// has started it.
pub(super) fn confine(user: &ExecUser, cpu_seconds: u64) -> io::Result<()> {
    setsid()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)?;
    setrlimit(Resource::RLIMIT_FSIZE, FILE_BYTES_MAX, FILE_BYTES_MAX)?;
    // A lower limit of the agent stays.
    let _lower = setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES_MAX, OPEN_FILES_MAX);
    close_on_exec()?;
    if !user.is_self() {
        setgroups(&user.groups)?;
        setresgid(user.gid, user.gid, user.gid)?;
        setresuid(user.uid, user.uid, user.uid)?;
    }
    drop_capabilities()?;
    // Root without capabilities would get them all back by exec, and others by set-user-id programs.
    prctl::set_no_new_privs()?;
    // A change of the user takes this back, so it comes last.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Ok(())
}

/// Marks all descriptors except the first three, since they may have been opened without
/// close-on-exec.
fn close_on_exec() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: the call takes three numbers and touches no memory.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    Ok(Errno::result(result).map(drop)?)
}

fn drop_capabilities() -> io::Result<()> {
    let header = CapabilityHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    // Effective, permitted and inheritable, twice 32 of each.
    let none = [0_u32; 6];
    // SAFETY: both have the size and layout that version 3 asks for, and live until the call returns.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    Ok(Errno::result(result).map(drop)?)
}
