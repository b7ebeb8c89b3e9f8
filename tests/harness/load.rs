//! Continuous load: clients that send a request on a new connection, again and again, and remember
//! what became of each.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{error::Result, host::Host, http};

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was sent.
    pub at: Instant,
    /// How long it took until its answer, or its failure.
    pub took: Duration,
    /// The name of the target that answered, or what went wrong.
    pub outcome: std::result::Result<String, String>,
}

/// How the load is made.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests at a time, of each client.
    pub workers: u8,
    /// Pause of a worker after each request.
    pub pause: Duration,
    /// Longest time that a request may take.
    pub limit: Duration,
}

impl Default for Pace {
    /// About 300 requests a second: enough that a gap of 10 ms shows, little enough that two cores
    /// have time for the rest.
    fn default() -> Self {
        Self { workers: 2, pause: Duration::from_millis(5), limit: Duration::from_secs(2) }
    }
}

/// Running load; stops when dropped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts load from each of these hosts to a server.
    pub fn start(clients: &[(&Host, SocketAddr)], pace: Pace) -> Result<Self> {
        let mut load = Self { stop: Arc::default(), samples: Arc::default(), workers: Vec::new() };
        for (client, server) in clients {
            for _ in 0..pace.workers {
                let (stop, samples) = (Arc::clone(&load.stop), Arc::clone(&load.samples));
                let server = *server;
                let worker = client.thread("load", move || work(server, pace, &stop, &samples))?;
                load.workers.push(worker);
            }
        }
        Ok(load)
    }

    /// What has happened so far, in the order in which it ended.
    #[must_use]
    pub fn samples(&self) -> Samples {
        Samples(self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Lets the requests under way end; returns what has happened.
    #[must_use]
    pub fn finish(mut self) -> Samples {
        self.end();
        self.samples()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                eprintln!("lab: a load worker panicked");
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

fn work(server: SocketAddr, pace: Pace, stop: &AtomicBool, samples: &Mutex<Vec<Sample>>) {
    while !stop.load(Ordering::Relaxed) {
        let at = Instant::now();
        let outcome = match http::get(server, "/", pace.limit) {
            Ok(answer) if answer.status == 200 => Ok(answer.target),
            Ok(answer) => Err(format!("status {}", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        let sample = Sample { at, took: at.elapsed(), outcome };
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        thread::sleep(pace.pause);
    }
}

/// What became of many requests.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// Those that were sent in `[from, to)`.
    #[must_use]
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        let inside = |sample: &&Sample| from <= sample.at && sample.at < to;
        Self(self.0.iter().filter(inside).cloned().collect())
    }

    /// Those that were sent at `from` or later.
    #[must_use]
    pub fn since(&self, from: Instant) -> Self {
        let inside = |sample: &&Sample| from <= sample.at;
        Self(self.0.iter().filter(inside).cloned().collect())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers by target.
    #[must_use]
    pub fn by_target(&self) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for target in self.0.iter().filter_map(|sample| sample.outcome.as_ref().ok()) {
            *answers.entry(target.clone()).or_default() += 1;
        }
        answers
    }

    /// Those that failed.
    #[must_use]
    pub fn failures(&self) -> Vec<&Sample> {
        self.0.iter().filter(|sample| sample.outcome.is_err()).collect()
    }

    /// Failures by what went wrong, for messages; empty when there were none.
    #[must_use]
    pub fn failure_summary(&self) -> String {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for error in self.0.iter().filter_map(|sample| sample.outcome.as_ref().err()) {
            *kinds.entry(error).or_default() += 1;
        }
        kinds.iter().map(|(kind, count)| format!("{count} x {kind}")).collect::<Vec<_>>().join(", ")
    }

    /// When the first answer of a target came.
    #[must_use]
    pub fn first_answer_of(&self, target: &str) -> Option<Instant> {
        self.0
            .iter()
            .filter(|sample| sample.outcome.as_deref() == Ok(target))
            .map(|sample| sample.at + sample.took)
            .min()
    }
}
