//! The driver that is an HTTP server: a POST for each call, signed, with an idempotency key. An
//! answer 202 is polled. There are no redirects and no HTTP/2.

mod exchange;
mod notifier;
mod prometheus;
mod signature;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, Method, StatusCode, Uri, header, uri::PathAndQuery};
use lb_members::{CallError, CallResult, ErrorClass};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    answer,
    driver::{Calling, Driver, Request},
};
use exchange::{Message, Response, Server};
pub use notifier::{NotifyError, WebhookNotifier, header_fields};
pub use prometheus::PrometheusQuery;
pub use signature::{SIGNATURE_HEADER, verify_signature};

/// How often an answer 202 is polled if it does not say.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The longest pause between two polls.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(30);

/// Why a webhook cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookError {
    /// The URL has no host.
    NoHost,
    /// Its scheme is not `https`, or `http` with a loopback address.
    Scheme(String),
}

impl std::fmt::Display for WebhookError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoHost => formatter.write_str("the URL of the webhook has no host"),
            Self::Scheme(scheme) => write!(
                formatter,
                "the URL of the webhook has scheme {scheme:?}: use https, or http with a loopback \
                 address"
            ),
        }
    }
}

impl std::error::Error for WebhookError {}

/// How old the signature is of a call that a server must refuse, in seconds.
const OLD_SIGNATURE_SECONDS: i64 = 3600;

/// A driver that is an HTTP server.
pub struct WebhookDriver {
    server: Arc<Server>,
    path: PathAndQuery,
    secret: Vec<u8>,
    /// Makes keys of two processes differ.
    run: u64,
    calls: Arc<AtomicU64>,
    /// What the clock of its signatures is wrong by; 0 but in a check.
    clock_offset_seconds: i64,
}

impl std::fmt::Debug for WebhookDriver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret is not shown.
        formatter.debug_struct("WebhookDriver").field("path", &self.path).finish_non_exhaustive()
    }
}

impl WebhookDriver {
    /// The driver at a URL. Its requests are signed with the secret. `run` is a random number that
    /// the caller draws; `tls` says which certificates to trust.
    pub fn new(
        url: &Uri,
        secret: Vec<u8>,
        tls: Arc<ClientConfig>,
        run: u64,
    ) -> Result<Self, WebhookError> {
        let (server, path) = server(url, tls)?;
        let server = Arc::new(server);
        let calls = Arc::new(AtomicU64::new(0));
        Ok(Self { server, path, secret, run, calls, clock_offset_seconds: 0 })
    }

    /// Another caller of the same server, with keys of the same sequence.
    fn of_server(&self, secret: Vec<u8>, clock_offset_seconds: i64) -> Box<dyn Driver> {
        let (server, path) = (Arc::clone(&self.server), self.path.clone());
        let (run, calls) = (self.run, Arc::clone(&self.calls));
        Box::new(Self { server, path, secret, run, calls, clock_offset_seconds })
    }

    async fn run(&self, request: &Request) -> CallResult {
        let body = serde_json::to_vec(request)
            .map_err(|error| CallError::new(ErrorClass::Fatal, error.to_string()))?;
        // The key is that of one call. Another call asks anew, also for the same member.
        let key = format!("{:016x}-{}", self.run, self.calls.fetch_add(1, Relaxed));
        let mut message = self.message(Method::POST, self.path.clone(), body, &key);
        loop {
            let response = self.server.exchange(&message).await?;
            if response.status != StatusCode::ACCEPTED {
                return judge(request, &response);
            }
            sleep(poll_interval(&response)).await;
            message = match location(&response) {
                Some(path) => self.message(Method::GET, path, Vec::new(), &key),
                // Without a place to ask at, the same call is made again.
                None => message,
            };
        }
    }

    fn message(&self, method: Method, path: PathAndQuery, body: Vec<u8>, key: &str) -> Message {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = now.saturating_add_signed(self.clock_offset_seconds);
        let signature = Some(signature::sign(&self.secret, now, &body));
        Message { method, path, body, key: key.to_owned(), signature, headers: HeaderMap::new() }
    }
}

impl Driver for WebhookDriver {
    fn call<'a>(&'a self, request: &'a Request, deadline: Duration) -> Calling<'a> {
        let end = Instant::now() + deadline;
        Box::pin(async move {
            timeout_at(end, self.run(request)).await.unwrap_or_else(|_elapsed| {
                let message = format!("the webhook has not answered within {deadline:?}");
                Err(CallError::new(ErrorClass::Transient, message))
            })
        })
    }

    fn with_clock_offset(&self, seconds: i64) -> Result<Box<dyn Driver>, String> {
        Ok(self.of_server(self.secret.clone(), seconds))
    }

    fn impostors(&self) -> Vec<(&'static str, Box<dyn Driver>)> {
        let other = [self.secret.as_slice(), b"x"].concat();
        vec![
            ("with another secret", self.of_server(other, 0)),
            (
                "with a signature of an hour ago",
                self.of_server(self.secret.clone(), -OLD_SIGNATURE_SECONDS),
            ),
        ]
    }
}

/// Where the requests for a URL go. They have secrets.
fn server(url: &Uri, tls: Arc<ClientConfig>) -> Result<(Server, PathAndQuery), WebhookError> {
    server_at(url, tls, false)
}

/// The same; with `plain`, any host may be asked without TLS.
fn server_at(
    url: &Uri,
    tls: Arc<ClientConfig>,
    plain: bool,
) -> Result<(Server, PathAndQuery), WebhookError> {
    let host = url.host().ok_or(WebhookError::NoHost)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let scheme = url.scheme_str().unwrap_or_default();
    let is_loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let (default_port, tls) = match scheme {
        "https" => {
            let name = ServerName::try_from(host.clone()).map_err(|_| WebhookError::NoHost)?;
            (443, Some((tls, name)))
        }
        "http" if plain || is_loopback => (80, None),
        _ => return Err(WebhookError::Scheme(scheme.to_owned())),
    };
    let port = url.port_u16().unwrap_or(default_port);
    let authority = url.authority().map(ToString::to_string).unwrap_or_default();
    let path = url.path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    Ok((Server { host, port, authority, tls }, path))
}

/// What a status other than success means for who asks.
fn failure(status: StatusCode) -> CallError {
    let class = match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {
            ErrorClass::Transient
        }
        status if status.is_server_error() => ErrorClass::Transient,
        _ => ErrorClass::Fatal,
    };
    CallError::new(class, format!("the webhook answers with status {status}"))
}

fn judge(request: &Request, response: &Response) -> CallResult {
    if response.status == StatusCode::OK || response.status == StatusCode::CREATED {
        return answer::success(request, &response.body);
    }
    if response.status == StatusCode::NO_CONTENT {
        return answer::success(request, b"{}");
    }
    if let Some(error) = answer::reported_error(&response.body) {
        return Err(error);
    }
    Err(failure(response.status))
}

/// Where the answer will be: a path of the same server, whatever host is named.
fn location(response: &Response) -> Option<PathAndQuery> {
    let location = response.headers.get(header::LOCATION)?.to_str().ok()?;
    location.parse::<Uri>().ok()?.path_and_query().cloned()
}

fn poll_interval(response: &Response) -> Duration {
    let text = response.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = text.and_then(|text| text.trim().parse().ok());
    seconds.map_or(POLL_INTERVAL, Duration::from_secs).min(POLL_INTERVAL_MAX)
}
