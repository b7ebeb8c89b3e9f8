//! What requests carry, and how it is refused: every error is JSON, also where axum would answer in
//! plain text.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{StatusCode, header::IF_MATCH, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};

use super::{ErrorBody, events::Asked};
use crate::{
    agent::Refusal,
    config::{FILE_BYTES_MAX, Protocol},
};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StatusCode, pub(super) String);

impl Failure {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(ErrorBody { error: self.1 })).into_response()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Absent(_) => StatusCode::NOT_FOUND,
            Refusal::Harmful(_) => StatusCode::CONFLICT,
            Refusal::Outdated(_) => StatusCode::PRECONDITION_FAILED,
            Refusal::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, refusal.to_string())
    }
}

impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Self {
        let status = rejection.status();
        let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
            format!("the body is larger than {} MiB", FILE_BYTES_MAX >> 20)
        } else {
            format!("the body cannot be read: {}", rejection.body_text())
        };
        Self(status, message)
    }
}

/// A body of JSON. The content type is not looked at: nothing else is spoken here.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = Bytes::from_request(request, state).await?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Failure::bad_request(format!("the body is wrong: {error}")))
    }
}

/// A target group, by `{group}` of the path.
pub(super) struct OfGroup(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for OfGroup {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        path(parts, state).await.map(Self)
    }
}

/// A target, by `{group}` and `{address}` of the path and `port` of the query, which may also have
/// `now`.
pub(super) struct OfTarget {
    pub(super) group: String,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) now: bool,
    pub(super) force: bool,
}

/// The revision that a change was made from, by the header `if-match`.
pub(super) struct Base(pub(super) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(tag) = parts.headers.get(IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = tag.to_str().unwrap_or_default();
        let number = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => Ok(Self(Some(number))),
            None => Err(Failure::bad_request(format!(
                "`if-match` is {text} and must be the `etag` of the configuration, such as \"7\""
            ))),
        }
    }
}

/// `?force=true|false`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forced {
    #[serde(default)]
    pub(super) force: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Forced {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        query(parts, state).await
    }
}

/// A revision, by `{number}` of the path.
pub(super) struct OfRevision(pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for OfRevision {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        path(parts, state).await.map(Self)
    }
}

/// A part of a list: `?before=NUMBER&limit=NUMBER`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Before {
    #[serde(default = "newest")]
    pub(super) before: u64,
    #[serde(default)]
    pub(super) limit: Limit,
}

const fn newest() -> u64 {
    u64::MAX
}

impl<S: Send + Sync> FromRequestParts<S> for Before {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        query(parts, state).await
    }
}

/// `?to=NUMBER`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct To {
    pub(super) to: u64,
}

impl<S: Send + Sync> FromRequestParts<S> for To {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        query(parts, state).await
    }
}

/// `?from=ADDRESS:PORT&to=ADDRESS:PORT&protocol=tcp|udp|quic&established=true|false`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ends {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    #[serde(default = "tcp", deserialize_with = "protocol")]
    pub(super) protocol: Protocol,
    #[serde(default)]
    pub(super) established: bool,
}

const fn tcp() -> Protocol {
    Protocol::Tcp
}

fn protocol<'text, D: Deserializer<'text>>(text: D) -> Result<Protocol, D::Error> {
    match String::deserialize(text)?.as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "quic" => Ok(Protocol::Quic),
        _ => Err(D::Error::custom("`protocol` must be tcp, udp or quic")),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ends {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        query(parts, state).await
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithPort {
    port: Option<u16>,
    #[serde(default)]
    now: bool,
    #[serde(default)]
    force: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for OfTarget {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let (group, address): (String, String) = path(parts, state).await?;
        let address = address
            .parse()
            .map_err(|_| Failure::bad_request(format!("`{address}` is not an IP address")))?;
        let WithPort { port, now, force } = query(parts, state).await?;
        Ok(Self { group, address, port, now, force })
    }
}

/// Which part of a list is asked for: `?offset=NUMBER&limit=NUMBER`, of targets also `&group=NAME`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) offset: usize,
    #[serde(default)]
    pub(super) limit: Limit,
}

/// Most items of an answer.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct Limit(pub(super) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(usize::MAX)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        query(parts, state).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        query(parts, state).await
    }
}

async fn path<T, S>(parts: &mut Parts, state: &S) -> Result<T, Failure>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    Path::from_request_parts(parts, state).await.map(|Path(parsed)| parsed).map_err(|rejection| {
        Failure::bad_request(format!("the path is wrong: {}", rejection.body_text()))
    })
}

async fn query<T, S>(parts: &mut Parts, state: &S) -> Result<T, Failure>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    Query::from_request_parts(parts, state).await.map(|Query(parsed)| parsed).map_err(|rejection| {
        Failure::bad_request(format!("the query is wrong: {}", rejection.body_text()))
    })
}
