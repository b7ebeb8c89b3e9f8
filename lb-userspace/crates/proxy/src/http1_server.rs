//! A connection of a client that speaks HTTP/1, from its first request to its end.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use lb_http::connection::AfterExchange;

use crate::{
    attributes::ClientTimeouts,
    failure::Failure,
    http1_client::{HeadEvent, Http1Client},
    record::ConnectionInfo,
    request::{RequestEnd, refuse, serve},
    request_context::RequestContext,
    stream::Stream,
    timer::Timer,
    worker_state::{FIRST_REQUEST_GRACE, ListenerView, OpenConnection, Worker},
};

/// Bytes of an unread request that are read and dropped before a connection is closed.
const LINGER_BYTES_MAX: u64 = 16 << 20;

/// How long a connection keeps its memory while it waits for a request: a busy one uses it again.
const RELEASE_AFTER: Duration = Duration::from_secs(1);

/// What a connection did while it waited for a request.
enum Waited {
    Head,
    Closed,
    Failed(Failure),
}

/// Serves a connection until it ends.
pub(crate) async fn serve_http1(
    open: &OpenConnection,
    mut listener: ListenerView,
    connection: &ConnectionInfo,
    stream: Stream,
) {
    let begin = Instant::now();
    let options = listener.listener.config.attributes.http;
    let mut client = Http1Client::new(stream, options, Rc::clone(&open.worker));
    let mut timer = Timer::new(begin + listener.listener.config.attributes.timeouts.idle);
    let mut has_served = false;
    loop {
        let timeouts = listener.listener.config.attributes.timeouts;
        let waited = wait_for_head(open, &mut client, &mut timer, &timeouts, has_served).await;
        has_served = true;
        if matches!(waited, Waited::Closed) {
            return;
        }
        let view = open.worker.view();
        match Worker::listener(&view, &listener.listener.name) {
            Some(current) => listener = current,
            // The listener has left: this response is the last one, by the rules that it had.
            None => client.close_after_response(),
        }
        if begin.elapsed() >= timeouts.keep_alive {
            client.close_after_response();
        }
        let context =
            RequestContext { worker: &open.worker, view, listener: listener.clone(), connection };
        let end = match waited {
            Waited::Head => serve(&context, &mut client, &mut timer).await,
            Waited::Failed(failure) => refuse(&context, &mut client, &mut timer, failure).await,
            Waited::Closed => return,
        };
        if end == RequestEnd::Cut {
            client.cut();
            return;
        }
        match client.after_exchange() {
            AfterExchange::Reuse => client.next_request(),
            AfterExchange::Linger => return linger(&mut client, &mut timer, timeouts.linger).await,
            AfterExchange::Close | AfterExchange::Tunnel => {
                return close(&mut client, &mut timer, timeouts.linger).await;
            }
        }
    }
}

/// Waits for the head of the next request.
async fn wait_for_head(
    open: &OpenConnection,
    client: &mut Http1Client,
    timer: &mut Timer,
    timeouts: &ClientTimeouts,
    has_served: bool,
) -> Waited {
    let (mut has_begun, mut is_released) = (false, false);
    let idle_since = Instant::now();
    timer.set(idle_since + timeouts.idle.min(RELEASE_AFTER));
    let waited = poll_fn(|cx| {
        match client.poll_head(cx) {
            Poll::Ready(HeadEvent::Head) => return Poll::Ready(Waited::Head),
            Poll::Ready(HeadEvent::Closed) => return Poll::Ready(Waited::Closed),
            Poll::Ready(HeadEvent::Refused(refusal)) => {
                return Poll::Ready(Waited::Failed(Failure::Request(refusal)));
            }
            Poll::Pending => {}
        }
        if !has_begun && client.has_begun() {
            has_begun = true;
            timer.set(Instant::now() + timeouts.head);
        }
        open.state.set_idle(!has_begun);
        if !has_begun {
            open.state.register(cx);
            match open.worker.stopping_since() {
                Some(_) if has_served => return Poll::Ready(Waited::Closed),
                // The first request may be on its way.
                Some(since) => timer.set(since + FIRST_REQUEST_GRACE),
                None => {}
            }
        }
        let may_release = !has_begun && !is_released && open.worker.stopping_since().is_none();
        if may_release && timer.poll_expired(cx).is_ready() {
            is_released = true;
            client.release_memory();
            timer.set(idle_since + timeouts.idle);
        }
        timer
            .poll_expired(cx)
            .map(|()| if has_begun { Waited::Failed(Failure::HeadTimeout) } else { Waited::Closed })
    })
    .await;
    open.state.set_idle(false);
    waited
}

/// Ends the sending direction, reads and drops a bounded rest, then closes: otherwise TCP resets the connection,
/// and the client loses the response (RFC 9112, section 9.6).
async fn linger(client: &mut Http1Client, timer: &mut Timer, limit: Duration) {
    timer.set(Instant::now() + limit);
    let mut is_shut = false;
    let mut dropped = 0;
    poll_fn(|cx| {
        if timer.poll_expired(cx).is_ready() {
            return Poll::Ready(());
        }
        if !is_shut {
            match client.wire.poll_shutdown(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => is_shut = true,
            }
        }
        poll_rest(client, cx, &mut dropped)
    })
    .await;
}

fn poll_rest(client: &mut Http1Client, cx: &mut Context<'_>, dropped: &mut u64) -> Poll<()> {
    loop {
        match client.poll_drop_input(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(count)) if count > 0 && *dropped < LINGER_BYTES_MAX => {
                *dropped += count as u64;
            }
            Poll::Ready(_) => return Poll::Ready(()),
        }
    }
}

/// Closes a connection on which nothing is left to read.
async fn close(client: &mut Http1Client, timer: &mut Timer, limit: Duration) {
    timer.set(Instant::now() + limit);
    poll_fn(|cx| {
        if timer.poll_expired(cx).is_ready() {
            return Poll::Ready(());
        }
        client.wire.poll_shutdown(cx).map(|_| ())
    })
    .await;
}
