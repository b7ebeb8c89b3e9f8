//! Counters of one worker. Only that worker writes them, so that counting takes no lock and no atomic
//! read-modify-write; anybody may read them.

use std::{
    array,
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Makes the enum, its names and the list of all from one table.
macro_rules! counters {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// What is counted: of the proxy, of each listener and of each target group, where it applies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Counter { $($(#[doc = $doc])* $variant,)* }

        impl Counter {
            /// Every counter.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in metrics; it never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it counts, for people.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*),)* }
            }
        }
    };
}

counters! {
    /// Connections of clients that were accepted.
    NewConnections = "new_connections";
    /// Connections of clients that have ended.
    ClosedConnections = "closed_connections";
    /// Connections of trusted proxies that were closed since they had no valid PROXY header.
    RejectedConnections = "rejected_connections";
    /// Times that a worker accepted nothing for a while, since it had as many connections as it may have.
    ConnectionLimitWaits = "connection_limit_waits";
    /// Connections of HTTP/2 that were ended since their client floods: with resets, with frames that carry nothing,
    /// or with frames that are wrong.
    FloodingConnections = "flooding_connections";
    /// TLS handshakes with clients that failed.
    ClientTlsErrors = "client_tls_errors";
    /// Requests, answered or not.
    Requests = "requests";
    /// Rules whose conditions were tried.
    RuleEvaluations = "rule_evaluations";
    /// Bytes of requests, and of connections of listeners of TLS.
    ReceivedBytes = "received_bytes";
    /// Bytes of responses, and to clients of listeners of TLS.
    SentBytes = "sent_bytes";
    /// Responses 3xx of the proxy itself.
    Elb3xx = "elb_3xx";
    /// Responses 4xx of the proxy itself, also 460 to clients that have left.
    Elb4xx = "elb_4xx";
    /// Responses 5xx of the proxy itself.
    Elb5xx = "elb_5xx";
    /// Responses 2xx of targets.
    Target2xx = "target_2xx";
    /// Responses 3xx of targets.
    Target3xx = "target_3xx";
    /// Responses 4xx of targets.
    Target4xx = "target_4xx";
    /// Responses 5xx of targets.
    Target5xx = "target_5xx";
    /// Redirects of rules.
    Redirects = "redirects";
    /// Fixed responses of rules.
    FixedResponses = "fixed_responses";
    /// New connections to targets.
    TargetConnections = "target_connections";
    /// Connections to targets that could not be made.
    TargetConnectionErrors = "target_connection_errors";
    /// TLS handshakes with targets that failed.
    TargetTlsErrors = "target_tls_errors";
    /// Requests over connections that had served others.
    ReusedTargetConnections = "reused_target_connections";
    /// Requests that were sent once more, or to another target.
    Retries = "retries";
    /// Requests that were not sent once more because of the budget of retries.
    RetriesOverBudget = "retries_over_budget";
    /// Requests that waited for a target below its limit of connections.
    QueuedRequests = "queued_requests";
    /// Requests and tunnels that were cut because the deregistration delay of their target was over.
    DeregistrationCuts = "deregistration_cuts";
    /// Requests to targets while too few were healthy.
    FailOpenRequests = "fail_open_requests";
    /// Requests that did not comply, and were normalised or passed.
    NonCompliantRequests = "non_compliant_requests";
    /// Connections of listeners of TLS that went to a target.
    TlsConnections = "tls_connections";
    /// Tunnels, such as WebSockets.
    Tunnels = "tunnels";
    /// Lines of the access log that were lost because nobody took them in time.
    LostLogLines = "lost_log_lines";
}

/// Buckets of a histogram; the last one has no bound.
pub const BUCKETS: usize = 28;

/// Counters of one worker for the proxy, a listener or a target group.
#[derive(Debug)]
pub(crate) struct CounterSet {
    counters: [AtomicU64; Counter::ALL.len()],
    /// Response times of targets: bucket `n` holds those below 2^n microseconds.
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
    /// Requests that have begun and not ended; for targets only.
    outstanding: AtomicU64,
}

impl Default for CounterSet {
    fn default() -> Self {
        Self {
            counters: array::from_fn(|_| AtomicU64::new(0)),
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            sum_us: AtomicU64::new(0),
            outstanding: AtomicU64::new(0),
        }
    }
}

impl CounterSet {
    /// Adds to a counter. Only the worker that owns the set may call it.
    pub(crate) fn add(&self, counter: Counter, count: u64) {
        add(&self.counters[counter as usize], count);
    }

    /// Adds a response time.
    pub(crate) fn add_response_time(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        add(&self.buckets[bucket.min(BUCKETS - 1)], 1);
        add(&self.sum_us, micros);
    }

    /// A request begins.
    pub(crate) fn begin_request(&self) {
        add(&self.outstanding, 1);
    }

    /// A request ends that has begun here.
    pub(crate) fn end_request(&self) {
        // Adds -1.
        add(&self.outstanding, u64::MAX);
    }

    fn add_to(&self, sums: &mut Sums) {
        for (sum, counter) in sums.counters.iter_mut().zip(&self.counters) {
            *sum += counter.load(Ordering::Relaxed);
        }
        for (sum, bucket) in sums.response_time_buckets.iter_mut().zip(&self.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        sums.response_time_sum_us += self.sum_us.load(Ordering::Relaxed);
        sums.outstanding =
            sums.outstanding.saturating_add(self.outstanding.load(Ordering::Relaxed));
    }
}

/// One writer: a plain load and store.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// Sums over all workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    counters: [u64; Counter::ALL.len()],
    /// Response times of targets: bucket `n` holds those below 2^n microseconds, and not below 2^(n-1).
    pub response_time_buckets: [u64; BUCKETS],
    /// The sum of these times in microseconds.
    pub response_time_sum_us: u64,
    /// Requests and tunnels that have begun and not ended; of targets only.
    pub outstanding: u64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            counters: [0; Counter::ALL.len()],
            response_time_buckets: [0; BUCKETS],
            response_time_sum_us: 0,
            outstanding: 0,
        }
    }
}

impl Sums {
    /// The value of a counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }
}

/// What all workers have counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Of the whole proxy.
    pub total: Sums,
    /// By name of the listener.
    pub listeners: BTreeMap<String, Sums>,
    /// By name of the target group.
    pub groups: BTreeMap<String, Sums>,
    /// By name of the target group, and address of the target. Targets that have left are not there.
    pub targets: BTreeMap<(String, SocketAddr), Sums>,
    /// Requests that were not served as asked, by reason.
    pub failures: BTreeMap<&'static str, u64>,
}

/// Reads what the workers of a proxy count, on any thread.
#[derive(Debug, Clone)]
pub struct MetricsReader(pub(crate) Vec<Arc<WorkerCounters>>);

impl MetricsReader {
    /// What all workers have counted.
    #[must_use]
    pub fn read(&self) -> Metrics {
        let mut metrics = Metrics::default();
        for worker in &self.0 {
            worker.add_to(&mut metrics);
        }
        metrics
    }
}

/// Sets by name of what they are about.
type NamedSets = HashMap<String, Arc<CounterSet>>;

/// Sets of targets, by their group.
type TargetSets = HashMap<(Arc<str>, SocketAddr), Arc<CounterSet>>;

/// All counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    pub(crate) total: CounterSet,
    listeners: Mutex<NamedSets>,
    groups: Mutex<NamedSets>,
    targets: Mutex<TargetSets>,
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

impl WorkerCounters {
    /// The set of a listener; not for the path of a request.
    pub(crate) fn listener(&self, name: &str) -> Arc<CounterSet> {
        Arc::clone(lock(&self.listeners).entry(name.to_owned()).or_default())
    }

    /// The set of a target group; not for the path of a request.
    pub(crate) fn group(&self, name: &str) -> Arc<CounterSet> {
        Arc::clone(lock(&self.groups).entry(name.to_owned()).or_default())
    }

    /// The set of a target; not for the path of a request.
    pub(crate) fn target(&self, group: &Arc<str>, target: SocketAddr) -> Arc<CounterSet> {
        Arc::clone(lock(&self.targets).entry((Arc::clone(group), target)).or_default())
    }

    /// A target has left its group. What is counted for it from now on is not seen.
    pub(crate) fn remove_target(&self, group: &Arc<str>, target: SocketAddr) {
        lock(&self.targets).remove(&(Arc::clone(group), target));
    }

    /// Counts a failed request. The lock is that of this worker alone.
    pub(crate) fn add_failure(&self, reason: &'static str) {
        *lock(&self.failures).entry(reason).or_default() += 1;
    }

    /// Adds everything to sums.
    pub(crate) fn add_to(&self, metrics: &mut Metrics) {
        self.total.add_to(&mut metrics.total);
        for (name, set) in lock(&self.listeners).iter() {
            set.add_to(metrics.listeners.entry(name.clone()).or_default());
        }
        for (name, set) in lock(&self.groups).iter() {
            set.add_to(metrics.groups.entry(name.clone()).or_default());
        }
        for ((group, target), set) in lock(&self.targets).iter() {
            set.add_to(metrics.targets.entry((group.to_string(), *target)).or_default());
        }
        for (reason, count) in lock(&self.failures).iter() {
            *metrics.failures.entry(reason).or_default() += count;
        }
    }
}

/// A worker that has panicked leaves sound counters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_workers() {
        let workers = [WorkerCounters::default(), WorkerCounters::default()];
        let [target, gone] = [1, 2].map(|last| SocketAddr::from(([10, 0, 0, last], 80)));
        for worker in &workers {
            worker.total.add(Counter::Requests, 2);
            worker.listener("web").add(Counter::Requests, 1);
            worker.group("order").add_response_time(Duration::from_micros(3));
            worker.add_failure("no_target");
            worker.target(&"order".into(), target).add(Counter::Requests, 3);
            for _ in 0..3 {
                worker.target(&"order".into(), target).begin_request();
            }
            worker.target(&"order".into(), target).end_request();
            worker.target(&"order".into(), gone).add(Counter::Requests, 3);
            worker.remove_target(&"order".into(), gone);
        }
        let mut metrics = Metrics::default();
        for worker in &workers {
            worker.add_to(&mut metrics);
        }
        assert_eq!(metrics.total.get(Counter::Requests), 4);
        assert_eq!(metrics.listeners["web"].get(Counter::Requests), 2);
        assert_eq!(metrics.groups["order"].response_time_buckets[2], 2);
        assert_eq!(metrics.groups["order"].response_time_sum_us, 6);
        assert_eq!(metrics.failures["no_target"], 2);
        let of_targets: Vec<_> = metrics.targets.into_iter().collect();
        assert_eq!(of_targets.len(), 1, "one has left");
        assert_eq!(of_targets[0].0, ("order".to_owned(), target));
        assert_eq!(of_targets[0].1.get(Counter::Requests), 6);
        assert_eq!(of_targets[0].1.outstanding, 4);
    }

    #[test]
    fn every_time_has_a_bucket() {
        let set = CounterSet::default();
        for time in [0, 1, 2, 3, 4, u64::MAX] {
            set.add_response_time(Duration::from_micros(time));
        }
        let mut sums = Sums::default();
        set.add_to(&mut sums);
        assert_eq!(sums.response_time_buckets[..4], [1, 1, 2, 1]);
        assert_eq!(sums.response_time_buckets[BUCKETS - 1], 1);
    }
}
