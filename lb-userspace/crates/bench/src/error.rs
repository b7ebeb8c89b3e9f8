//! Errors of measurements.

use std::io;

use aya::{EbpfError, maps::MapError, programs::ProgramError};
use lb_config::ConfigErrors;
use lb_dataplane::{LiveError, LoadError, PreflightError, StatsError, StoreError};
use lb_plan::PlanError;
use thiserror::Error;

use super::verify::Astray;

/// Errors of measurements.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The requested case cannot be measured.
    #[error("{0}")]
    Usage(String),
    /// The host cannot run xelb.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The mount namespace for the maps.
    #[error("cannot {action}; `xelb bench program` needs root (CAP_SYS_ADMIN)")]
    Room {
        /// The failed action.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The host does not do what measuring needs.
    #[error("cannot {action}")]
    Host {
        /// The failed action.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The live tables.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The program under test.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its maps.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its counters.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// The configuration that is measured.
    #[error("the configuration to measure has errors")]
    Plan(#[from] PlanError),
    /// Its text.
    #[error("the configuration to measure is not valid")]
    Config(#[from] ConfigErrors),
    /// The generator's object.
    #[error("cannot load the packet generator")]
    Generator(#[source] Box<EbpfError>),
    /// The generator's maps.
    #[error("cannot write to the packet generator's map {map}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why not.
        #[source]
        source: MapError,
    },
    /// The kernel does not run a program.
    #[error("the kernel does not run {program} on test packets")]
    Run {
        /// Its name.
        program: &'static str,
        /// Why not.
        #[source]
        source: Box<ProgramError>,
    },
    /// A frame cannot be built.
    #[error("cannot build a frame: {0}")]
    Frame(String),
    /// A batch ended in another verdict than that of a packet that is forwarded.
    #[error("{row}, {flows} flows: the last packet ended in {verdict}, not in {expected}")]
    Verdict {
        /// What was measured.
        row: String,
        /// With how many flows.
        flows: &'static str,
        /// The verdict.
        verdict: String,
        /// What is right.
        expected: &'static str,
    },
    /// Packets took another code path.
    #[error("{row}, {flows} flows: the packets did not take the measured code path: {astray}")]
    Astray {
        /// What was measured.
        row: String,
        /// With how many flows.
        flows: &'static str,
        /// Where they went.
        astray: Astray,
    },
    /// Flows that are remembered were not met.
    #[error("{row}: the first flows did not go to the targets that remember them, one each")]
    NotMet {
        /// What was measured.
        row: String,
    },
    /// The generator or a reference program gave packets up.
    #[error("{row}, {flows} flows: {count} packets were aborted in the program")]
    GivenUp {
        /// What was measured.
        row: String,
        /// With how many flows.
        flows: &'static str,
        /// How many.
        count: u64,
    },
    /// Flows could not be prepared.
    #[error("{count} flows could not be remembered in advance")]
    NotRemembered {
        /// How many.
        count: usize,
    },
    /// It takes too long.
    #[error(
        "the first repetition was not complete after {seconds} s; choose fewer cases, flows or \
         packets, or a longer --time-limit"
    )]
    TooLong {
        /// The limit.
        seconds: u64,
    },
}

impl BenchError {
    /// Whether the user must correct the command.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }

    /// Whether it is a property of what is measured, which a live data path may well have.
    pub(super) const fn is_of_the_tables(&self) -> bool {
        matches!(self, Self::Verdict { .. } | Self::Astray { .. })
    }
}
