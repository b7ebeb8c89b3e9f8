//! What the agent's side, the probers and the carrier share.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    time::Instant,
};

use lb_config::TargetKey;
use lb_plan::warning::{Warning, WarningKind::ProbePath};

use super::{
    lock::lock, probe_in_flight::ProbeInFlight, probe_path::ProbePaths, socket_registry::Registry,
};
use crate::Outcome;

/// Warnings that name targets, at most; the rest is counted.
const WARNINGS_MAX: usize = 3;

/// The fault before the first attempt to make the device.
pub(super) const NOT_MADE: &str = "the interface of probes does not exist yet";

#[derive(Debug)]
pub(super) struct Shared {
    table: RwLock<Arc<ProbePaths>>,
    registry: Mutex<Registry<ProbeInFlight>>,
    /// Why the device cannot be used; `None` when it can.
    fault: Mutex<Option<String>>,
    /// Targets about which the last probe said nothing, and why.
    doubts: Mutex<BTreeMap<TargetKey, String>>,
    /// A probe did not come to the device.
    astray: AtomicBool,
    /// The mark of probes; zero before there is a device.
    mark: AtomicU8,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            table: RwLock::default(),
            registry: Mutex::new(Registry::new(Instant::now())),
            fault: Mutex::new(Some(NOT_MADE.to_owned())),
            doubts: Mutex::default(),
            astray: AtomicBool::new(false),
            mark: AtomicU8::new(0),
        }
    }

    pub(super) fn table(&self) -> Arc<ProbePaths> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_table(&self, table: ProbePaths) {
        lock(&self.doubts).retain(|target, _| table.probe_paths.contains_key(target));
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    pub(super) fn mark(&self) -> u8 {
        self.mark.load(Relaxed)
    }

    pub(super) fn set_mark(&self, mark: u8) {
        self.mark.store(mark, Relaxed);
    }

    pub(super) fn join(&self, local: SocketAddr, owner: &Arc<ProbeInFlight>) {
        lock(&self.registry).join(local, Arc::clone(owner), Instant::now());
    }

    pub(super) fn leave(&self, local: SocketAddr, owner: &Arc<ProbeInFlight>) {
        lock(&self.registry).leave(local, owner, Instant::now());
    }

    pub(super) fn find(&self, local: SocketAddr) -> Option<Arc<ProbeInFlight>> {
        lock(&self.registry).find(local, Instant::now()).cloned()
    }

    pub(super) fn fault(&self) -> Option<String> {
        lock(&self.fault).clone()
    }

    pub(super) fn set_fault(&self, fault: Option<String>) {
        *lock(&self.fault) = fault;
    }

    /// A probe did not come to the device: its rule or route must be gone.
    pub(super) fn report_astray(&self) {
        self.astray.store(true, Relaxed);
    }

    /// Whether one did since this was asked last.
    pub(super) fn take_astray(&self) -> bool {
        self.astray.swap(false, Relaxed)
    }

    /// Remembers what a probe said about this host.
    pub(super) fn note(&self, target: &TargetKey, outcome: &Outcome) {
        let mut doubts = lock(&self.doubts);
        match outcome {
            Outcome::Inconclusive { detail } if self.table().probe_paths.contains_key(target) => {
                doubts.insert(target.clone(), detail.clone());
            }
            _ => {
                doubts.remove(target);
            }
        }
    }

    /// Warnings, if there are probes on this path.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let checked = self.table().probe_paths.len();
        if checked == 0 {
            return Vec::new();
        }
        if let Some(fault) = self.fault() {
            let text = format!(
                "health checks via tunnel: {fault}; {}",
                match checked {
                    1 => "the only target with such checks keeps its state".to_owned(),
                    many => format!("the {many} targets with such checks keep their states"),
                }
            );
            return vec![Warning::new(ProbePath, "", text)];
        }
        let doubts = lock(&self.doubts);
        let mut warnings: Vec<Warning> = doubts
            .iter()
            .take(WARNINGS_MAX)
            .map(|(target, detail)| {
                let text =
                    format!("health check via tunnel of {target}: {detail}; it keeps its state");
                Warning::new(ProbePath, target.to_string(), text)
            })
            .collect();
        if doubts.len() > WARNINGS_MAX {
            let more = doubts.len() - WARNINGS_MAX;
            let text = format!(
                "health checks via tunnel: {more} more targets also keep their \
                                states"
            );
            warnings.push(Warning::new(ProbePath, "more targets", text));
        }
        warnings
    }
}
