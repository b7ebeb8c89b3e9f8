//! What `xelb bench program` measures, and how.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use lb_common::generate::FLOWS_MAX;

use super::{
    BenchError,
    balancer_under_test::share,
    cases::{Case, Flows, Reference},
};

/// Most balancers that are loaded at a time: each takes about 200 MB.
const BEDS_MAX: usize = 8;

/// What is measured.
#[derive(Clone, Debug)]
pub enum Source {
    /// These cases, in groups of so many targets.
    Synthetic {
        /// They.
        cases: Vec<Case>,
        /// Targets of each group.
        targets: u16,
    },
    /// A copy of the tables of a running data path.
    Live {
        /// Where its maps are pinned.
        folder: PathBuf,
        /// The listeners, by address and port; all (but at most eight) if none is named.
        listeners: Vec<SocketAddr>,
    },
}

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the balancer is given.
    pub source: Source,
    /// Programs to compare with.
    pub references: Vec<Reference>,
    /// Numbers of flows.
    pub flows: Vec<Flows>,
    /// Packets of a batch.
    pub packets: u32,
    /// Batches of a cell in a repetition.
    pub batches: u32,
    /// Repetitions.
    pub repetitions: u32,
    /// No cell is begun after that long.
    pub time_limit: Duration,
    /// The CPU to run on; none is the one that it is on.
    pub cpu: Option<usize>,
}

impl Options {
    /// Refuses what cannot be measured.
    pub(super) fn check(&self) -> Result<(), BenchError> {
        let new: u64 =
            [self.packets, 2 * self.batches + 1, self.repetitions].map(u64::from).iter().product();
        if self.flows.iter().any(|flows| flows.all_new) && new > u64::from(FLOWS_MAX) {
            return Err(BenchError::Usage(format!(
                "{new} packets cannot each be of a new flow: there are only {FLOWS_MAX}; choose \
                 fewer packets, batches or repetitions, or leave out `--flows all-new`"
            )));
        }
        let Source::Synthetic { cases, targets } = &self.source else { return Ok(()) };
        let beds = share(cases, *targets).len();
        if beds > BEDS_MAX {
            return Err(BenchError::Usage(format!(
                "{} cases with {targets} targets each need {beds} balancers, and {BEDS_MAX} are too many \
                 already; choose cases, or fewer targets",
                cases.len()
            )));
        }
        Ok(())
    }
}
