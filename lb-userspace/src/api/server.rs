//! The agent's side of the API: routes to requests, refusals to status codes. No logic of its own.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use tokio::task::spawn_blocking;

use serde::Serialize;

use super::{
    ExplainView, StatsView,
    access::guard,
    changes::{apply, rollback, target_add, target_patch, target_remove},
    events::events,
    extract::{Ends, Failure, Wanted},
    history::{configuration, differences, preview, revision, revisions},
    read_stats,
    watch::{Watchers, watch},
};
use crate::{
    agent::{AgentHandle, Snapshot},
    config::FILE_BYTES_MAX,
    dataplane::{ExplainError, Explainer, StatsSource},
};

#[derive(Clone)]
pub(super) struct Context {
    pub(super) agent: AgentHandle,
    pub(super) watchers: Watchers,
    stats: StatsSource,
    explainer: Explainer,
}

/// Everything that can be asked, behind the [`guard`].
pub(super) fn routes(agent: AgentHandle, counters: StatsSource) -> Router {
    let explainer = counters.explainer();
    let watchers = Watchers::default();
    let context = Context { agent, watchers, explainer, stats: counters };
    let body_bytes_max = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/listeners", get(listeners))
        .route("/v1/target-groups", get(target_groups))
        .route("/v1/targets", get(targets))
        .route("/v1/stats", get(stats))
        .route("/v1/events", get(events))
        .route("/v1/watch", get(watch))
        .route("/v1/explain", get(explain))
        .route("/v1/config", get(configuration).put(apply))
        .route("/v1/config/preview", post(preview))
        .route("/v1/revisions", get(revisions))
        .route("/v1/revisions/{number}", get(revision))
        .route("/v1/revisions/{number}/differences", get(differences))
        .route("/v1/revisions/{number}/rollback", post(rollback))
        .route("/v1/target-groups/{group}/targets", post(target_add))
        .route(
            "/v1/target-groups/{group}/targets/{address}",
            patch(target_patch).delete(target_remove),
        )
        .method_not_allowed_fallback(not_allowed)
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(from_fn(guard))
        .with_state(context)
}

async fn unknown(uri: Uri) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Failure {
    let message = format!("{method} is not possible at {}; see the header `allow`", uri.path());
    Failure(StatusCode::METHOD_NOT_ALLOWED, message)
}

async fn status(State(context): State<Context>) -> Json<Snapshot> {
    Json((*context.agent.snapshot().await).clone())
}

async fn listeners(State(context): State<Context>, wanted: Wanted) -> Result<Response, Failure> {
    no_group(&wanted)?;
    Ok(part(&context.agent.snapshot().await.listeners, &wanted, |_| true))
}

async fn target_groups(
    State(context): State<Context>,
    wanted: Wanted,
) -> Result<Response, Failure> {
    no_group(&wanted)?;
    Ok(part(&context.agent.snapshot().await.target_groups, &wanted, |_| true))
}

async fn targets(State(context): State<Context>, wanted: Wanted) -> Response {
    let of_group = |group: &str| wanted.group.as_deref().is_none_or(|name| name == group);
    part(&context.agent.snapshot().await.targets, &wanted, |target| of_group(&target.group))
}

fn no_group(wanted: &Wanted) -> Result<(), Failure> {
    match wanted.group {
        Some(_) => Err(Failure::bad_request("the query is wrong: `group` belongs to /v1/targets")),
        None => Ok(()),
    }
}

/// The part of a list that is wanted; the header `x-total-count` says how many there are.
fn part<T: Serialize>(all: &[T], wanted: &Wanted, belongs: impl Fn(&T) -> bool) -> Response {
    let belonging: Vec<&T> = all.iter().filter(|item| belongs(item)).collect();
    let count = HeaderValue::from(belonging.len());
    let part: Vec<&T> = belonging.into_iter().skip(wanted.offset).take(wanted.limit.0).collect();
    ([(HeaderName::from_static("x-total-count"), count)], Json(part)).into_response()
}

async fn stats(State(context): State<Context>) -> Result<Json<StatsView>, Failure> {
    let snapshot = context.agent.snapshot().await;
    let view = read_stats(&snapshot, &context.stats).map_err(|error| {
        Failure(StatusCode::SERVICE_UNAVAILABLE, format!("{:#}", anyhow::Error::new(error)))
    })?;
    Ok(Json(view))
}

/// Loading the second instance takes a moment: not on a thread that others wait for.
async fn explain(
    State(context): State<Context>,
    Ends { from, to, protocol, established }: Ends,
) -> Result<Json<ExplainView>, Failure> {
    let snapshot = context.agent.snapshot().await;
    if snapshot.interfaces.is_empty() {
        let message = "there is no data path before the first configuration".to_owned();
        return Err(Failure(StatusCode::SERVICE_UNAVAILABLE, message));
    }
    let explain = move || context.explainer.explain(from, to, protocol, established);
    let explained = spawn_blocking(explain).await;
    let failed =
        |error: anyhow::Error| Failure(StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}"));
    match explained.map_err(|error| failed(error.into()))? {
        Ok(explained) => Ok(Json(super::explain::view(&explained, &snapshot))),
        Err(error @ ExplainError::Families { .. }) => Err(Failure::bad_request(error.to_string())),
        Err(error) => Err(failed(error.into())),
    }
}
