//! How a request is refused: every error is JSON, also where axum would answer in plain text.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lb_agent::Refusal;

use super::ErrorBody;

/// An error response.
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
