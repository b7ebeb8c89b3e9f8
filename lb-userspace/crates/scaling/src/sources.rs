//! The metrics of a group that come from outside: Prometheus servers are asked and programs run again and
//! again, and the API hands over what somebody sends. Here is what each source said last, and when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lb_config::{Metric, MetricSource, Verify};
use lb_drivers::PrometheusQuery;
use lb_health::tls;
use lb_scale::{Moment, Reading, Sample, Samples};
use tokio::{task::JoinSet, time::sleep};

use crate::{clock::Clock, drivers::DriverContext, programs, prometheus};

/// How long a server may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What the sources of a group need besides their settings.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) group: Arc<str>,
    pub(crate) clock: Clock,
    /// Which programs may run, and who runs them.
    pub(crate) context: DriverContext,
}

/// What a source said last.
#[derive(Clone, Debug)]
struct Said {
    at: Moment,
    sample: Sample,
    /// How long it holds.
    max_age: Duration,
}

/// The sources of a group. Servers are asked until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    metrics: Vec<Metric>,
    interval: Duration,
    said: Arc<Mutex<BTreeMap<String, Said>>>,
    tasks: JoinSet<()>,
}

impl Sources {
    /// Follows these metrics from now on. With others than before, nothing is known of any.
    pub(crate) fn configure(
        &mut self,
        metrics: &[Metric],
        interval: Duration,
        surroundings: &Surroundings,
    ) {
        if self.metrics == metrics && self.interval == interval {
            return;
        }
        *self = Self { metrics: metrics.to_vec(), interval, ..Self::default() };
        for metric in metrics {
            if let Some(within) = answer_within(&metric.source) {
                let (said, surroundings) = (Arc::clone(&self.said), surroundings.clone());
                self.tasks.spawn(follow(metric.clone(), interval, within, surroundings, said));
            }
        }
    }

    /// Takes a value that somebody has sent. It holds for `ttl`, and not longer than values of the metric may.
    pub(crate) fn post(
        &self,
        name: &str,
        value: f64,
        ttl: Option<Duration>,
        now: Moment,
    ) -> Result<(), String> {
        let posted = |metric: &&Metric| metric.source == MetricSource::Post;
        let metric = self.metrics.iter().filter(posted).find(|metric| metric.name == name);
        let Some(metric) = metric else {
            let names: Vec<&str> =
                self.metrics.iter().filter(posted).map(|one| &*one.name).collect();
            let known =
                if names.is_empty() { "there is none".to_owned() } else { names.join(", ") };
            return Err(format!("has no metric {name} with `post` ({known})"));
        };
        let sample = Sample::Value(value).checked();
        if let Sample::Error(error) = sample {
            return Err(format!("metric {name}: {error}"));
        }
        let max_age = ttl.map_or(metric.max_age, |ttl| ttl.min(metric.max_age));
        lock(&self.said).insert(name.to_owned(), Said { at: now, sample, max_age });
        Ok(())
    }

    /// What is known now. What was said too long ago is not.
    pub(crate) fn samples(&self, now: Moment) -> Samples {
        let said = lock(&self.said);
        let of = |metric: &Metric| {
            let sample =
                said.get(&metric.name).map_or_else(|| missing(metric), |said| at(said, now));
            (metric.name.clone(), Reading::Total { sample, saturated: false })
        };
        let is_total = |metric: &&Metric| !matches!(metric.source, MetricSource::Report(_));
        self.metrics.iter().filter(is_total).map(of).collect()
    }
}

/// How long an answer may take; `None` for a source that is not asked.
const fn answer_within(source: &MetricSource) -> Option<Duration> {
    match source {
        MetricSource::Prometheus { .. } => Some(ANSWER_WITHIN),
        MetricSource::Exec { timeout, .. } => Some(*timeout),
        MetricSource::Report(_) | MetricSource::Post => None,
    }
}

fn at(said: &Said, now: Moment) -> Sample {
    let age = now.since(&said.at);
    if age <= said.max_age {
        return said.sample.clone();
    }
    Sample::Error(format!(
        "the last value is {} s old, more than {} s",
        age.as_secs(),
        said.max_age.as_secs()
    ))
}

fn missing(metric: &Metric) -> Sample {
    match metric.source {
        // The first answer is on its way.
        MetricSource::Prometheus { .. } | MetricSource::Exec { .. } => Sample::Empty,
        MetricSource::Report(_) | MetricSource::Post => {
            Sample::Error("no value was sent since the agent started".to_owned())
        }
    }
}

/// Asks a source for ever.
async fn follow(
    metric: Metric,
    interval: Duration,
    within: Duration,
    surroundings: Surroundings,
    said: Arc<Mutex<BTreeMap<String, Said>>>,
) {
    let clock = surroundings.clock;
    loop {
        let sample = ask(&metric, &surroundings).await;
        let (at, max_age) = (clock.now(), metric.max_age.max(interval + within));
        lock(&said).insert(metric.name.clone(), Said { at, sample, max_age });
        sleep(interval).await;
    }
}

async fn ask(metric: &Metric, surroundings: &Surroundings) -> Sample {
    let Metric { name, source, max_age } = metric;
    match source {
        MetricSource::Prometheus { url, query, ca } => {
            // The CA certificates may be others by now.
            let verify = ca.clone().map_or(Verify::System, Verify::File);
            let now = || surroundings.clock.now().wall;
            match ask_prometheus(url, query, verify).await {
                Ok((status, body)) => prometheus::sample(status, &body, now(), *max_age),
                Err(error) => Sample::Error(error),
            }
        }
        MetricSource::Exec { command, timeout } => {
            let Surroundings { group, context, .. } = surroundings;
            programs::run(context, command, *timeout, group, name).await
        }
        MetricSource::Report(_) | MetricSource::Post => Sample::Empty,
    }
}

async fn ask_prometheus(url: &str, query: &str, verify: Verify) -> Result<(u16, Vec<u8>), String> {
    let tls = Arc::new(tls::client_builder(&verify)?.with_no_client_auth());
    PrometheusQuery::new(url, query, tls)?.ask(ANSWER_WITHIN).await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::Instant,
    };

    use super::*;

    /// A server that answers each request with these bytes, and then does as told.
    async fn server(answer: Vec<u8>, then: Then) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut head = [0; 2048];
                    let count = stream.read(&mut head).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&head[..count]).into_owned();
                    assert!(
                        head.starts_with("GET /p/api/v1/query?query=sum%28q%29 HTTP/1.1"),
                        "{head}"
                    );
                    let _sent = stream.write_all(&answer).await;
                    match then {
                        Then::Close => {}
                        Then::Wait => sleep(Duration::from_mins(1)).await,
                        Then::Flood => {
                            let part = vec![b' '; 65536];
                            while stream.write_all(&part).await.is_ok() {}
                        }
                    }
                });
            }
        });
        format!("http://{address}/p/")
    }

    #[derive(Clone, Copy, Debug)]
    enum Then {
        Close,
        Wait,
        Flood,
    }

    fn http(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn metric(name: &str, source: MetricSource) -> Metric {
        Metric { name: name.to_owned(), source, max_age: Duration::from_mins(1) }
    }

    fn prometheus(url: String) -> Metric {
        metric("q", MetricSource::Prometheus { url, query: "sum(q)".to_owned(), ca: None })
    }

    fn shown(sources: &Sources, name: &str, now: Moment) -> String {
        match &sources.samples(now)[name] {
            Reading::Total { sample, .. } => sample.to_string(),
            other @ Reading::Reports(_) => panic!("{other:?}"),
        }
    }

    fn surroundings(clock: Clock) -> Surroundings {
        let context = DriverContext {
            programs: lb_health::Programs::Off,
            user: lb_health::ExecUser::nobody(),
            state_dir: std::path::PathBuf::new(),
            read_secret: |_| Err("there is none".to_owned()),
        };
        Surroundings { group: "web".into(), clock, context }
    }

    /// What is known of a server once it was asked.
    async fn asked(url: String) -> String {
        let (clock, mut sources) = (Clock::new(), Sources::default());
        sources.configure(&[prometheus(url)], Duration::from_mins(1), &surroundings(clock));
        assert_eq!(shown(&sources, "q", clock.now()), "empty", "it has said nothing yet");
        let end = Instant::now() + 2 * ANSWER_WITHIN;
        while lock(&sources.said).is_empty() {
            assert!(Instant::now() < end, "no answer is bounded");
            sleep(Duration::from_millis(20)).await;
        }
        shown(&sources, "q", clock.now())
    }

    #[tokio::test]
    async fn a_hostile_server_is_an_error_with_a_reason() {
        let now = Clock::new().now().wall.as_second();
        let of = |time: i64, value: &str| {
            http(&format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{time},"{value}"]}}]}}}}"#
            ))
        };
        let endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        let moved =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let cases = [
            (of(now, "7.5"), Then::Close, "7.5"),
            (of(now, "NaN"), Then::Close, "error: NaN is not a load"),
            (of(now - 3600, "7"), Then::Close, "error: the value is 36"),
            (http(""), Then::Close, "error: the answer is none of Prometheus"),
            (endless, Then::Flood, "error: 127.0.0.1"),
            (b"SSH-2.0-x\r\n".to_vec(), Then::Close, "error: 127.0.0.1"),
            (Vec::new(), Then::Close, "error: 127.0.0.1"),
            (Vec::new(), Then::Wait, "error: 127.0.0.1"),
            (moved.to_vec(), Then::Close, "error: the server answers with status 302"),
        ];
        let mut tasks = JoinSet::new();
        for (answer, then, expected) in cases {
            tasks.spawn(async move {
                let said = asked(server(answer, then).await).await;
                assert!(said.starts_with(expected), "{then:?}: {said}: {expected}");
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let refused = asked("http://127.0.0.1:1/p/".to_owned()).await;
        assert!(refused.starts_with("error: 127.0.0.1:1: "), "{refused}");
    }

    #[test]
    fn a_value_that_was_sent_holds_for_its_time() {
        let clock = Clock::new();
        let now = clock.now();
        let mut sources = Sources::default();
        let post = [metric("jobs", MetricSource::Post)];
        sources.configure(&post, Duration::from_secs(15), &surroundings(clock));
        let missing = "error: no value was sent since the agent started";
        assert_eq!(shown(&sources, "jobs", now), missing);
        sources.post("jobs", 12.5, None, now).unwrap();
        let after = |seconds| now.after(Duration::from_secs(seconds));
        assert_eq!(shown(&sources, "jobs", after(60)), "12.5");
        let old = "error: the last value is 61 s old, more than 60 s";
        assert_eq!(shown(&sources, "jobs", after(61)), old);
        sources.post("jobs", 3.0, Some(Duration::from_secs(5)), now).unwrap();
        assert_eq!(shown(&sources, "jobs", after(5)), "3");
        assert!(shown(&sources, "jobs", after(6)).starts_with("error: "));
        for wrong in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(sources.post("jobs", wrong, None, now).is_err(), "{wrong}");
        }
        let error = sources.post("other", 1.0, None, now).unwrap_err();
        assert_eq!(error, "has no metric other with `post` (jobs)");
    }
}
