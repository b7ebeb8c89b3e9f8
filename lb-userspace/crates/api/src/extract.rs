//! What requests carry, and what is said when it is wrong.

use axum::{
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{body_limits::Received, context::Context, failure::Failure};

/// A body of JSON. The content type is ignored, since the API has only JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Context> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Failure> {
        from_json(&context.bodies.receive(request).await?).map(Self)
    }
}

/// A body that is read later.
pub(super) struct Unread(pub(super) Received);

impl FromRequest<Context> for Unread {
    type Rejection = Failure;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Failure> {
        context.bodies.receive(request).await.map(Self)
    }
}

/// What a body says.
pub(super) fn from_json<T: DeserializeOwned>(received: &Received) -> Result<T, Failure> {
    serde_json::from_slice(&received.bytes)
        .map_err(|error| Failure::bad_request(format!("the body is wrong: {error}")))
}

/// What the path names.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let wrong = |rejection: PathRejection| {
            Failure::bad_request(format!("the path is wrong: {}", plain(&rejection.body_text())))
        };
        Path::from_request_parts(parts, state).await.map(|Path(read)| Self(read)).map_err(wrong)
    }
}

/// What the query asks for.
pub(super) struct InQuery<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let wrong = |rejection: QueryRejection| {
            Failure::bad_request(format!("the query is wrong: {}", plain(&rejection.body_text())))
        };
        Query::from_request_parts(parts, state).await.map(|Query(read)| Self(read)).map_err(wrong)
    }
}

/// What is wrong, without the words of those who found it.
fn plain(text: &str) -> String {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let text = text.strip_prefix("Cannot parse ").unwrap_or(text);
    text.replace(
        "invalid socket address syntax",
        "not an address with a port, such as 198.51.100.7:40000 or [2001:db8::7]:40000",
    )
}
