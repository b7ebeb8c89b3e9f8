//! `GET /v1/events`: what has happened to targets, from a number on; it can wait for the next event.

use std::time::Duration;

use axum::{Json, extract::State};
use lb_agent::Events;
use tokio::time::timeout;

use super::{
    context::Context, error_responses::Wrong, extract::InQuery, failure::Failure, parameters::Since,
};

/// Most events in an answer.
const MOST: usize = 1000;

/// Longest time that is waited for an event.
const WAIT_MAX: u64 = 30;

/// Events of targets, from a number on; at most 1,000.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "state",
    params(Since),
    responses(
        (status = 200, body = Events, description = "Events, oldest first"),
        (status = 400, response = Wrong),
    )
)]
pub(super) async fn events(
    State(context): State<Context>,
    InQuery(Since { since, wait }): InQuery<Since>,
) -> Result<Json<Events>, Failure> {
    if wait > WAIT_MAX {
        let message = format!("`wait` is {wait} and must be at most {WAIT_MAX} seconds");
        return Err(Failure::bad_request(message));
    }
    let log = context.agent.events();
    if wait > 0 {
        // When nothing comes, the answer is empty.
        let _came = timeout(Duration::from_secs(wait), log.wait_for(since)).await;
    }
    Ok(Json(log.since(since, MOST)))
}
