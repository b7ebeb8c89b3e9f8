//! The agent's side of the API: routes to requests, refusals to status codes. No logic of its own.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{sleep, timeout},
};

use serde::Serialize;

use super::{
    ExplainView, StatsView,
    changes::{apply, rollback, target_add, target_patch, target_remove},
    events::events,
    extract::{Ends, Failure, Wanted},
    history::{configuration, differences, preview, revision, revisions},
    stats::view,
    watch::{Watchers, Watching, watch},
};
use crate::{
    agent::{AgentHandle, Snapshot},
    config::FILE_BYTES_MAX,
    dataplane::{ExplainError, Explainer, Stats, StatsError, StatsSource},
};

/// What clients may take of the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time; more wait in the kernel's queue.
    pub(super) connections_max: usize,
    /// Longest time a client may take for the head of a request, and between two of them.
    pub(super) head_timeout: Duration,
    /// Longest life of a connection, so that a client that stalls holds nothing for ever.
    pub(super) connection_timeout: Duration,
    /// The same for one that watches, beyond that.
    pub(super) watch_timeout: Duration,
}

const LIMITS: Limits = Limits {
    connections_max: 64,
    head_timeout: Duration::from_secs(10),
    connection_timeout: Duration::from_mins(1),
    watch_timeout: Duration::from_hours(1),
};

/// Wait after a failed accept, which mostly means that file descriptors have run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub(super) struct Context {
    pub(super) agent: AgentHandle,
    pub(super) watchers: Watchers,
    stats: StatsSource,
    explainer: Explainer,
}

/// Answers at `listener` until `shutdown`.
pub async fn serve(
    listener: UnixListener,
    agent: AgentHandle,
    stats: StatsSource,
    shutdown: impl Future<Output = ()>,
) {
    serve_within(LIMITS, listener, agent, stats, shutdown).await;
}

/// [`serve`] with other limits.
pub(super) async fn serve_within(
    limits: Limits,
    listener: UnixListener,
    agent: AgentHandle,
    stats: StatsSource,
    shutdown: impl Future<Output = ()>,
) {
    let watchers = Watchers::default();
    let router = routes(Context { agent, watchers, explainer: stats.explainer(), stats });
    let places = Arc::new(Semaphore::new(limits.connections_max));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((place, stream)) = accepted else {
            return;
        };
        let watching = Watching::default();
        let service = TowerToHyperService::new(router.clone().layer(Extension(watching.clone())));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            tokio::pin!(connection);
            // Clients that break off are their own affair.
            let ended = timeout(limits.connection_timeout, connection.as_mut()).await;
            if ended.is_err() && watching.is_set() {
                let _ended = timeout(limits.watch_timeout, connection).await;
            }
            drop(place);
        });
    }
}

/// The next connection, as soon as there is a place for it.
async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> Option<(OwnedSemaphorePermit, UnixStream)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((place, stream)),
            Err(error) => {
                tracing::error!(%error, "the API cannot accept a connection; trying again");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn routes(context: Context) -> Router {
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
    Json((*context.agent.snapshot()).clone())
}

async fn listeners(State(context): State<Context>, wanted: Wanted) -> Result<Response, Failure> {
    no_group(&wanted)?;
    Ok(part(&context.agent.snapshot().listeners, &wanted, |_| true))
}

async fn target_groups(
    State(context): State<Context>,
    wanted: Wanted,
) -> Result<Response, Failure> {
    no_group(&wanted)?;
    Ok(part(&context.agent.snapshot().target_groups, &wanted, |_| true))
}

async fn targets(State(context): State<Context>, wanted: Wanted) -> Response {
    let of_group = |group: &str| wanted.group.as_deref().is_none_or(|name| name == group);
    part(&context.agent.snapshot().targets, &wanted, |target| of_group(&target.group))
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
