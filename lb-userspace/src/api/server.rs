//! The agent's side of the API: routes to requests, refusals to status codes. No logic of its own.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, patch, post, put},
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

use super::{
    ExplainView, Said, StatsView, TargetAdd, TargetPatch,
    events::events,
    extract::{Body, Ends, Failure, OfGroup, OfTarget, Wanted},
    read_stats,
};
use crate::{
    agent::{AgentHandle, Outcome, Request, Snapshot},
    config::{Document, FILE_BYTES_MAX},
    dataplane::{ExplainError, Explainer, StatsSource},
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
}

const LIMITS: Limits = Limits {
    connections_max: 64,
    head_timeout: Duration::from_secs(10),
    connection_timeout: Duration::from_mins(1),
};

/// Wait after a failed accept, which mostly means that file descriptors have run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub(super) struct Context {
    pub(super) agent: AgentHandle,
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
    let router = routes(Context { agent, explainer: stats.explainer(), stats });
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
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // Clients that break off are their own affair.
            let _ended = timeout(limits.connection_timeout, connection).await;
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
    let view = read_stats(&context.agent.snapshot(), &context.stats).map_err(|error| {
        Failure(StatusCode::SERVICE_UNAVAILABLE, format!("{:#}", anyhow::Error::new(error)))
    })?;
    Ok(Json(view))
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
