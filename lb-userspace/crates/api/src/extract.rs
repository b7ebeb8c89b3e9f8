//! What requests carry, and how it is refused: every error is JSON, also where axum would answer in
//! plain text.

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use lb_agent::Refusal;
use serde::de::DeserializeOwned;

use super::{ErrorBody, body_limits::Received, server::Context};

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

/// A body of JSON. The content type is not looked at: nothing else is spoken here.
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
            Failure::bad_request(format!("the path is wrong: {}", rejection.body_text()))
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
            Failure::bad_request(format!("the query is wrong: {}", rejection.body_text()))
        };
        Query::from_request_parts(parts, state).await.map(|Query(read)| Self(read)).map_err(wrong)
    }
}
