//! PURE: anomaly mitigation: targets that fail more than the others get no new requests for a
//! while.
//!
//! Consecutive failures, and a success rate far below the others', eject a target. At most half of
//! the targets in service are ejected at any time. The defaults are Envoy's (outlier detection),
//! except `deviations`: with 5 targets, a single bad one is at most 1.79 standard deviations below
//! the mean, so that Envoy's 1.9 would never find it.

use std::time::Duration;

/// When targets are ejected, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalySettings {
    /// Failures in a row that eject a target.
    pub consecutive_failures: u32,
    /// How often success rates are compared.
    pub interval: Duration,
    /// Success rates are compared among this many targets at least.
    pub targets_min: usize,
    /// Requests in an interval that make the success rate of a target count.
    pub requests_min: u64,
    /// Standard deviations below the mean that eject a target.
    pub deviations: f64,
    /// Least distance to the mean success rate, from 0 to 1: small differences are chance.
    pub distance_min: f64,
    /// How long the first ejection lasts. Each further one lasts longer by the same time.
    pub ejection: Duration,
    /// The longest ejection.
    pub ejection_max: Duration,
}

impl Default for AnomalySettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            interval: Duration::from_secs(10),
            targets_min: 5,
            requests_min: 100,
            deviations: 1.5,
            distance_min: 0.05,
            ejection: Duration::from_secs(30),
            ejection_max: Duration::from_mins(5),
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer below 500.
    Success,
    /// An answer of 500 to 599.
    ServerError,
    /// No connection, or none that lasted until an answer.
    ConnectFailure,
    /// The client went away: says nothing about the target.
    Cancelled,
}

/// Why a target was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ejection {
    /// Failures in a row.
    ConsecutiveFailures,
    /// A success rate far below the others'.
    SuccessRate,
}

/// What is known of a target.
#[derive(Clone, Debug, Default)]
struct Record {
    failures_in_row: u32,
    successes: u64,
    requests: u64,
    ejected_until: Option<Duration>,
    /// Ejections that lengthen the next one.
    ejections: u32,
}

/// Finds targets that fail. Places are those of the target group.
#[derive(Clone, Debug)]
pub struct Detector {
    settings: AnomalySettings,
    records: Vec<Record>,
    interval_end: Option<Duration>,
}

impl Detector {
    /// No target is known yet.
    #[must_use]
    pub fn new(settings: AnomalySettings) -> Self {
        Self { settings, records: Vec::new(), interval_end: None }
    }

    /// Whether a target gets no new requests.
    #[must_use]
    pub fn is_ejected(&self, target: usize, now: Duration) -> bool {
        let until = self.records.get(target).and_then(|record| record.ejected_until);
        until.is_some_and(|until| now < until)
    }

    /// Notes how a request ended. `in_service` says of every target whether it is healthy.
    pub fn record(
        &mut self,
        target: usize,
        outcome: Outcome,
        in_service: &[bool],
        now: Duration,
    ) -> Option<Ejection> {
        self.records.resize(in_service.len(), Record::default());
        let record = self.records.get_mut(target)?;
        match outcome {
            Outcome::Cancelled => return None,
            Outcome::Success => {
                record.failures_in_row = 0;
                record.successes += 1;
            }
            Outcome::ServerError | Outcome::ConnectFailure => record.failures_in_row += 1,
        }
        record.requests += 1;
        let many = record.failures_in_row >= self.settings.consecutive_failures;
        (many && self.eject(target, in_service, now)).then_some(Ejection::ConsecutiveFailures)
    }

    /// Compares success rates when an interval has ended: call it at least that often. Gives the
    /// targets that it ejects.
    pub fn compare(&mut self, in_service: &[bool], now: Duration) -> Vec<usize> {
        let end = *self.interval_end.get_or_insert(now + self.settings.interval);
        if now < end {
            return Vec::new();
        }
        self.interval_end = Some(now + self.settings.interval);
        self.records.resize(in_service.len(), Record::default());
        let mut bad = self.far_below_mean(in_service, now);
        bad.retain(|target| self.eject(*target, in_service, now));
        for (target, record) in self.records.iter_mut().enumerate() {
            (record.successes, record.requests) = (0, 0);
            if record.ejected_until.is_none_or(|until| until <= now) && !bad.contains(&target) {
                record.ejections = record.ejections.saturating_sub(1);
            }
        }
        bad
    }

    /// Lets targets return, the first to return anyway first, until at most half of those in
    /// service are ejected. For changes of health and of targets.
    pub fn keep_half(&mut self, in_service: &[bool], now: Duration) {
        while 2 * self.ejected_count(in_service, now) > serving_count(in_service) {
            let ejected = self.records.iter_mut().zip(in_service).filter(|(_, serves)| **serves);
            let ejected = ejected.map(|(record, _)| &mut record.ejected_until);
            let next = ejected.filter(|until| until.is_some_and(|until| now < until)).min();
            let Some(next) = next else { return };
            *next = None;
        }
    }

    /// Keeps what is known of targets that get other places: the old place of each, `None` for new
    /// ones.
    pub fn move_targets(&mut self, old_places: &[Option<usize>]) {
        let record = |old: &Option<usize>| old.and_then(|old| self.records.get(old)).cloned();
        self.records = old_places.iter().map(|old| record(old).unwrap_or_default()).collect();
    }

    /// Targets with enough requests whose success rate is far below the mean, worst first.
    fn far_below_mean(&self, in_service: &[bool], now: Duration) -> Vec<usize> {
        let counted = self.records.iter().enumerate().filter(|(target, record)| {
            in_service[*target]
                && record.requests >= self.settings.requests_min.max(1)
                && !self.is_ejected(*target, now)
        });
        let mut rates: Vec<(usize, f64)> = counted.map(|(target, r)| (target, r.rate())).collect();
        if rates.len() < self.settings.targets_min.max(1) {
            return Vec::new();
        }
        #[expect(clippy::cast_precision_loss, reason = "there are at most some thousand targets")]
        let count = rates.len() as f64;
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
        let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
        let distance = (self.settings.deviations * variance.sqrt()).max(self.settings.distance_min);
        rates.retain(|(_, rate)| *rate < mean - distance);
        rates.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        rates.into_iter().map(|(target, _)| target).collect()
    }

    /// Ejects a target, unless more than half of those in service would be ejected then.
    fn eject(&mut self, target: usize, in_service: &[bool], now: Duration) -> bool {
        let allowed = 2 * (self.ejected_count(in_service, now) + 1) <= serving_count(in_service);
        if !allowed || !in_service[target] || self.is_ejected(target, now) {
            return false;
        }
        let settings = &self.settings;
        let record = &mut self.records[target];
        record.failures_in_row = 0;
        record.ejections += 1;
        let length = settings.ejection.saturating_mul(record.ejections).min(settings.ejection_max);
        record.ejected_until = Some(now + length);
        true
    }

    fn ejected_count(&self, in_service: &[bool], now: Duration) -> usize {
        let serving = in_service.iter().enumerate().filter(|(_, serves)| **serves);
        serving.filter(|(target, _)| self.is_ejected(*target, now)).count()
    }
}

impl Record {
    #[expect(clippy::cast_precision_loss, reason = "an interval has far fewer than 2^52 requests")]
    fn rate(&self) -> f64 {
        self.successes as f64 / self.requests as f64
    }
}

fn serving_count(in_service: &[bool]) -> usize {
    in_service.iter().filter(|serves| **serves).count()
}
