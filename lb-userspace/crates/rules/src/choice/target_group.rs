//! PURE: the targets of a group, and which of them gets the next request.
//!
//! Candidates are, in this order: healthy targets that are not ejected; healthy ones; and, with
//! fewer healthy targets than the minimum, all that are not draining (fail open). Targets of weight
//! 0 and targets at their limit are never candidates.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{
    anomaly::{Detector, Ejection, Outcome},
    least_outstanding::{self, Load},
    random,
    round_robin::RoundRobin,
    settings::{Algorithm, Settings},
    slow_start::effective_weight,
};

/// Whether a target may get requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It may.
    Healthy,
    /// Only when the group fails open. Targets that are not checked yet count as unhealthy.
    Unhealthy,
    /// Never: it is being removed.
    Draining,
}

/// A target for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This target.
    Target {
        /// Its place in the group.
        place: usize,
        /// Whether it was taken although too few targets are healthy.
        fail_open: bool,
    },
    /// Every target that may serve is at its limit: wait, or answer 503.
    Full,
    /// No target may serve: answer 503.
    NoTarget,
}

#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    weight: u32,
    health: Health,
    /// When its slow start began; `None`: it has none.
    slow_since: Option<Duration>,
    /// It came when no other target served with its full weight: its first start is not slow.
    came_first: bool,
    outstanding: Arc<AtomicU32>,
}

impl Target {
    fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Relaxed)
    }
}

/// The targets of a group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    settings: Settings,
    targets: Vec<Target>,
    round_robin: RoundRobin,
    detector: Option<Detector>,
    /// Whether each target is healthy, for the detector.
    in_service: Vec<bool>,
    /// Weights of the candidates; kept so that a choice allocates nothing.
    weights: Vec<u32>,
    loads: Vec<Load>,
}

impl TargetGroup {
    /// A group without targets.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let detector = settings.anomaly_mitigation.clone().map(Detector::new);
        Self {
            settings,
            targets: Vec::new(),
            round_robin: RoundRobin::default(),
            detector,
            in_service: Vec::new(),
            weights: Vec::new(),
            loads: Vec::new(),
        }
    }

    /// Replaces the targets, given by address and weight. Those that stay keep what is known of
    /// them; new ones are unhealthy. Requests of removed targets are forgotten.
    pub fn set_targets(&mut self, targets: &[(SocketAddr, u32)], now: Duration) {
        let old_places: Vec<_> = targets.iter().map(|(address, _)| self.place(*address)).collect();
        let came_first = !(0..self.targets.len()).any(|place| self.serves_fully(place, now));
        let target = |((address, weight), old): (&(SocketAddr, u32), &Option<usize>)| match old {
            Some(old) => Target { weight: *weight, ..self.targets[*old].clone() },
            None => Target {
                address: *address,
                weight: *weight,
                health: Health::Unhealthy,
                slow_since: None,
                came_first,
                outstanding: Arc::default(),
            },
        };
        self.targets = targets.iter().zip(&old_places).map(target).collect();
        self.round_robin.reset();
        if let Some(detector) = &mut self.detector {
            detector.move_targets(&old_places);
        }
        self.health_changed(now);
    }

    /// Place of a target. Places change with `set_targets`.
    #[must_use]
    pub fn place(&self, address: SocketAddr) -> Option<usize> {
        self.targets.iter().position(|target| target.address == address)
    }

    /// Address of the target at a place.
    #[must_use]
    pub fn address(&self, place: usize) -> Option<SocketAddr> {
        self.targets.get(place).map(|target| target.address)
    }

    /// Outstanding requests of the target at a place.
    #[must_use]
    pub fn outstanding(&self, place: usize) -> u32 {
        self.targets.get(place).map_or(0, Target::outstanding)
    }

    /// The counter of outstanding requests of the target at a place.
    #[must_use]
    pub fn counter(&self, place: usize) -> Option<Arc<AtomicU32>> {
        self.targets.get(place).map(|target| Arc::clone(&target.outstanding))
    }

    /// Lets a target use a counter that others use, too: a limit and the least outstanding requests
    /// are then those of all of them.
    pub fn set_counter(&mut self, place: usize, counter: Arc<AtomicU32>) {
        if let Some(target) = self.targets.get_mut(place) {
            target.outstanding = counter;
        }
    }

    /// Whether anomaly mitigation keeps new requests away from a target.
    #[must_use]
    pub fn is_ejected(&self, place: usize, now: Duration) -> bool {
        self.detector.as_ref().is_some_and(|detector| detector.is_ejected(place, now))
    }

    /// What health checks say of a target. Its slow start begins when it becomes healthy, if
    /// another target serves with its full weight already. As with ALB, the first targets of a
    /// group are an exception: the first of them to be healthy would get all requests.
    pub fn set_health(&mut self, place: usize, health: Health, now: Duration) {
        let others = (0..self.targets.len()).filter(|other| *other != place);
        let slow = others.into_iter().any(|other| self.serves_fully(other, now));
        let Some(target) = self.targets.get_mut(place) else { return };
        if health == Health::Healthy && target.health != Health::Healthy {
            target.slow_since = (slow && !target.came_first).then_some(now);
            target.came_first = false;
        }
        target.health = health;
        self.health_changed(now);
    }

    fn serves_fully(&self, place: usize, now: Duration) -> bool {
        let Target { health, slow_since, .. } = self.targets[place];
        let is_over = |since| now.saturating_sub(since) >= self.settings.slow_start;
        health == Health::Healthy && slow_since.is_none_or(is_over)
    }

    /// The target of a new request. `started` must follow when the request is sent.
    pub fn choose(&mut self, now: Duration, random: u64) -> Choice {
        let fail_open = self.fails_open();
        for step in Step::ALL {
            if fail_open == (step == Step::FailOpen) && self.collect(step, now) {
                return match self.pick(random) {
                    Some(place) => Choice::Target { place, fail_open },
                    None => Choice::NoTarget,
                };
            }
        }
        let usable = |target: &Target| {
            let healthy = target.health == Health::Healthy;
            target.weight > 0 && (healthy || fail_open && target.health == Health::Unhealthy)
        };
        if self.targets.iter().any(usable) { Choice::Full } else { Choice::NoTarget }
    }

    /// Whether a sticky target can have the request: if not, choose again.
    #[must_use]
    pub fn is_available(&self, place: usize, now: Duration) -> bool {
        let step = if self.fails_open() { Step::FailOpen } else { Step::NotEjected };
        // A session stays with a target whose weight was set to 0.
        place < self.targets.len() && self.is_candidate(place, step, now)
    }

    /// A request goes to a target, unless others that use its counter have reached the limit since
    /// the choice: then choose again.
    pub fn started(&mut self, place: usize) -> bool {
        let limit = self.settings.connections_max;
        let next = |count: u32| (limit == 0 || count < limit).then(|| count.saturating_add(1));
        self.targets.get(place).is_some_and(|target| {
            let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
            target.outstanding.fetch_update(set, fetch, next).is_ok()
        })
    }

    /// A request has ended. Says whether the target is ejected for it.
    pub fn finished(&mut self, place: usize, outcome: Outcome, now: Duration) -> Option<Ejection> {
        release(&self.targets.get(place)?.outstanding);
        self.record(place, outcome, now)
    }

    /// The same, when the caller has decreased the counter of [`Self::counter`] by [`release`]:
    /// places change while a request is outstanding.
    pub fn record(&mut self, place: usize, outcome: Outcome, now: Duration) -> Option<Ejection> {
        self.detector.as_mut()?.record(place, outcome, &self.in_service, now)
    }

    /// Compares the success rates of targets, if it is time to. Gives the places of ejected ones.
    pub fn compare_success_rates(&mut self, now: Duration) -> Vec<usize> {
        let compare = |detector: &mut Detector| detector.compare(&self.in_service, now);
        self.detector.as_mut().map(compare).unwrap_or_default()
    }

    fn health_changed(&mut self, now: Duration) {
        self.in_service.clear();
        self.in_service.extend(self.targets.iter().map(|target| target.health == Health::Healthy));
        if let Some(detector) = &mut self.detector {
            detector.keep_half(&self.in_service, now);
        }
    }

    fn fails_open(&self) -> bool {
        self.in_service.iter().filter(|serves| **serves).count() < self.settings.healthy_min
    }

    fn is_candidate(&self, place: usize, step: Step, now: Duration) -> bool {
        let target = &self.targets[place];
        let health = match step {
            Step::NotEjected => target.health == Health::Healthy && !self.is_ejected(place, now),
            Step::Healthy => target.health == Health::Healthy,
            Step::FailOpen => target.health != Health::Draining,
        };
        let limit = self.settings.connections_max;
        health && (limit == 0 || target.outstanding() < limit)
    }

    /// Fills `weights` and `loads`; whether there is a candidate.
    fn collect(&mut self, step: Step, now: Duration) -> bool {
        self.weights.clear();
        self.loads.clear();
        for place in 0..self.targets.len() {
            let target = &self.targets[place];
            let elapsed = target.slow_since.map(|since| now.saturating_sub(since));
            let elapsed = elapsed.unwrap_or(self.settings.slow_start);
            let weight = effective_weight(target.weight, self.settings.slow_start, elapsed);
            let weight = if self.is_candidate(place, step, now) { weight } else { 0 };
            self.weights.push(weight);
            self.loads.push(Load { weight, outstanding: target.outstanding() });
        }
        self.weights.iter().any(|weight| *weight > 0)
    }

    fn pick(&mut self, random: u64) -> Option<usize> {
        match self.settings.algorithm {
            Algorithm::RoundRobin => self.round_robin.next(&self.weights),
            Algorithm::LeastOutstanding => least_outstanding::exact(&self.loads, random),
            Algorithm::LeastOutstandingOfTwo => least_outstanding::two_choices(&self.loads, random),
            Algorithm::WeightedRandom => random::weighted(&self.weights, random),
        }
    }
}

/// Decreases a counter of outstanding requests.
pub fn release(counter: &AtomicU32) {
    let next = |count: u32| Some(count.saturating_sub(1));
    // The closure always has a value.
    let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
}

/// Who is a candidate, from the best to the last resort.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    NotEjected,
    Healthy,
    FailOpen,
}

impl Step {
    const ALL: [Self; 3] = [Self::NotEjected, Self::Healthy, Self::FailOpen];
}
