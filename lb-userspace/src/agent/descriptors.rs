//! How many file descriptors the agent may open, and what probes may take of them.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::health::Descriptors;

/// Descriptors that probes leave free, when there are so many: for 64 clients at each of two sockets
/// of the API, files, and another set of maps and programs.
const RESERVE: usize = 256;

/// How long waits for descriptors are shown after the last one.
const SHOWN: Duration = Duration::from_mins(1);

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
}

/// Probes that have waited.
#[derive(Clone, Copy, Debug)]
struct Seen {
    probes: u64,
    longest: Duration,
    last: Instant,
}

impl DescriptorBudget {
    /// Raises the limit as far as that is allowed.
    pub(super) fn new() -> Self {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};

        let limits = getrlimit(Resource::RLIMIT_NOFILE);
        let raised = limits.and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
        if let Err(error) = raised {
            tracing::warn!(%error, "cannot raise the limit of open files; many targets may need more");
        }
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), ..Self::default() }
    }

    /// Gives probes what the rest of the agent does not need now.
    pub(super) fn tend(&mut self, probes: &Descriptors, now: Instant) {
        // A number that cannot be read has been read before.
        if let Ok(open) = fs::read_dir("/proc/self/fd").map(Iterator::count) {
            self.share(open, probes);
        }
        let waits = probes.take_waits();
        if waits.probes > 0 {
            let seen =
                self.waits.get_or_insert(Seen { probes: 0, longest: Duration::ZERO, last: now });
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

    /// What to tell people while probes wait; so many targets are checked.
    pub(super) fn warning(&self, targets: usize) -> Option<String> {
        let Seen { probes, longest, .. } = self.waits?;
        let Self { limit, others, allowed, .. } = self;
        let advised = (targets + others + RESERVE).next_multiple_of(ADVISED_STEP);
        let probes = match probes {
            1 => "1 probe has".to_owned(),
            many => format!("{many} probes have"),
        };
        Some(format!(
            "{probes} waited for a free file descriptor, up to {:.1} s, so that dead targets are \
             noticed late: the agent may open {limit} files, of which {allowed} are for probes, and \
             checks {targets} targets; raise LimitNOFILE of its unit (or `ulimit -n`) to {advised}",
            longest.as_secs_f64()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_get_what_is_left_but_for_a_reserve() {
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
        let waits = Some(Seen { probes: 531, longest: Duration::from_millis(4210), last: now });
        let budget = DescriptorBudget { limit: 200, others: 80, allowed: 60, waits };
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
}
