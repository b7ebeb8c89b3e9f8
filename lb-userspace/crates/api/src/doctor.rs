//! `GET /v1/doctor`: what `xelb doctor` finds on the host of the agent.

use axum::{Json, extract::State, http::StatusCode};

use super::{
    FindingView, LookError,
    context::Context,
    error_responses::{Unavailable, Wrong},
    failure::Failure,
};

/// What `xelb doctor` finds on the host of the agent: one look at a time, not more often than every
/// two seconds. Nothing is changed.
#[utoipa::path(
    get,
    path = "/v1/doctor",
    tag = "state",
    responses(
        (status = 200, body = [FindingView], description = "What was found"),
        (status = 400, response = Wrong),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn doctor(
    State(context): State<Context>,
) -> Result<Json<Vec<FindingView>>, Failure> {
    match context.doctor.findings().await {
        Ok(findings) => Ok(Json(findings)),
        Err(LookError { is_usage: true, message }) => Err(Failure::bad_request(message)),
        Err(LookError { message, .. }) => Err(Failure(StatusCode::SERVICE_UNAVAILABLE, message)),
    }
}
