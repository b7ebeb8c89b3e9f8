//! How many file descriptors the agent may open, and what probes may take of them.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lb_config::plural::counted;
use lb_files::descriptor_reserve;
use lb_health::{Descriptors, Waits};

/// Descriptors that probes leave free, when there are so many: for 64 clients at each of two sockets
/// of the API, files, and another set of maps and programs.
const RESERVE: usize = 256;

/// How long waits for descriptors are shown after the last one.
const SHOWN: Duration = Duration::from_mins(1);

/// The least limit: about 80 for maps, programs and sockets of one interface, and some for probes and files.
const LIMIT_MIN: usize = 128;

/// Limits that are advised are multiples of this.
const ADVISED_STEP: usize = 1024;

/// The descriptors of this process.
#[derive(Debug, Default)]
pub(super) struct DescriptorBudget {
    /// `RLIMIT_NOFILE`.
    limit: usize,
    /// Open ones that are not those of probes.
    others: usize,
    /// Those that probes may hold.
    allowed: usize,
    waits: Option<Seen>,
    /// `/proc/sys/fs/file-nr`, open for the time when nothing can be opened any more.
    of_host: Option<File>,
}

/// Probes that have waited.
#[derive(Clone, Copy, Debug)]
struct Seen {
    probes: u64,
    longest: Duration,
    last: Instant,
    /// Open files of the whole host and their limit, if that limit was reached.
    of_host: Option<(u64, u64)>,
}

impl DescriptorBudget {
    /// Raises the limit as far as that is allowed. Fails when the data path cannot be loaded with it.
    pub(super) fn new() -> Result<Self> {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};

        let limits = getrlimit(Resource::RLIMIT_NOFILE);
        let raised = limits.and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
        if let Err(error) = raised {
            tracing::warn!(%error, "cannot raise the limit of open files; many targets may need a \
                                    higher limit");
        }
        let limit = getrlimit(Resource::RLIMIT_NOFILE)?.0;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        ensure!(
            limit >= LIMIT_MIN,
            "the agent may open only {limit} files, and needs at least {LIMIT_MIN}: raise \
             LimitNOFILE of its unit (or `ulimit -n`), to {ADVISED_STEP} or more"
        );
        descriptor_reserve::fill();
        let of_host = File::open("/proc/sys/fs/file-nr").ok();
        Ok(Self { limit, of_host, ..Self::default() })
    }

    /// Gives probes what the rest of the agent does not need now.
    pub(super) fn update(&mut self, probes: &Descriptors, now: Instant) {
        // A number that cannot be read has been read before.
        if let Ok(open) = fs::read_dir("/proc/self/fd").map(Iterator::count) {
            self.share(open, probes);
        }
        descriptor_reserve::fill();
        let waits = probes.take_waits();
        if waits != Waits::default() {
            let of_host = self.of_host.as_ref().and_then(open_on_host);
            let none = Seen { probes: 0, longest: Duration::ZERO, last: now, of_host: None };
            let seen = self.waits.get_or_insert(none);
            if waits.refused_by_host > 0 {
                seen.of_host = of_host;
            }
            seen.probes += waits.probes;
            seen.longest = seen.longest.max(waits.longest);
            seen.last = now;
        } else if self.waits.is_some_and(|seen| now.duration_since(seen.last) > SHOWN) {
            self.waits = None;
        }
    }

    fn share(&mut self, open: usize, probes: &Descriptors) {
        self.others = open.saturating_sub(probes.held());
        let free = self.limit.saturating_sub(self.others);
        probes.allow(free - RESERVE.min(free / 2));
        self.allowed = probes.allowed();
    }

    /// The warning while probes wait, with the number of checked targets.
    pub(super) fn warning(&self, targets: usize) -> Option<String> {
        let Seen { probes, longest, of_host, .. } = self.waits?;
        let Self { limit, others, allowed, .. } = self;
        let advised = (targets + others + RESERVE).next_multiple_of(ADVISED_STEP);
        let has = if probes == 1 { "has" } else { "have" };
        let probes = format!("{} {has}", counted(probes, "probe"));
        let late = format!(
            "{probes} waited for a free file descriptor, up to {:.1} s, so that dead targets are \
             noticed late",
            longest.as_secs_f64()
        );
        if let Some((open, most)) = of_host {
            return Some(format!(
                "{late}: {open} of {most} files are open on this host, all processes together; find who \
                 holds them (`lsof`), or raise the limit (`sysctl -w fs.file-max=...`)"
            ));
        }
        Some(format!(
            "{late}: the agent may open {limit} files, of which {allowed} are for probes, and \
             checks {}; raise LimitNOFILE of its unit (or `ulimit -n`) to {advised}",
            counted(targets, "target")
        ))
    }
}

/// Files that are open on the host, and how many may be (proc_sys_fs(5)).
fn open_on_host(file: &File) -> Option<(u64, u64)> {
    let mut text = [0; 128];
    let length = file.read_at(&mut text, 0).ok()?;
    numbers_of_host(text.get(..length)?)
}

fn numbers_of_host(text: &[u8]) -> Option<(u64, u64)> {
    let mut fields = std::str::from_utf8(text).ok()?.split_whitespace();
    let open = fields.next()?.parse().ok()?;
    Some((open, fields.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_get_the_remaining_descriptors_except_a_reserve() {
        for (limit, open, allowed) in
            [(524_288, 100, 523_932), (1024, 124, 644), (200, 100, 50), (100, 95, 12), (50, 60, 12)]
        {
            let probes = Descriptors::default();
            let mut budget = DescriptorBudget { limit, ..DescriptorBudget::default() };
            budget.share(open, &probes);
            assert_eq!((probes.allowed(), budget.allowed), (allowed, allowed), "{open} of {limit}");
        }
    }

    #[test]
    fn the_warning_names_numbers_and_the_remedy() {
        let now = Instant::now();
        let seen =
            Seen { probes: 531, longest: Duration::from_millis(4210), last: now, of_host: None };
        let budget = DescriptorBudget {
            limit: 200,
            others: 80,
            allowed: 60,
            waits: Some(seen),
            of_host: None,
        };
        let warning = budget.warning(601).unwrap();
        for part in [
            "531 probes have waited",
            "up to 4.2 s",
            "may open 200 files, of which 60 are for probes, and checks 601 targets",
            "raise LimitNOFILE of its unit (or `ulimit -n`) to 1024",
        ] {
            assert!(warning.contains(part), "{part} is not in {warning}");
        }
        assert_eq!(DescriptorBudget::default().warning(601), None);
    }

    #[test]
    fn a_host_without_descriptors_is_named_with_its_numbers() {
        let seen = Seen {
            probes: 1,
            longest: Duration::from_secs(3),
            last: Instant::now(),
            of_host: Some((1024, 1024)),
        };
        let budget = DescriptorBudget { waits: Some(seen), ..DescriptorBudget::default() };
        assert_eq!(
            budget.warning(601).unwrap(),
            "1 probe has waited for a free file descriptor, up to 3.0 s, so that dead targets are noticed \
             late: 1024 of 1024 files are open on this host, all processes together; find who holds them \
             (`lsof`), or raise the limit (`sysctl -w fs.file-max=...`)"
        );
        assert_eq!(numbers_of_host(b"2304\t0\t9223372036854775807\n"), Some((2304, (1 << 63) - 1)));
        assert!(open_on_host(&File::open("/proc/sys/fs/file-nr").unwrap()).is_some());
    }
}
