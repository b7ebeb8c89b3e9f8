//! Which targets are being checked: one task for each. Probes and the meaning of their outcomes are
//! defined elsewhere.

#[cfg(test)]
mod cost;
mod run;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lb_config::{HealthCheck, TargetKey};
use tokio::{sync::mpsc::UnboundedSender, task::JoinHandle, time::Instant};

use self::run::Run;
use super::{
    CheckSpec, Descriptors, EndedProbe, Health, HealthEvent, Machine, NetworkProber, Probe, Prober,
    Report, SchedulerStats,
    recent::Recent,
    schedule::{Random, Schedule},
};

/// Checks targets until it is dropped, and sends an event for each change of a verdict.
///
/// The initial verdict of a target (`resume`, or `Initial`) is not a change and sends no event.
pub struct Scheduler {
    events: UnboundedSender<HealthEvent>,
    prober: Arc<dyn Prober>,
    stats: Arc<SchedulerStats>,
    descriptors: Arc<Descriptors>,
    targets: HashMap<TargetKey, Checked>,
}

/// One target under check. Dropping it stops the check: no event comes after that.
struct Checked {
    check: HealthCheck,
    since: Instant,
    life: Arc<Mutex<Life>>,
    task: JoinHandle<()>,
}

/// State that a target's task shares with the scheduler, which may replace the task.
struct Life {
    /// Number of the task that may report for the target. An aborted task can still be running on
    /// another thread: it finds another number here, and reports nothing.
    generation: u64,
    machine: Machine,
    recent: Recent,
    /// What it said of itself last, and when.
    reported: Option<(Instant, Vec<Report>)>,
}

impl Scheduler {
    /// A scheduler that probes over the network and checks nothing yet.
    #[must_use]
    pub fn new(events: UnboundedSender<HealthEvent>) -> Self {
        Self::with_prober(events, Arc::<NetworkProber>::default())
    }

    /// A scheduler with a prober of the caller's choice.
    #[must_use]
    pub fn with_prober(events: UnboundedSender<HealthEvent>, prober: Arc<dyn Prober>) -> Self {
        Self {
            events,
            prober,
            stats: Arc::default(),
            descriptors: Arc::default(),
            targets: HashMap::new(),
        }
    }

    /// Checks exactly these targets from now on. Must be called inside a tokio runtime.
    ///
    /// New targets start, missing ones stop, targets with a changed check continue with the new
    /// check and their verdict, and all others are not affected. Of two with the same key the later
    /// counts.
    ///
    /// When this returns, no further event of a stopped target or of a replaced check is sent.
    /// Earlier events may still be in the channel; [`Self::is_current`] detects them.
    pub fn set(&mut self, wanted: Vec<CheckSpec>) {
        let mut former = mem::take(&mut self.targets);
        for spec in wanted {
            let known = self.targets.remove(&spec.target);
            let checked = match known.or_else(|| former.remove(&spec.target)) {
                None => self.start(&spec),
                Some(same) if same.check == spec.check => same,
                Some(changed) => self.restart(changed, &spec),
            };
            self.targets.insert(spec.target, checked);
        }
    }

    /// Whether an event is about a target as it is being checked now, and not about one that has
    /// since been stopped (and perhaps started again).
    #[must_use]
    pub fn is_current(&self, event: &HealthEvent) -> bool {
        self.targets
            .get(&event.target)
            .is_some_and(|checked| checked.since.into_std() <= event.decided_at)
    }

    /// The present verdict on a target, with the detail of the last failed probe; `None` for a
    /// target that is not checked.
    #[must_use]
    pub fn health(&self, target: &TargetKey) -> Option<Health> {
        let checked = self.targets.get(target)?;
        Some(lock(&checked.life).machine.health().clone())
    }

    /// The last probes of a target, newest first; none of a target that is not checked.
    #[must_use]
    pub fn recent(&self, target: &TargetKey) -> Vec<EndedProbe> {
        self.targets.get(target).map_or_else(Vec::new, |checked| lock(&checked.life).recent.all())
    }

    /// What a target said of itself last, and how long ago; `None` if it was not asked, or has not
    /// answered a check yet.
    #[must_use]
    pub fn reported(&self, target: &TargetKey) -> Option<(Duration, Vec<Report>)> {
        let (at, reports) = lock(&self.targets.get(target)?.life).reported.clone()?;
        Some((at.elapsed(), reports))
    }

    /// Number of targets being checked.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.targets.len()
    }

    /// The counters; they outlive the scheduler.
    #[must_use]
    pub fn stats(&self) -> Arc<SchedulerStats> {
        Arc::clone(&self.stats)
    }

    /// The file descriptors that probes may hold; unlimited at first.
    #[must_use]
    pub fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    fn start(&self, spec: &CheckSpec) -> Checked {
        let life = Arc::new(Mutex::new(Life {
            generation: 0,
            machine: Machine::new(&spec.check, spec.resume),
            recent: Recent::default(),
            reported: None,
        }));
        Checked {
            check: spec.check.clone(),
            since: Instant::now(),
            task: self.spawn(spec, &life, 0),
            life,
        }
    }

    fn restart(&self, mut checked: Checked, spec: &CheckSpec) -> Checked {
        let generation = checked.silence();
        lock(&checked.life).machine.adopt(&spec.check);
        checked.task = self.spawn(spec, &checked.life, generation);
        checked.check = spec.check.clone();
        checked
    }

    fn spawn(&self, spec: &CheckSpec, life: &Arc<Mutex<Life>>, generation: u64) -> JoinHandle<()> {
        let random = Random::for_target(&spec.target);
        let run = Run {
            target: spec.target.clone(),
            probe: Probe::new(&spec.target, &spec.check),
            schedule: Schedule::new(Instant::now(), spec.check.interval, random),
            life: Arc::clone(life),
            generation,
            events: self.events.clone(),
            prober: Arc::clone(&self.prober),
            stats: Arc::clone(&self.stats),
            descriptors: Arc::clone(&self.descriptors),
        };
        tokio::spawn(run.forever())
    }
}

impl Checked {
    /// Ends the task and its reports; returns the generation of the next one.
    fn silence(&self) -> u64 {
        self.task.abort();
        let mut life = lock(&self.life);
        life.generation += 1;
        life.generation
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        self.silence();
    }
}

/// The state is consistent after a panic elsewhere: each change is complete before anything can
/// fail.
fn lock(life: &Mutex<Life>) -> MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}
