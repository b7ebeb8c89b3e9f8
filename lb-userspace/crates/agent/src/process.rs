//! Resources of the agent's own process.

use std::{fs, os::unix::fs::MetadataExt as _, time::Duration};

use nix::time::{ClockId, clock_gettime};

/// Memory and time of the process; `None` where the kernel does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Memory that it holds in RAM, with maps of the kernel and files that it has mapped.
    pub resident_bytes: Option<u64>,
    /// The part of it that is the process's alone (anonymous memory).
    pub own_bytes: Option<u64>,
    /// Time that CPUs have worked for it.
    pub cpu: Option<Duration>,
}

impl Process {
    /// This process, now.
    #[must_use]
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpu = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
        Self {
            resident_bytes: size(&status, "VmRSS:"),
            own_bytes: size(&status, "RssAnon:"),
            cpu: cpu.ok().map(Duration::from),
        }
    }
}

/// What tells the network namespace of this process from others: the inode of its file; 0 where the
/// kernel does not say.
#[must_use]
pub fn network_namespace() -> u64 {
    fs::metadata("/proc/self/ns/net").map_or(0, |file| file.ino())
}

/// From /proc/PID/status (proc(5)), where sizes are in KiB.
fn size(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read() {
        let cases = [
            ("Name:\txelb\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n", Some(2_097_152)),
            ("VmRSS:\t12 pages\n", None),
            ("VmRSS:\t18446744073709551615 kB\n", None),
            ("Name:\txelb\n", None),
            ("", None),
        ];
        for (status, expected) in cases {
            assert_eq!(size(status, "VmRSS:"), expected, "{status:?}");
        }
        assert_eq!(size(cases[0].0, "RssAnon:"), Some(1024));
    }

    #[test]
    fn this_process_has_memory_and_has_worked() {
        let Process { resident_bytes, own_bytes, cpu } = Process::now();
        assert!(own_bytes > Some(0) && own_bytes < resident_bytes, "{own_bytes:?}");
        assert!(resident_bytes > Some(1 << 20), "{resident_bytes:?}");
        assert!(cpu > Some(Duration::ZERO), "{cpu:?}");
    }
}
