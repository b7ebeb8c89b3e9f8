//! A connection of a client that speaks HTTP/2: each stream is a request of its own.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
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
    attributes::ClientTimeouts,
    counters::Counter,
    failure::Failure,
    http2_client::Http2Client,
    http2_flood::{FrameMeter, MeteredStream},
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
/// What short DATA frames may cost that wait for a target, 256 bytes each: a window of a stream full of messages of
/// gRPC, which are 5 bytes and more.
const SHORT_FRAMES_MAX: usize = 4 << 20;

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
async fn handshake(
    listener: &ListenerView,
    stream: MeteredStream,
) -> Option<Connection<MeteredStream, Bytes>> {
    let attributes = &listener.listener.config.attributes;
    let head_max = u32::try_from(attributes.http.limits.head_max).unwrap_or(u32::MAX);
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(SHORT_FRAMES_MAX)
        .max_header_list_size(head_max)
        // WebSockets (RFC 8441).
        .enable_connect_protocol();
    let handshake = timeout(attributes.timeouts.handshake, builder.handshake(stream));
    handshake.await.ok()?.ok()
}

/// A connection that is served.
struct Serving<'open> {
    open: &'open OpenConnection,
    http2: Connection<MeteredStream, Bytes>,
    streams: Rc<Streams>,
    meter: Rc<RefCell<FrameMeter>>,
    timeouts: ClientTimeouts,
    begin: Instant,
    timer: Timer,
    /// The client was asked to begin no more requests.
    is_ending: bool,
    /// The client floods.
    is_calmed: bool,
}

impl Serving<'_> {
    /// Asks the client to begin no more requests.
    fn end(&mut self) {
        if !self.is_ending {
            self.is_ending = true;
            self.http2.graceful_shutdown();
        }
    }

    /// Sends a client away that floods.
    fn calm(&mut self) {
        let is_flooded = self.streams.is_over_budget.take() || self.meter.borrow().is_flooded();
        if is_flooded && !self.is_calmed {
            self.is_calmed = true;
            self.http2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
    }

    /// Waits for the next request; all others move meanwhile.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<NewStream, h2::Error>>> {
        *self.streams.waker.borrow_mut() = Some(cx.waker().clone());
        self.open.state.register(cx);
        let is_idle = self.streams.open.get() == 0;
        self.open.state.set_idle(is_idle);
        self.calm();
        let is_old = self.begin.elapsed() >= self.timeouts.keep_alive;
        if self.open.worker.stopping_since().is_some() || is_old {
            self.end();
        }
        let accepted = self.http2.poll_accept(cx);
        if accepted.is_ready() {
            return accepted;
        }
        if !is_idle {
            self.timer.set(Instant::now() + self.timeouts.idle);
        } else if self.timer.poll_expired(cx).is_ready() {
            if self.is_ending {
                // The client does not answer GOAWAY.
                return Poll::Ready(None);
            }
            self.end();
            self.timer.set(Instant::now() + self.timeouts.linger);
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
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
    let meter = Rc::new(RefCell::new(FrameMeter::default()));
    let stream = MeteredStream { stream, meter: Rc::clone(&meter) };
    let Some(http2) = handshake(&listener, stream).await else { return };
    let streams = Rc::new(Streams {
        open: Cell::new(0),
        waker: RefCell::default(),
        budget: RefCell::new(ResetBudget::new(begin)),
        is_over_budget: Cell::new(false),
    });
    let timer = Timer::new(begin + timeouts.idle);
    let (is_ending, is_calmed) = (false, false);
    let mut serving =
        Serving { open, http2, streams, meter, timeouts, begin, timer, is_ending, is_calmed };
    loop {
        let (request, respond) = match poll_fn(|cx| serving.poll_accept(cx)).await {
            Some(Ok(accepted)) => accepted,
            // Some floods are found by h2.
            Some(Err(error)) if !error.is_remote() => {
                serving.is_calmed |= error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
                break;
            }
            _ => break,
        };
        serving.timer.set(Instant::now() + timeouts.idle);
        serving.streams.open.set(serving.streams.open.get() + 1);
        let guard = OpenStream(Rc::clone(&serving.streams));
        let view = open.worker.view();
        match Worker::listener(&view, &listener.listener.name) {
            Some(current) => listener = current,
            None => serving.end(),
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
    if serving.is_calmed {
        for counters in [&open.worker.counters.total, &*listener.counters] {
            counters.add(Counter::FloodingConnections, 1);
        }
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
