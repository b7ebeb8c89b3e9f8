//! Processes of `xelb proxy`: the stream that tells them what to serve, their reports, and the list of them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response, Sse, sse},
};
use futures_util::{StreamExt as _, stream};
use lb_agent::{Feed, ProxyReport, ProxySnapshot, ProxyView};
use tokio::{sync::watch, time::sleep};

use super::{
    Message,
    access::{Caller, Peer},
    connections::{Connection, Watch},
    context::Context,
    error_responses::{Unavailable, Wrong},
    extract::Body,
    failure::Failure,
    watch::message,
};

/// Shortest time between two messages: changes of that time are one message.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(10);

/// Silence after which a comment shows that the agent is still there.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// Longest name of a proxy.
const NAME_CHARS_MAX: usize = 64;
/// Longest reason of a refusal; more of it is cut off.
const REFUSED_CHARS_MAX: usize = 2000;

/// Names of messages.
pub(super) const SNAPSHOT: &str = "snapshot";
pub(super) const CHANGE: &str = "targets";

/// A proxy that follows.
struct Follower {
    snapshots: watch::Receiver<Option<Arc<ProxySnapshot>>>,
    /// What it has got; `None` before the first message.
    sent: Option<Arc<ProxySnapshot>>,
    _watch: Watch,
}

impl Follower {
    /// The next message; waits for it. A slow proxy gets all that has happened meanwhile in one.
    async fn next_message(&mut self) -> sse::Event {
        loop {
            let now = self.snapshots.borrow_and_update().clone();
            if let Some(now) = now
                && let Some(feed) = now.after(self.sent.as_ref())
            {
                self.sent = Some(now);
                return match feed {
                    Feed::Snapshot(all) => message(SNAPSHOT, &all),
                    Feed::Change(change) => message(CHANGE, &change),
                };
            }
            if self.snapshots.changed().await.is_err() {
                // The agent stops, and its connections with it.
                std::future::pending::<()>().await;
            }
            sleep(MESSAGE_INTERVAL).await;
        }
    }
}

/// What a proxy serves: a stream, for at most an hour; it ends when the credential is revoked.
///
/// Server-sent events (HTML Living Standard, section 9.2) with two names: the `data` of `snapshot` is
/// a ProxySnapshot, that of `targets` a ProxyChange, which changes the snapshot before it. The first
/// event is a `snapshot`. It comes when the agent has checked the targets for the first time, or after
/// 10 s. A comment comes after 5 s without an event. Snapshots have header values that readers of
/// the configuration do not see.
#[utoipa::path(
    get,
    path = "/v1/proxies/feed",
    tag = "proxies",
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "The stream"),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn feed(
    State(context): State<Context>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let watch = connection.watch(&caller)?;
    let snapshots = context.agent.proxy_snapshots();
    let follower = Follower { snapshots, sent: None, _watch: watch };
    let messages = stream::unfold(follower, |mut follower| async move {
        let message = follower.next_message().await;
        Some((Ok::<_, Infallible>(message), follower))
    });
    // A stream ends when its credential is revoked.
    let messages = messages.take_until(async move { peer.revoked(&headers).await });
    let keep_alive = sse::KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(messages).keep_alive(keep_alive).into_response())
}

/// Proxies that have reported in the last ten minutes.
#[utoipa::path(
    get,
    path = "/v1/proxies",
    tag = "proxies",
    responses((status = 200, body = Vec<ProxyView>, description = "Proxies, by name")),
)]
pub(super) async fn proxies(State(context): State<Context>) -> Json<Vec<ProxyView>> {
    Json(context.agent.snapshot().await.proxies.clone())
}

/// What a proxy says of itself: which version it serves, or why not. It reports at each change, and
/// at least every 5 s: one that is silent for 15 s counts as disconnected.
#[utoipa::path(
    post,
    path = "/v1/proxies",
    tag = "proxies",
    request_body = ProxyReport,
    responses(
        (status = 200, body = Message, description = "It is kept"),
        (status = 400, response = Wrong),
    )
)]
pub(super) async fn report(
    State(context): State<Context>,
    Body(mut report): Body<ProxyReport>,
) -> Result<Json<Message>, Failure> {
    let name = &report.name;
    let visible = name.chars().all(|one| !one.is_control() && !one.is_whitespace());
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !visible {
        let message = format!("`name` must have 1 to {NAME_CHARS_MAX} visible characters");
        return Err(Failure::bad_request(message));
    }
    for text in [&mut report.refused, &mut report.software, &mut report.digest] {
        if let Some((end, _)) = text.char_indices().nth(REFUSED_CHARS_MAX) {
            text.truncate(end);
        }
        text.retain(|one| one == '\n' || !one.is_control());
    }
    context.agent.proxies().report(report);
    Ok(Json(Message { message: "reported".to_owned(), revision: None }))
}
