//! A connection of a client that speaks HTTP/2: each stream is a request of its own.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    server::{Connection, SendResponse},
};
use http::Request;
use tokio::{task::spawn_local, time::timeout};

use crate::{
    failure::Failure,
    http2_client::Http2Client,
    record::ConnectionInfo,
    request::{RequestEnd, refuse, serve},
    request_context::RequestContext,
    reset_budget::ResetBudget,
    stream::Stream,
    timer::Timer,
    worker_state::{ListenerView, OpenConnection, Worker},
};

/// Requests at a time, as ALB.
const STREAMS_MAX: u32 = 128;
/// Bytes of one request that may wait here.
const STREAM_WINDOW: u32 = 64 << 10;
/// Several requests that are not taken must not stop the others.
const CONNECTION_WINDOW: u32 = 16 * STREAM_WINDOW;
/// Bytes of one response that may wait for its client.
const SEND_BUFFER: usize = 64 << 10;

/// A request, and the way back for its response.
type NewStream = (Request<RecvStream>, SendResponse<Bytes>);

/// What the streams of a connection share.
struct Streams {
    open: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    /// Requests that the client may still give up.
    budget: RefCell<ResetBudget>,
    is_over_budget: Cell<bool>,
}

/// A stream that is open until this is dropped.
struct OpenStream(Rc<Streams>);

impl OpenStream {
    /// Its request had no whole response: the client has reset it, or its target has cut it.
    fn given_up(&self) {
        let may_go_on = self.0.budget.borrow_mut().take(Instant::now());
        self.0.is_over_budget.set(!may_go_on);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if let Some(waker) = self.0.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// Exchanges the prefaces.
async fn handshake(listener: &ListenerView, stream: Stream) -> Option<Connection<Stream, Bytes>> {
    let attributes = &listener.listener.config.attributes;
    let head_max = u32::try_from(attributes.http.limits.head_max).unwrap_or(u32::MAX);
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(head_max);
    let handshake = timeout(attributes.timeouts.handshake, builder.handshake(stream));
    handshake.await.ok()?.ok()
}

/// Serves a connection until it ends.
pub(crate) async fn serve_http2(
    open: &OpenConnection,
    mut listener: ListenerView,
    connection: Rc<ConnectionInfo>,
    stream: Stream,
) {
    let begin = Instant::now();
    let timeouts = listener.listener.config.attributes.timeouts;
    let Some(mut http2) = handshake(&listener, stream).await else { return };
    let streams = Rc::new(Streams {
        open: Cell::new(0),
        waker: RefCell::default(),
        budget: RefCell::new(ResetBudget::new(begin)),
        is_over_budget: Cell::new(false),
    });
    let mut timer = Timer::new(begin + timeouts.idle);
    let mut is_ending = false;
    loop {
        let accepted: Option<Result<NewStream, h2::Error>> = poll_fn(|cx| {
            *streams.waker.borrow_mut() = Some(cx.waker().clone());
            open.state.register(cx);
            let is_idle = streams.open.get() == 0;
            open.state.set_idle(is_idle);
            if streams.is_over_budget.take() {
                http2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            let is_old = begin.elapsed() >= timeouts.keep_alive;
            if !is_ending && (open.worker.stopping_since().is_some() || is_old) {
                is_ending = true;
                http2.graceful_shutdown();
            }
            let accepted = http2.poll_accept(cx);
            if accepted.is_ready() {
                return accepted;
            }
            if !is_idle {
                timer.set(Instant::now() + timeouts.idle);
            } else if timer.poll_expired(cx).is_ready() {
                if is_ending {
                    // The client does not answer GOAWAY.
                    return Poll::Ready(None);
                }
                is_ending = true;
                http2.graceful_shutdown();
                timer.set(Instant::now() + timeouts.linger);
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        let Some(Ok((request, respond))) = accepted else { break };
        timer.set(Instant::now() + timeouts.idle);
        streams.open.set(streams.open.get() + 1);
        let guard = OpenStream(Rc::clone(&streams));
        let view = open.worker.view();
        if let Some(current) = Worker::listener(&view, &listener.listener.name) {
            listener = current;
        } else if !is_ending {
            is_ending = true;
            http2.graceful_shutdown();
        }
        let worker = Rc::clone(&open.worker);
        let (listener, connection) = (listener.clone(), Rc::clone(&connection));
        spawn_local(async move {
            let context =
                RequestContext { worker: &worker, view, listener, connection: &connection };
            let end = serve_stream(&context, request, respond).await;
            if end == RequestEnd::Cut {
                guard.given_up();
            }
        });
    }
    // The connection is over; its streams see that, and end.
    open.state.set_idle(false);
}

async fn serve_stream(
    context: &RequestContext<'_>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) -> RequestEnd {
    let attributes = &context.listener.listener.config.attributes;
    let (mut client, refusal) = Http2Client::new(request, respond, &attributes.http);
    let mut timer = Timer::new(Instant::now() + attributes.timeouts.idle);
    let end = match refusal {
        None => serve(context, &mut client, &mut timer).await,
        Some(refusal) => refuse(context, &mut client, &mut timer, Failure::Request(refusal)).await,
    };
    if end == RequestEnd::Cut {
        client.cut();
    }
    end
}
