//! The agent's side of the API: routes to requests, refusals to status codes. No logic of its own.

use std::{future::Future, io, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{self, DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, Uri, header::CONTENT_LENGTH},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, patch, post, put},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use lb_common::Traffic;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{net::UnixListener, sync::Semaphore, time::timeout};

use super::{
    CounterView, DropView, ErrorBody, ListenerTraffic, Said, StatsView, TargetAdd, TargetPatch,
    TargetTraffic,
};
use crate::{
    agent::{AgentHandle, Outcome, Refusal, Request, Snapshot},
    config::{Document, FILE_BYTES_MAX},
    dataplane::StatsSource,
};

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;

/// Longest time a client may take for the head of a request, and between two of them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest life of a connection, so that a client that stalls holds nothing for ever.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct Context {
    agent: AgentHandle,
    stats: StatsSource,
}

/// Answers at `listener` until `shutdown`.
pub async fn serve(
    listener: UnixListener,
    agent: AgentHandle,
    stats: StatsSource,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = routes(Context { agent, stats });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(shutdown);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let stream = tokio::select! {
            () = &mut shutdown => return Ok(()),
            accepted = listener.accept() => accepted?.0,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // Clients that break off are their own affair.
            let _ended = timeout(CONNECTION_TIMEOUT, connection).await;
            drop(place);
        });
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
        .route("/v1/config", put(apply))
        .route("/v1/target-groups/{group}/targets", post(target_add))
        .route(
            "/v1/target-groups/{group}/targets/{address}",
            patch(target_patch).delete(target_remove),
        )
        .fallback(unknown)
        .layer(middleware::from_fn(refuse_large))
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(context)
}

/// Refuses a body that says itself that it is too large, instead of waiting for it.
async fn refuse_large(request: extract::Request, next: Next) -> Response {
    let length = request.headers().get(CONTENT_LENGTH);
    let bytes = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    if bytes.is_some_and(|bytes| bytes > FILE_BYTES_MAX) {
        let message = format!("the body is larger than {} MiB", FILE_BYTES_MAX >> 20);
        return Failure(StatusCode::PAYLOAD_TOO_LARGE, message).into_response();
    }
    next.run(request).await
}

/// An answer that is not the one asked for.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(ErrorBody { error: self.1 })).into_response()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, refusal.to_string())
    }
}

fn said(outcome: Outcome) -> Result<Json<Said>, Failure> {
    Ok(Json(Said { message: outcome? }))
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure(StatusCode::BAD_REQUEST, format!("the body is wrong: {error}")))
}

async fn unknown(uri: Uri) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
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

#[derive(Deserialize)]
struct OfGroup {
    group: Option<String>,
}

async fn targets(State(context): State<Context>, Query(of): Query<OfGroup>) -> Response {
    let snapshot = context.agent.snapshot();
    let wanted = |group: &str| of.group.as_deref().is_none_or(|name| name == group);
    let targets: Vec<_> = snapshot.targets.iter().filter(|target| wanted(&target.group)).collect();
    Json(targets).into_response()
}

async fn stats(State(context): State<Context>) -> Result<Json<StatsView>, Failure> {
    let snapshot = context.agent.snapshot();
    // Before the first configuration there are no maps, and nothing has been counted.
    if snapshot.interfaces.is_empty() {
        return Ok(Json(StatsView::default()));
    }
    view(&snapshot, &context.stats).map(Json).map_err(|error| {
        Failure(StatusCode::SERVICE_UNAVAILABLE, format!("{:#}", anyhow::Error::new(error)))
    })
}

fn view(
    snapshot: &Snapshot,
    source: &StatsSource,
) -> Result<StatsView, crate::dataplane::StatsError> {
    let listener_ids: Vec<u16> = snapshot.listeners.iter().map(|one| one.id).collect();
    let target_ids: Vec<u16> = snapshot.targets.iter().map(|one| one.id).collect();
    let read = source.read(&listener_ids, &target_ids)?;
    let of = |traffic: Option<&Traffic>| traffic.copied().unwrap_or_default();
    let listeners = snapshot.listeners.iter().map(|listener| {
        let Traffic { packets, bytes } = of(read.listeners.get(&listener.id));
        ListenerTraffic { name: listener.name.clone(), packets, bytes }
    });
    let targets = snapshot.targets.iter().map(|target| {
        let Traffic { packets, bytes } = of(read.targets.get(&target.id));
        TargetTraffic {
            group: target.group.clone(),
            address: target.address,
            port: target.port,
            packets,
            bytes,
        }
    });
    let drops = read.drops.iter().map(|(reason, packets)| DropView {
        reason: reason.name().to_owned(),
        packets: *packets,
        help: reason.help().to_owned(),
    });
    let counters = read.counters.iter().map(|(counter, value)| CounterView {
        name: counter.name().to_owned(),
        value: *value,
        help: counter.help().to_owned(),
    });
    Ok(StatsView {
        listeners: listeners.collect(),
        targets: targets.collect(),
        drops: drops.collect(),
        counters: counters.collect(),
    })
}

async fn apply(State(context): State<Context>, bytes: Bytes) -> Result<Json<Said>, Failure> {
    let document: Document = body(&bytes)?;
    said(context.agent.ask(Request::Apply(Box::new(document))).await)
}

async fn target_add(
    State(context): State<Context>,
    Path(group): Path<String>,
    bytes: Bytes,
) -> Result<Json<Said>, Failure> {
    let TargetAdd { address, port, weight } = body(&bytes)?;
    let request = Request::TargetAdd { group, address, port, weight };
    said(context.agent.ask(request).await)
}

#[derive(Deserialize)]
struct WithPort {
    port: Option<u16>,
}

async fn target_remove(
    State(context): State<Context>,
    Path((group, address)): Path<(String, IpAddr)>,
    Query(WithPort { port }): Query<WithPort>,
) -> Result<Json<Said>, Failure> {
    let request = Request::TargetRemove { group, address, port };
    said(context.agent.ask(request).await)
}

async fn target_patch(
    State(context): State<Context>,
    Path((group, address)): Path<(String, IpAddr)>,
    Query(WithPort { port }): Query<WithPort>,
    bytes: Bytes,
) -> Result<Json<Said>, Failure> {
    let request = match body(&bytes)? {
        TargetPatch { weight: Some(weight), drain: None } => {
            Request::TargetWeight { group, address, port, weight }
        }
        TargetPatch { weight: None, drain: Some(drain) } => {
            Request::TargetDrain { group, address, port, drain }
        }
        _ => {
            let message = "give either `weight` or `drain`".to_owned();
            return Err(Failure(StatusCode::BAD_REQUEST, message));
        }
    };
    said(context.agent.ask(request).await)
}
