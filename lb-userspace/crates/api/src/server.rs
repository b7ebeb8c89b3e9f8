//! The agent's side of the API: its routes, and the handlers of those for its state. No logic of its own.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use tokio::task::spawn_blocking;

use lb_agent::{
    Answer, ListenerView, Question, Snapshot, TargetDescription, TargetGroupView, TargetView,
};
use lb_config::Tags;
use lb_dataplane::ExplainError;
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ExplainView, StatsView,
    access::Caller,
    changes,
    context::Context,
    doctor, documents,
    error_responses::{NotFound, Unavailable, Wrong},
    events, explain_http,
    extract::{InPath, InQuery},
    failure::Failure,
    history,
    parameters::{Ends, OfTarget, OnPort, Part, PartOfTargets},
    parts, proxies, read_stats, scaling, watch,
};

/// The routes, each with its description.
pub(super) fn described_routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(listeners))
        .routes(routes!(target_groups))
        .routes(routes!(targets))
        .routes(routes!(stats))
        .routes(routes!(doctor::doctor))
        .routes(routes!(events::events))
        .routes(routes!(watch::watch))
        .routes(routes!(explain))
        .routes(routes!(explain_http::explain))
        .routes(routes!(proxies::proxies, proxies::report))
        .routes(routes!(proxies::feed))
        .routes(routes!(history::configuration, changes::apply))
        .routes(routes!(history::preview))
        .routes(routes!(parts::change_parts))
        .routes(routes!(parts::preview_changes))
        .routes(routes!(history::revisions))
        .routes(routes!(history::revision))
        .routes(routes!(history::differences))
        .routes(routes!(changes::rollback))
        .routes(routes!(changes::target_add))
        .routes(routes!(describe_target, changes::target_patch, changes::target_remove))
        .routes(routes!(scaling::describe, scaling::command))
        .routes(routes!(scaling::limits))
        .routes(routes!(documents::openapi))
        .routes(routes!(documents::configuration_schema))
}

/// The state of the agent.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "state",
    responses(
        (status = 200, body = Snapshot, description = "The state"),
    )
)]
async fn status(State(context): State<Context>) -> Json<Snapshot> {
    Json((*context.agent.snapshot().await).clone())
}

/// Listeners, in the order of the configuration.
#[utoipa::path(
    get,
    path = "/v1/listeners",
    tag = "state",
    params(Part),
    responses(
        (
            status = 200,
            body = Vec<ListenerView>,
            description = "Listeners",
            headers(("x-total-count" = u64, description = "How many fit, whatever `offset` and `limit` are"))
        ),
        (status = 400, response = Wrong),
    )
)]
async fn listeners(State(context): State<Context>, InQuery(wanted): InQuery<Part>) -> Response {
    part(context.agent.snapshot().await.listeners.iter(), |one| &one.tags, wanted)
}

/// Target groups, in the order of the configuration.
#[utoipa::path(
    get,
    path = "/v1/target-groups",
    tag = "state",
    params(Part),
    responses(
        (
            status = 200,
            body = Vec<TargetGroupView>,
            description = "Target groups",
            headers(("x-total-count" = u64, description = "How many fit, whatever `offset` and `limit` are"))
        ),
        (status = 400, response = Wrong),
    )
)]
async fn target_groups(State(context): State<Context>, InQuery(wanted): InQuery<Part>) -> Response {
    part(context.agent.snapshot().await.target_groups.iter(), |one| &one.tags, wanted)
}

/// Targets, group by group in the order of the configuration.
#[utoipa::path(
    get,
    path = "/v1/targets",
    tag = "targets",
    params(PartOfTargets),
    responses(
        (
            status = 200,
            body = Vec<TargetView>,
            description = "Targets",
            headers(("x-total-count" = u64, description = "How many fit, whatever `offset` and `limit` are"))
        ),
        (status = 400, response = Wrong),
    )
)]
async fn targets(
    State(context): State<Context>,
    InQuery(PartOfTargets { group, selector, offset, limit }): InQuery<PartOfTargets>,
) -> Response {
    let snapshot = context.agent.snapshot().await;
    let wanted = |target: &&TargetView| group.as_ref().is_none_or(|name| *name == target.group);
    part(snapshot.targets.iter().filter(wanted), |one| &one.tags, Part { selector, offset, limit })
}

/// All that is known of one target: its check and the last probes, next hop, history.
#[utoipa::path(
    get,
    path = "/v1/target-groups/{group}/targets/{address}",
    tag = "targets",
    params(OfTarget, OnPort),
    responses(
        (status = 200, body = TargetDescription, description = "The target"),
        (status = 400, response = Wrong),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
async fn describe_target(
    State(context): State<Context>,
    InPath(OfTarget { group, address }): InPath<OfTarget>,
    InQuery(OnPort { port }): InQuery<OnPort>,
) -> Result<Json<TargetDescription>, Failure> {
    match context.agent.question(Question::Target { group, address, port }).await? {
        Answer::Target(target) => Ok(Json(*target)),
        _ => Err(history::other_answer()),
    }
}

/// The part of a list that is wanted; the header `x-total-count` says how many objects fit.
fn part<'all, T: Serialize + 'all>(
    all: impl Iterator<Item = &'all T>,
    tags: impl Fn(&T) -> &Tags,
    Part { selector, offset, limit }: Part,
) -> Response {
    let fits = |one: &&T| selector.as_ref().is_none_or(|selector| selector.matches(tags(one)));
    let all: Vec<&T> = all.filter(fits).collect();
    let count = HeaderValue::from(all.len());
    let part: Vec<&T> = all.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    ([(HeaderName::from_static("x-total-count"), count)], Json(part)).into_response()
}

/// Counters.
#[utoipa::path(
    get,
    path = "/v1/stats",
    tag = "state",
    responses(
        (status = 200, body = StatsView, description = "Counters"),
        (status = 503, response = Unavailable),
    )
)]
async fn stats(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<StatsView>, Failure> {
    let snapshot = context.agent.snapshot().await;
    let turn = context.looks.take(caller.role).await?;
    // It reads the whole flow memory. The turn ends with the work, not with the caller.
    let read = move || {
        let view = read_stats(&snapshot, &context.stats);
        drop(turn);
        view
    };
    let view = spawn_blocking(read).await.map_err(unavailable)?;
    view.map(Json).map_err(unavailable)
}

/// What the data path would do with a packet.
#[utoipa::path(
    get,
    path = "/v1/explain",
    tag = "state",
    params(Ends),
    responses(
        (status = 200, body = ExplainView, description = "What it would do"),
        (status = 400, response = Wrong),
        (status = 503, response = Unavailable),
    )
)]
async fn explain(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    InQuery(Ends { from, to, protocol, established }): InQuery<Ends>,
) -> Result<Json<ExplainView>, Failure> {
    let snapshot = context.agent.snapshot().await;
    if snapshot.interfaces.is_empty() {
        let message = "there is no data path before the first configuration".to_owned();
        return Err(Failure(StatusCode::SERVICE_UNAVAILABLE, message));
    }
    let turn = context.looks.take(caller.role).await?;
    // Loading the second instance takes a moment: not on a thread that others wait for.
    let explain = move || {
        let explained = context.explainer.explain(from, to, protocol, established);
        drop(turn);
        explained
    };
    let explained = spawn_blocking(explain).await;
    match explained.map_err(unavailable)? {
        Ok(explained) => Ok(Json(super::explain::view(&explained, &snapshot))),
        Err(error @ (ExplainError::Families { .. } | ExplainError::NoEnd { .. })) => {
            Err(Failure::bad_request(error.to_string()))
        }
        Err(error) => Err(unavailable(error)),
    }
}

fn unavailable(error: impl Into<anyhow::Error>) -> Failure {
    Failure(StatusCode::SERVICE_UNAVAILABLE, format!("{:#}", error.into()))
}
