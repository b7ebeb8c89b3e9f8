//! The command line's side of the API.

use std::{
    error::Error,
    fmt::Write as _,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use http::{Method, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::time::timeout;

use super::{ErrorBody, ExplainView, Said, StatsView, TargetAdd, TargetPatch, Way};
use crate::{
    agent::{Events, Snapshot},
    config::{Document, Protocol},
};

/// Longest time that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer: the state of as many targets as the maps hold takes a third of it.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why there is no answer, or not the wanted one.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no agent answers at {path}; is `xelb agent` running? --socket names another place")]
    NoAgent {
        /// The socket.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The socket is somebody else's.
    #[error("not permitted to use {path}; run as root, or as a member of the socket's group")]
    NotPermitted {
        /// The socket.
        path: String,
    },
    /// The agent does not answer in time.
    #[error(
        "the agent at {path} has not answered for {waited:?}; what was asked may still be done, \
         `xelb status` tells"
    )]
    TimedOut {
        /// The socket.
        path: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// What came is not an answer of an agent.
    #[error("the answer from {path} makes no sense: {reason}; do agent and CLI have one version?")]
    Garbled {
        /// The socket.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Nobody answers at a remote address.
    #[error("no agent answers at {server}; does `xelb agent` run there with --listen?")]
    NoServer {
        /// Where it should be.
        server: String,
        /// Why not.
        source: io::Error,
    },
    /// The two ends do not believe each other.
    #[error("TLS with {server} fails: {reason}")]
    Tls {
        /// The other end.
        server: String,
        /// Why.
        reason: String,
    },
    /// The agent does not know who asks, or he may not: exit code 1.
    #[error("not permitted: {0}")]
    Refused(String),
    /// The request is wrong: exit code 2.
    #[error("{0}")]
    Invalid(String),
    /// The agent could not do it: exit code 1.
    #[error("{0}")]
    Failed(String),
}

/// What is asked of one agent.
#[derive(Clone, Debug)]
pub struct Client {
    way: Way,
    timeout: Duration,
}

impl Client {
    /// The agent at this socket.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self::by(Way::Unix(socket.to_path_buf()))
    }

    /// The agent that is reached this way.
    #[must_use]
    pub const fn by(way: Way) -> Self {
        Self { way, timeout: TIMEOUT }
    }

    /// The same with another limit on the time that an answer may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The agent's state.
    pub async fn status(&self) -> Result<Snapshot, ClientError> {
        self.ask(Method::GET, "/v1/status", None::<&()>).await
    }

    /// The counters.
    pub async fn stats(&self) -> Result<StatsView, ClientError> {
        self.ask(Method::GET, "/v1/stats", None::<&()>).await
    }

    /// What has happened to targets from the event with this number on; waits so many seconds for
    /// the next one.
    pub async fn events(&self, since: u64, wait: u64) -> Result<Events, ClientError> {
        let path = format!("/v1/events?since={since}&wait={wait}");
        self.ask(Method::GET, &path, None::<&()>).await
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

    /// Makes this the desired state.
    pub async fn apply(&self, document: &Document) -> Result<String, ClientError> {
        self.change(Method::PUT, "/v1/config", Some(document)).await
    }

    /// Registers a target.
    pub async fn target_add(&self, group: &str, target: &TargetAdd) -> Result<String, ClientError> {
        let path = format!("/v1/target-groups/{}/targets", escape(group));
        self.change(Method::POST, &path, Some(target)).await
    }

    /// Deregisters a target; `now` ends its flows.
    pub async fn target_remove(
        &self,
        group: &str,
        address: IpAddr,
        port: Option<u16>,
        now: bool,
    ) -> Result<String, ClientError> {
        let mut path = target_path(group, address, port);
        if now {
            path.push_str(if port.is_some() { "&now=true" } else { "?now=true" });
        }
        self.change(Method::DELETE, &path, None::<&()>).await
    }

    /// Changes a target.
    pub async fn target_patch(
        &self,
        group: &str,
        address: IpAddr,
        port: Option<u16>,
        change: &TargetPatch,
    ) -> Result<String, ClientError> {
        let path = target_path(group, address, port);
        self.change(Method::PATCH, &path, Some(change)).await
    }

    async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<String, ClientError> {
        let Said { message } = self.ask(method, path, body).await?;
        Ok(message)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| self.garbled(&error))?,
            None => Vec::new(),
        };
        let answer = timeout(self.timeout, self.send(method, path, body))
            .await
            .map_err(|_| ClientError::TimedOut { path: self.way.name(), waited: self.timeout })?;
        let (status, bytes) = answer?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| self.garbled(&error));
        }
        let ErrorBody { error } =
            serde_json::from_slice(&bytes).map_err(|_| self.garbled(&status))?;
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ClientError::Refused(error),
            _ if status.is_client_error() => ClientError::Invalid(error),
            _ => ClientError::Failed(error),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let authorization = self.way.authorization()?;
        let stream = self.way.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.garbled(&error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "xelb")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.garbled(&error))?;
        if let Some(value) = authorization {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let bytes = body.collect().await?.to_bytes();
            drop(sender);
            Ok::<_, Box<dyn Error + Send + Sync>>((status, bytes))
        };
        let (connected, answer) = tokio::join!(connection, exchange);
        // Why the connection ended may say more than that there is no answer.
        answer.map_err(|error| match &connected {
            Err(cause) => self.way.broken(cause),
            Ok(()) => self.way.broken(error.as_ref()),
        })
    }

    fn garbled(&self, reason: &impl ToString) -> ClientError {
        ClientError::Garbled { path: self.way.name(), reason: reason.to_string() }
    }
}

fn target_path(group: &str, address: IpAddr, port: Option<u16>) -> String {
    let query = port.map_or_else(String::new, |port| format!("?port={port}"));
    format!("/v1/target-groups/{}/targets/{address}{query}", escape(group))
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
