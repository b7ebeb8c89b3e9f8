//! `GET /v1/events`: what has happened to targets, from a number on; it can wait for the next event.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Deserialize;
use tokio::time::timeout;

use super::{extract::Failure, server::Context};
use crate::agent::Events;

/// Most events in an answer.
const MOST: usize = 1000;

/// Longest time that is waited for an event.
const WAIT_MAX: u64 = 30;

/// `?since=NUMBER&wait=SECONDS`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    since: u64,
    #[serde(default)]
    wait: u64,
}

pub(super) async fn events(
    State(context): State<Context>,
    asked: Asked,
) -> Result<Json<Events>, Failure> {
    let Asked { since, wait } = asked;
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
