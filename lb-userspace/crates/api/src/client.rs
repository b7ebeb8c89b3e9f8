//! The command line's side of the API.

mod changes;
mod error;
mod feed;

use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use http::{Method, Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use lb_agent::{Events, Snapshot, TargetDescription};
use lb_config::{Difference, Document, Protocol, TargetAddress};
use lb_proxy_control::{HttpExplainView, HttpQuestion};
use lb_scaling::{ScaleCommand, ScalingView};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{
    CapacityLimits, ConfigurationView, ErrorBody, ExplainView, FindingView, PreviewView,
    RevisionView, RevisionsView, StatsView, Transport,
};

pub use changes::Terms;
pub use error::ClientError;
pub use feed::ProxyFeed;

/// Longest time that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer: the state of as many targets as the maps hold takes a third of it.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A stream of states and events.
#[derive(Debug)]
pub struct Changes {
    client: Client,
    body: Incoming,
    /// Keeps the connection open.
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Changes {
    /// Waits for the next one; `false` if the stream has ended and can be opened again.
    pub async fn next(&mut self) -> Result<bool, ClientError> {
        match self.body.frame().await {
            Some(Ok(_)) => Ok(true),
            Some(Err(error)) => Err(self.client.garbled(&error)),
            None => Ok(false),
        }
    }
}

/// A client of one agent.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    timeout: Duration,
}

impl Client {
    /// The agent at this socket.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self::by(Transport::Unix(socket.to_path_buf()))
    }

    /// A client with this transport.
    #[must_use]
    pub const fn by(transport: Transport) -> Self {
        Self { transport, timeout: TIMEOUT }
    }

    /// The same with another limit on the time that an answer may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where the agent is: its socket or address.
    #[must_use]
    pub fn place(&self) -> String {
        self.transport.name()
    }

    /// The agent's state.
    pub async fn status(&self) -> Result<Snapshot, ClientError> {
        self.ask(Method::GET, "/v1/status", None::<&()>).await
    }

    /// All that is known of one target.
    pub async fn describe_target(
        &self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
    ) -> Result<TargetDescription, ClientError> {
        let path = changes::target_path(group, address, port, std::iter::empty());
        self.ask(Method::GET, &path, None::<&()>).await
    }

    /// The counters.
    pub async fn stats(&self) -> Result<StatsView, ClientError> {
        self.ask(Method::GET, "/v1/stats", None::<&()>).await
    }

    /// What `xelb doctor` finds on the host of the agent.
    pub async fn doctor(&self) -> Result<Vec<FindingView>, ClientError> {
        self.ask(Method::GET, "/v1/doctor", None::<&()>).await
    }

    /// What has happened to targets from the event with this number on; waits so many seconds for
    /// the next one.
    pub async fn events(&self, since: u64, wait: u64) -> Result<Events, ClientError> {
        let path = format!("/v1/events?since={since}&wait={wait}");
        self.ask(Method::GET, &path, None::<&()>).await
    }

    /// States and events as they come.
    pub async fn watch(&self) -> Result<Changes, ClientError> {
        let request = Request::get("/v1/watch")
            .header("host", "xelb")
            .body(Full::default())
            .map_err(|error| self.garbled(&error))?;
        let answer = timeout(self.timeout, self.open(request)).await;
        let (sender, response) = answer.map_err(|_| self.timed_out())??;
        if response.status().is_success() {
            return Ok(Changes {
                client: self.clone(),
                body: response.into_body(),
                _sender: sender,
            });
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let bytes = body.collect().await.map_err(|error| self.garbled(&error))?.to_bytes();
        let ErrorBody { error } =
            serde_json::from_slice(&bytes).map_err(|error| self.garbled(&error))?;
        Err(ClientError::Failed(error))
    }

    /// Sends a request; the answer's body comes through a connection that a separate task drives.
    async fn open(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(http1::SendRequest<Full<Bytes>>, Response<Incoming>), ClientError> {
        if let Some(value) = self.transport.authorization()? {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let stream = self.transport.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.garbled(&error))?;
        let connection = tokio::spawn(connection);
        match sender.send_request(request).await {
            Ok(response) => Ok((sender, response)),
            // Why the connection ended may say more than that there is no answer.
            Err(error) => Err(match connection.await {
                Ok(Err(cause)) => self.transport.broken(&cause),
                _ => self.transport.broken(&error),
            }),
        }
    }

    fn timed_out(&self) -> ClientError {
        ClientError::TimedOut { path: self.transport.name(), waited: self.timeout }
    }

    /// What the data path would do with the first packet of a flow, or with one of a flow that is
    /// established.
    pub async fn explain(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        protocol: Protocol,
        established: bool,
    ) -> Result<ExplainView, ClientError> {
        let ends = format!("from={}&to={}", escape(&from.to_string()), escape(&to.to_string()));
        let path = format!("/v1/explain?{ends}&protocol={protocol}&established={established}");
        self.ask(Method::GET, &path, None::<&()>).await
    }

    /// What becomes of a request.
    pub async fn explain_http(
        &self,
        question: &HttpQuestion,
    ) -> Result<HttpExplainView, ClientError> {
        self.ask(Method::POST, "/v1/explain/http", Some(question)).await
    }

    /// The desired state.
    pub async fn configuration(&self) -> Result<ConfigurationView, ClientError> {
        self.ask(Method::GET, "/v1/config", None::<&()>).await
    }

    /// What applying this would do.
    pub async fn preview(&self, document: &Document) -> Result<PreviewView, ClientError> {
        self.ask(Method::POST, "/v1/config/preview", Some(document)).await
    }

    /// At most `most` revisions below `before`, newest first.
    pub async fn revisions(
        &self,
        before: Option<u64>,
        most: usize,
    ) -> Result<RevisionsView, ClientError> {
        let before = before.map_or_else(String::new, |before| format!("&before={before}"));
        self.ask(Method::GET, &format!("/v1/revisions?limit={most}{before}"), None::<&()>).await
    }

    /// One revision, with its configuration.
    pub async fn revision(&self, number: u64) -> Result<RevisionView, ClientError> {
        self.ask(Method::GET, &format!("/v1/revisions/{number}"), None::<&()>).await
    }

    /// What differs between two revisions.
    pub async fn differences(&self, from: u64, to: u64) -> Result<Vec<Difference>, ClientError> {
        let path = format!("/v1/revisions/{from}/differences?to={to}");
        self.ask(Method::GET, &path, None::<&()>).await
    }

    /// All of a scaled group.
    pub async fn scaling(&self, group: &str) -> Result<ScalingView, ClientError> {
        let path = format!("/v1/target-groups/{}/scaling", escape(group));
        self.ask(Method::GET, &path, None::<&()>).await
    }

    /// Tells a scaled group something.
    pub async fn scale(&self, group: &str, command: &ScaleCommand) -> Result<String, ClientError> {
        let path = format!("/v1/target-groups/{}/scaling", escape(group));
        self.change(Method::POST, &path, Some(command)).await
    }

    /// Changes the capacity limits of a scaled group in the configuration.
    pub async fn capacity_limits(
        &self,
        group: &str,
        limits: &CapacityLimits,
    ) -> Result<String, ClientError> {
        let path = format!("/v1/target-groups/{}/scaling/limits", escape(group));
        self.change(Method::PATCH, &path, Some(limits)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        self.ask_from(None, method, path, body).await
    }

    async fn ask_from<T: DeserializeOwned>(
        &self,
        base: Option<u64>,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| self.garbled(&error))?,
            None => Vec::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "xelb")
            .header("content-type", "application/json");
        let request = match base {
            Some(number) => request.header("if-match", format!("\"{number}\"")),
            None => request,
        };
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| self.garbled(&error))?;
        let answer = timeout(self.timeout, self.send(request)).await;
        let (status, bytes) = answer.map_err(|_| self.timed_out())??;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| self.garbled(&error));
        }
        let ErrorBody { error } =
            serde_json::from_slice(&bytes).map_err(|_| self.garbled(&status))?;
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ClientError::Refused(error),
            // Somebody else was faster: the request as such was right.
            StatusCode::PRECONDITION_FAILED => ClientError::Failed(error),
            _ if status.is_client_error() => ClientError::Invalid(error),
            _ => ClientError::Failed(error),
        })
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (_sender, response) = self.open(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let bytes = body.collect().await.map_err(|error| self.garbled(&error))?.to_bytes();
        Ok((status, bytes))
    }

    fn garbled(&self, reason: &impl ToString) -> ClientError {
        ClientError::Garbled { path: self.transport.name(), reason: reason.to_string() }
    }
}

/// A name as a part of a path (RFC 3986): whatever is not unreserved is written as its bytes.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _written = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
