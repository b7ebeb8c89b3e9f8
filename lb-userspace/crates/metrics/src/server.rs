//! The listener that Prometheus asks: `/metrics` and nothing else, one request a connection. Scrapes
//! are made away from the agent's loop, one at a time, and clients cannot make it work more.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use lb_agent::{AgentHandle, Process, Snapshot};
use lb_api::read_stats;
use lb_dataplane::StatsSource;
use lb_proxy_control::Monitor;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::{spawn_blocking, yield_now},
    time::{sleep, timeout},
};

use super::{Observation, connection_limit::ConnectionLimit, proxy_observation::ProxyObservation};

/// The content type of OpenMetrics 1.0, as Prometheus wants it.
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Requests within this time get the same answer: the agent's state is updated once a second, too,
/// and frequent scrapes cost no more than rare ones.
const FRESH: Duration = Duration::from_secs(1);

/// Wait after a failed accept, which mostly means that file descriptors have run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Longest head of a request, and its most headers: that of Prometheus has 300 bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// Limits of clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) connections_max: usize,
    /// Longest time a client may take for the head of its request.
    pub(super) head_timeout: Duration,
    /// Longest life of a connection: Prometheus waits 10 s by default.
    pub(super) connection_timeout: Duration,
}

const LIMITS: Limits = Limits {
    connections_max: 64,
    head_timeout: Duration::from_secs(5),
    connection_timeout: Duration::from_secs(10),
};

/// Nobody can scrape there.
#[derive(Debug, Error)]
#[error(
    "cannot listen at {address} for metrics; set another address or port of this host with \
     --metrics"
)]
pub struct BindError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Listens at `address`. Needs a runtime.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    listener().map_err(|source| BindError { address, source })
}

/// Answers scrapes at `listener` until it is cancelled.
pub async fn serve(listener: TcpListener, agent: AgentHandle, stats: StatsSource) {
    serve_within(LIMITS, listener, AgentScrape { agent, stats }).await;
}

/// Answers scrapes of a proxy at `listener` until it is cancelled.
pub async fn serve_proxy(listener: TcpListener, monitor: Monitor) {
    serve_within(LIMITS, listener, monitor).await;
}

/// [`serve`] with other limits.
pub(super) async fn serve_within(limits: Limits, listener: TcpListener, source: impl Scraped) {
    let exporter = Arc::new(Exporter { source, last: Mutex::default() });
    let mut connections = ConnectionLimit::new(limits.connections_max);
    loop {
        match listener.accept().await {
            Ok((stream, _)) if connections.close_oldest_silent() => {
                let asked = Arc::new(AtomicBool::new(false));
                let connection =
                    serve_connection(limits, stream, Arc::clone(&exporter), Arc::clone(&asked));
                connections.add(tokio::spawn(connection).abort_handle(), asked);
                // A new connection may send a request before the next one is accepted.
                yield_now().await;
            }
            Ok((refused, _)) => drop(refused),
            Err(error) => {
                tracing::error!(%error, "cannot accept a scrape; trying again");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Serves one connection, which is one request.
async fn serve_connection(
    limits: Limits,
    stream: TcpStream,
    exporter: Arc<Exporter<impl Scraped>>,
    asked: Arc<AtomicBool>,
) {
    let service = service_fn(move |request| {
        asked.store(true, Relaxed);
        let exporter = Arc::clone(&exporter);
        async move { Ok::<_, Infallible>(exporter.answer(&request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Clients that break off are their own affair.
    let _ended = timeout(limits.connection_timeout, connection).await;
}

type Answer = Response<Full<Bytes>>;

/// The last scrape, and when it was made.
type Scrape = (Instant, Bytes);

/// What is scraped.
pub(super) trait Scraped: Send + Sync + 'static {
    /// The text of a scrape.
    fn text(&self) -> impl Future<Output = anyhow::Result<String>> + Send;
}

/// An agent, and what its data path counts.
pub(super) struct AgentScrape {
    pub(super) agent: AgentHandle,
    pub(super) stats: StatsSource,
}

impl Scraped for AgentScrape {
    async fn text(&self) -> anyhow::Result<String> {
        let (snapshot, stats) = (self.agent.snapshot().await, self.stats.clone());
        Ok(spawn_blocking(move || observe(snapshot, &stats).into_text()).await??)
    }
}

impl Scraped for Monitor {
    async fn text(&self) -> anyhow::Result<String> {
        let monitor = self.clone();
        Ok(spawn_blocking(move || ProxyObservation(monitor.observe()).into_text()).await??)
    }
}

struct Exporter<S> {
    source: S,
    last: Mutex<Option<Scrape>>,
}

impl<S: Scraped> Exporter<S> {
    async fn answer(&self, request: &Request<Incoming>) -> Answer {
        if let Err((status, why)) =
            check(request.method(), request.uri().path(), !request.body().is_end_stream())
        {
            return refusal(status, why);
        }
        match self.scrape().await {
            Ok(text) => response(StatusCode::OK, OPENMETRICS, text),
            Err(error) => {
                tracing::error!("cannot answer a scrape: {error:#}");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "see the log of the process\n")
            }
        }
    }

    /// The text of a scrape. Those who ask while one is made wait for it.
    async fn scrape(&self) -> anyhow::Result<Bytes> {
        let mut last = self.last.lock().await;
        if let Some((made_at, text)) = &*last
            && made_at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let text = Bytes::from(self.source.text().await?);
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

/// Reads what there is now. Without the maps, the rest is still worth a scrape.
fn observe(snapshot: Arc<Snapshot>, stats: &StatsSource) -> Observation {
    let traffic = match read_stats(&snapshot, stats) {
        _ if snapshot.interfaces.is_empty() => None,
        Ok(traffic) => Some(traffic),
        Err(error) => {
            tracing::warn!("a scrape without traffic: {:#}", anyhow::Error::new(error));
            None
        }
    };
    Observation::new(snapshot, traffic, Process::now())
}

/// PURE: whether this is a scrape, else what to say instead.
fn check(method: &Method, path: &str, has_body: bool) -> Result<(), (StatusCode, &'static str)> {
    if path != "/metrics" {
        return Err((StatusCode::NOT_FOUND, "metrics are at /metrics\n"));
    }
    if method != Method::GET && method != Method::HEAD {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are possible\n"));
    }
    if has_body {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, "a scrape has no body\n"));
    }
    Ok(())
}

fn refusal(status: StatusCode, why: &'static str) -> Answer {
    let mut refusal = response(status, PLAIN, Bytes::from_static(why.as_bytes()));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    refusal
}

fn response(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
    response
}
