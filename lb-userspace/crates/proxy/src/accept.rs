//! New connections of clients: accepted, brought through their TLS handshake, and served.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use lb_http::forwarded::Source;
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::sleep,
};

use crate::{
    arrival::Arrival,
    attributes::ListenerProtocol,
    client_certificate::certificate_fields,
    connection_attempt::AttemptFailure,
    counters::Counter,
    handshake::{FailedHandshake, encrypt},
    http1_server::serve_http1,
    http2_server::serve_http2,
    preamble::{begins_http2, read_proxy_header},
    record::ConnectionInfo,
    stream::Stream,
    tls_forward::{forward_connection, log_failed_handshake},
    worker_state::{ListenerView, OpenConnection, Worker},
};

/// How long accepting pauses when the process has no file descriptors left, or a worker no capacity.
const PAUSE: Duration = Duration::from_millis(20);

/// Ends the accept loop of a listener.
#[derive(Debug, Default)]
pub(crate) struct AcceptStop {
    is_set: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl AcceptStop {
    /// What waits to be accepted is still served.
    pub(crate) fn set(&self) {
        self.is_set.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// Accepts connections until `stop`.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    mut listener: ListenerView,
    socket: TcpListener,
    stop: Rc<AcceptStop>,
) {
    loop {
        let accepted = poll_fn(|cx| {
            let accepted = socket.poll_accept(cx);
            if accepted.is_pending() && stop.is_set.get() {
                return Poll::Ready(None);
            }
            *stop.waker.borrow_mut() = Some(cx.waker().clone());
            accepted.map(Some)
        })
        .await;
        match accepted {
            None => return,
            Some(Ok((stream, client))) => {
                // A listener that has left serves those who came before that.
                if let Some(current) = Worker::listener(&worker.view(), &listener.listener.name) {
                    listener = current;
                }
                start(&worker, listener.clone(), stream, client);
            }
            Some(Err(error)) if is_of_one_connection(&error) => {}
            Some(Err(error)) => {
                tracing::warn!(listener = %listener.listener.name, %error,
                    "no connection can be accepted; trying again");
                sleep(PAUSE).await;
            }
        }
        if !worker.has_capacity() {
            listener.counters.add(Counter::ConnectionLimitWaits, 1);
        }
        while !worker.has_capacity() {
            sleep(PAUSE).await;
        }
    }
}

/// Whether only the connection that was to be accepted failed: accept(2).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn start(worker: &Rc<Worker>, listener: ListenerView, stream: TcpStream, client: SocketAddr) {
    let open = worker.open();
    listener.counters.add(Counter::NewConnections, 1);
    spawn_local(async move {
        let counters = Arc::clone(&listener.counters);
        if let Err(error) = serve(&open, listener, stream, client).await {
            tracing::debug!(%client, %error, "a connection ended before its first request");
        }
        counters.add(Counter::ClosedConnections, 1);
    });
}

/// Serves a new connection.
async fn serve(
    open: &OpenConnection,
    listener: ListenerView,
    mut stream: TcpStream,
    client: SocketAddr,
) -> io::Result<()> {
    let mut arrival = Arrival::now(client, stream.local_addr()?);
    stream.set_nodelay(true)?;
    let sources = &listener.listener.config.attributes.proxy_protocol_sources;
    if sources.iter().any(|source| source.contains(&client.ip().to_canonical())) {
        let header = read_proxy_header(open, &listener, &mut stream).await;
        let header = header.inspect_err(|error| {
            listener.counters.add(Counter::RejectedConnections, 1);
            arrival.failed(open, &listener, AttemptFailure::ProxyHeaderInvalid, error, None);
        });
        if let Some(addresses) = header? {
            (arrival.client, arrival.local) = addresses;
        }
    }
    let speaks_http2 = listener.listener.config.attributes.http2;
    let mut is_http2 = false;
    if speaks_http2 && listener.listener.config.tls.is_none() {
        is_http2 = begins_http2(open, &listener, &stream).await?;
    }
    let begin = Instant::now();
    let handshake = encrypt(open, &listener, stream).await;
    let is_tcp = listener.listener.config.attributes.protocol == ListenerProtocol::Tcp;
    let (stream, tls) = handshake.map_err(|FailedHandshake { error, tls }| {
        let failure = AttemptFailure::of_handshake(&error);
        arrival.failed(open, &listener, failure, &error, tls.as_ref());
        if is_tcp {
            log_failed_handshake(open, &listener, &arrival, tls);
        }
        error
    })?;
    let certificate = certificate_fields(&listener, &stream);
    if let Stream::Tls(stream) = &stream {
        is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    }
    let scheme = listener.listener.scheme;
    let handshake = tls.is_some().then(|| begin.elapsed());
    arrival.succeeded(open, &listener, &stream, tls.as_ref(), handshake);
    let Arrival { accepted, client, local, id } = arrival;
    let connection = ConnectionInfo {
        id,
        accepted,
        handshake,
        client,
        local,
        default_host: local.to_string(),
        source: Source::new(client, scheme, local.port()),
        tls,
        certificate,
    };
    if is_tcp {
        forward_connection(open, listener, &connection, stream).await;
    } else if is_http2 {
        serve_http2(open, listener, Rc::new(connection), stream).await;
    } else {
        serve_http1(open, listener, &connection, stream).await;
    }
    Ok(())
}
