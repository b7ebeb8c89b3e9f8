//! `GET /v1/watch`: state and events as they come, as server-sent events (HTML Living Standard,
//! section 9.2).
//!
//! The state is a summary; clients request the lists when it changes.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response, Sse, sse},
};
use futures_util::{StreamExt as _, stream};
use lb_agent::{AgentHandle, Event, Snapshot, SnapshotWatch};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use utoipa::ToSchema;

use super::{
    access::{Caller, Peer},
    connections::{Connection, Watch},
    context::Context,
    error_responses::{Unavailable, Wrong},
    failure::Failure,
    parameters::LastEvent,
};

/// Shortest time between two states.
const STATE_INTERVAL: Duration = Duration::from_millis(200);

/// Most events that are taken out of the log at once.
const EVENTS_MAX: usize = 1000;

/// Silence after which a comment shows that the agent is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Data of an event `state`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateView {
    /// Where the configuration comes from, with its revision.
    pub source: String,
    /// Number of configurations applied since the agent started.
    pub applied_count: u64,
    /// The error of the last change of the configuration; empty if it was applied.
    pub last_error: String,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
    /// Number of targets.
    pub targets: usize,
    /// Number of healthy targets.
    pub healthy: usize,
}

impl StateView {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            source: snapshot.source.clone(),
            applied_count: snapshot.applied_count,
            last_error: snapshot.last_error.clone(),
            warnings: snapshot.warnings.clone(),
            targets: snapshot.targets.len(),
            healthy: snapshot.targets.iter().filter(|one| one.state == "healthy").count(),
        }
    }
}

/// Somebody who watches.
struct Watcher {
    agent: AgentHandle,
    snapshots: SnapshotWatch,
    /// The last state that was sent; `None` before the first one.
    state: Option<StateView>,
    /// The event that is next.
    next: u64,
    waiting: VecDeque<Event>,
    _watch: Watch,
}

impl Watcher {
    /// The next thing to tell; waits for it.
    async fn next_event(&mut self) -> sse::Event {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return message("event", &event).id(event.number.to_string());
            }
            let events = self.agent.events().since(self.next, EVENTS_MAX);
            self.next = events.next;
            if !events.events.is_empty() {
                self.waiting.extend(events.events);
                continue;
            }
            let state = StateView::of(&self.snapshots.latest());
            if self.state.as_ref() != Some(&state) {
                return message("state", self.state.insert(state));
            }
            sleep(STATE_INTERVAL).await;
            tokio::select! {
                () = self.agent.events().wait_for(self.next) => {}
                changed = self.snapshots.changed() => {
                    if changed.is_err() {
                        // The agent stops, and its connections with it.
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }
}

pub(super) fn message(name: &str, content: &impl Serialize) -> sse::Event {
    let text = serde_json::to_string(content).unwrap_or_default();
    sse::Event::default().event(name).data(text)
}

/// A stream of states and events, for at most an hour; it ends when the credential is revoked.
///
/// Server-sent events (HTML Living Standard, section 9.2) with two names: the `data` of `state` is
/// a StateView, that of `event` is an Event. The `id` of an `event` is its number. The first event
/// is a `state`.
#[utoipa::path(
    get,
    path = "/v1/watch",
    tag = "state",
    params(LastEvent),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "The stream"),
        (status = 400, response = Wrong),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn watch(
    State(context): State<Context>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let next = match headers.get("last-event-id") {
        Some(text) => {
            let number = text.to_str().ok().and_then(|text| text.parse::<u64>().ok());
            let wrong = || Failure::bad_request("`last-event-id` must be the number of an event");
            number.ok_or_else(wrong)?.saturating_add(1)
        }
        None => context.agent.events().since(u64::MAX, 0).next,
    };
    let watch = connection.watch(&caller)?;
    let watcher = Watcher {
        snapshots: context.agent.watch().await,
        agent: context.agent,
        state: None,
        next,
        waiting: VecDeque::new(),
        _watch: watch,
    };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next_event().await;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    // A stream ends when its credential is revoked.
    let events = events.take_until(async move { peer.revoked(&headers).await });
    let keep_alive = sse::KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}
