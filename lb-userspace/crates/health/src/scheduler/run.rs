//! The task of one target: wait, probe and report in a loop. It decides nothing itself.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use lb_config::TargetKey;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{Life, lock};
use crate::{
    Descriptors, EndedProbe, HealthEvent, Outcome, Probe, Prober, SchedulerStats,
    schedule::Schedule,
};

/// How long a probe that found no file descriptor waits before it is made again.
const RETRY: Duration = Duration::from_millis(250);

pub(super) struct Run {
    pub(super) target: TargetKey,
    pub(super) probe: Probe,
    pub(super) schedule: Schedule,
    pub(super) life: Arc<Mutex<Life>>,
    pub(super) generation: u64,
    pub(super) events: UnboundedSender<HealthEvent>,
    pub(super) prober: Arc<dyn Prober>,
    pub(super) stats: Arc<SchedulerStats>,
    pub(super) descriptors: Arc<Descriptors>,
}

impl Run {
    /// Probes until the task is aborted or replaced, or the receiver is dropped. One probe at a
    /// time: one that is due during the previous one starts when that has ended.
    pub(super) async fn forever(mut self) {
        let mut ready = self.schedule.due();
        loop {
            let due = self.schedule.due().max(ready);
            sleep_until(due).await;
            let (outcome, started) = self.probe_with_descriptor(due).await;
            let ended = Instant::now();
            self.count(&outcome);
            if !self.report(outcome, started, ended) {
                return;
            }
            self.schedule.advance(ended);
            ready = ended;
        }
    }

    /// Probes as soon as there is a file descriptor. The time of the probe begins then.
    async fn probe_with_descriptor(&self, due: Instant) -> (Outcome, Instant) {
        let mut lacked = false;
        loop {
            let descriptors = self.descriptors.take(&self.probe.protocol).await;
            let started = Instant::now();
            if !lacked {
                self.stats.count_started(started.saturating_duration_since(due));
            }
            let outcome = self.probe_until(started + self.probe.timeout).await;
            drop(descriptors);
            let Outcome::NoDescriptor(who) = outcome else {
                return (outcome, started);
            };
            self.descriptors.lacked(who, started.saturating_duration_since(due), !lacked);
            lacked = true;
            sleep(RETRY).await;
        }
    }

    async fn probe_until(&self, deadline: Instant) -> Outcome {
        let probe = async { self.prober.probe(&self.probe, deadline).await };
        // A prober that panics would end this task, and its target would never be checked again.
        let guarded = AssertUnwindSafe(probe).catch_unwind();
        match timeout_at(deadline, guarded).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Outcome::Inconclusive {
                detail: "the prober panicked; please report this".to_owned(),
            },
            Err(_elapsed) => Outcome::timeout(format!("no result within {:?}", self.probe.timeout)),
        }
    }

    fn count(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Success | Outcome::Reported(_) | Outcome::NoDescriptor(_) => {}
            Outcome::Failure { reason, detail } => {
                self.stats.count_failed();
                tracing::debug!(target_key = %self.target, %reason, detail, "probe failed");
            }
            Outcome::Inconclusive { detail } => {
                // The cause is on this host and affects many targets at once: the log gets the 1st,
                // 2nd, 4th, 8th, ... of them, not thousands a second.
                let count = self.stats.count_inconclusive();
                if count.is_power_of_two() {
                    tracing::warn!(
                        target_key = %self.target,
                        count,
                        detail,
                        "this host could not probe the target, which keeps its state"
                    );
                }
            }
        }
    }

    /// Returns whether to continue. The event is sent under the lock: once the scheduler has
    /// changed the generation, which takes the lock too, nothing more can be sent.
    fn report(&self, outcome: Outcome, started: Instant, ended: Instant) -> bool {
        let mut life = lock(&self.life);
        if life.generation != self.generation {
            return false;
        }
        let news = life.machine.observe(&outcome, ended);
        if let Outcome::Reported(reports) = &outcome {
            life.reported = Some((ended, reports.clone()));
        }
        let took = ended.saturating_duration_since(started);
        life.recent.add(EndedProbe { ended, took, outcome });
        let Some(health) = news else {
            return true;
        };
        let event =
            HealthEvent { target: self.target.clone(), health, decided_at: ended.into_std() };
        self.events.send(event).is_ok()
    }
}
