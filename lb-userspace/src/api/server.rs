//! The agent's side of the API: routes to requests, refusals to status codes. No logic of its own.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{Method, StatusCode, Uri},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{get, patch, post, put},
};
use tokio::task::spawn_blocking;

use super::{
    ExplainView, Said, StatsView, TargetAdd, TargetPatch,
    access::guard,
    events::events,
    extract::{Body, Ends, Failure, OfGroup, OfTarget, Wanted},
    stats::view,
};
use crate::{
    agent::{AgentHandle, Outcome, Request, Snapshot},
    config::{Document, FILE_BYTES_MAX},
    dataplane::{ExplainError, Explainer, Stats, StatsError, StatsSource},
};

#[derive(Clone)]
pub(super) struct Context {
    pub(super) agent: AgentHandle,
    stats: StatsSource,
    explainer: Explainer,
}

/// Everything that can be asked, behind the [`guard`].
pub(super) fn routes(agent: AgentHandle, counters: StatsSource) -> Router {
    let explainer = counters.explainer();
    let context = Context { agent, explainer, stats: counters };
    let body_bytes_max = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/listeners", get(listeners))
        .route("/v1/target-groups", get(target_groups))
        .route("/v1/targets", get(targets))
        .route("/v1/stats", get(stats))
        .route("/v1/events", get(events))
        .route("/v1/explain", get(explain))
        .route("/v1/config", put(apply))
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

fn said(outcome: Outcome) -> Result<Json<Said>, Failure> {
    Ok(Json(Said { message: outcome? }))
}

async fn unknown(uri: Uri) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Failure {
    let message = format!("{method} is not possible at {}; see the header `allow`", uri.path());
    Failure(StatusCode::METHOD_NOT_ALLOWED, message)
}

async fn status(State(context): State<Context>) -> Json<Snapshot> {
    Json((*context.agent.snapshot()).clone())
}

async fn listeners(State(context): State<Context>) -> Response {
    Json(&context.agent.snapshot().listeners).into_response()
}

async fn target_groups(State(context): State<Context>) -> Response {
    Json(&context.agent.snapshot().target_groups).into_response()
}

async fn targets(State(context): State<Context>, wanted: Wanted) -> Response {
    let snapshot = context.agent.snapshot();
    let of_group = |group: &str| wanted.group.as_deref().is_none_or(|name| name == group);
    let targets: Vec<_> =
        snapshot.targets.iter().filter(|target| of_group(&target.group)).collect();
    Json(targets).into_response()
}

async fn stats(State(context): State<Context>) -> Result<Json<StatsView>, Failure> {
    let snapshot = context.agent.snapshot();
    // Before the first configuration there are no maps, and nothing has been counted.
    if snapshot.interfaces.is_empty() {
        return Ok(Json(StatsView::default()));
    }
    let listener_ids: Vec<u16> = snapshot.listeners.iter().map(|one| one.id).collect();
    let target_ids: Vec<u16> = snapshot.targets.iter().map(|one| one.id).collect();
    let read = || {
        let remembered = context.stats.remembered()?;
        let read = context.stats.read(&listener_ids, &target_ids)?;
        Ok(Stats { remembered, ..read })
    };
    let read = read().map_err(|error: StatsError| {
        Failure(StatusCode::SERVICE_UNAVAILABLE, format!("{:#}", anyhow::Error::new(error)))
    })?;
    Ok(Json(view(&snapshot, &read)))
}

/// Loading the second instance takes a moment: not on a thread that others wait for.
async fn explain(
    State(context): State<Context>,
    Ends { from, to, protocol, established }: Ends,
) -> Result<Json<ExplainView>, Failure> {
    let snapshot = context.agent.snapshot();
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

async fn apply(
    State(context): State<Context>,
    Body(document): Body<Document>,
) -> Result<Json<Said>, Failure> {
    said(context.agent.ask(Request::Apply(Box::new(document))).await)
}

async fn target_add(
    State(context): State<Context>,
    OfGroup(group): OfGroup,
    Body(TargetAdd { address, port, weight }): Body<TargetAdd>,
) -> Result<Json<Said>, Failure> {
    said(context.agent.ask(Request::TargetAdd { group, address, port, weight }).await)
}

async fn target_remove(
    State(context): State<Context>,
    OfTarget { group, address, port, now }: OfTarget,
) -> Result<Json<Said>, Failure> {
    said(context.agent.ask(Request::TargetRemove { group, address, port, now }).await)
}

async fn target_patch(
    State(context): State<Context>,
    OfTarget { group, address, port, now }: OfTarget,
    Body(patch): Body<TargetPatch>,
) -> Result<Json<Said>, Failure> {
    if now {
        return Err(Failure::bad_request("`now` belongs to DELETE"));
    }
    let request = match patch {
        TargetPatch { weight: Some(weight), drain: None } => {
            Request::TargetWeight { group, address, port, weight }
        }
        TargetPatch { weight: None, drain: Some(drain) } => {
            Request::TargetDrain { group, address, port, drain }
        }
        _ => return Err(Failure::bad_request("give either `weight` or `drain`")),
    };
    said(context.agent.ask(request).await)
}
