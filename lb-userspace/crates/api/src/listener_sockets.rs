//! Listener sockets of the API: the main socket, a read-only socket, TLS on TCP. Each has its own
//! bounds, so that one cannot be locked by another; what is answered is decided by the router.

use std::{
    future::{Future, pending},
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::Router;
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use lb_agent::AgentHandle;
use lb_dataplane::StatsSource;
use lb_files::descriptor_reserve;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

use super::{
    access::{AccessOptions, Authority, Peer, Remote, Role, local},
    connections::{Connection, Connections, network},
    handshakes::Handshakes,
    head_errors::HeadErrors,
    host_doctor::HostDoctor,
    router::routes,
    socket::{BindError, SocketFile, bind},
};

/// Limits of clients, for each listener socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time: see [`Connections::admit`].
    pub(super) connections_max: usize,
    /// Longest time a client may take for the handshake of TLS, for the head of a request, and
    /// between two of them.
    pub(super) head_timeout: Duration,
    /// Longest lifetime of a connection, so that a stalled client cannot hold it for ever.
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

/// How often it is looked for lines that were left out.
const COMPLAINTS_INTERVAL: Duration = Duration::from_secs(5);

/// Everywhere that the API is reached.
#[derive(Debug)]
pub struct ListenerSockets {
    sockets: Vec<ListenerSocket>,
    doctor: HostDoctor,
}

#[derive(Debug)]
pub(super) enum ListenerSocket {
    /// Whoever may connect has this role.
    Local(UnixListener, Role),
    /// Every client must authenticate.
    Remote(TcpListener, Arc<Authority>),
}

/// Somebody who has connected.
enum Accepted {
    Local(UnixStream, Role),
    Remote(TcpStream, SocketAddr, Arc<Authority>),
}

impl Accepted {
    /// The client's address, if it has one.
    const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Local(..) => None,
            Self::Remote(_, address, _) => Some(address.ip()),
        }
    }
}

impl ListenerSockets {
    /// Listens at the main socket and wherever else it is wanted. The files are removed when they
    /// are dropped.
    pub fn open(
        socket: &Path,
        access: &AccessOptions,
    ) -> Result<(Self, Vec<SocketFile>), BindError> {
        let (main, file) = bind(socket, access.socket_group)?;
        let mut files = vec![file];
        let mut sockets = vec![ListenerSocket::Local(main, Role::Configure)];
        if let Some(read) = &access.read {
            let (listener, file) = bind(&read.path, Some(read.group))?;
            files.push(file);
            sockets.push(ListenerSocket::Local(listener, Role::Read));
        }
        if let Some(Remote { address, authority }) = &access.remote {
            let listener = listen(*address).map_err(|source| BindError::Io {
                action: "listen at",
                path: address.to_string(),
                source,
            })?;
            tracing::info!("the API listens at https://{address}");
            sockets.push(ListenerSocket::Remote(listener, Arc::clone(authority)));
        }
        Ok((Self { sockets, doctor: HostDoctor::absent() }, files))
    }

    /// The same, with what looks at the host for those who ask.
    #[must_use]
    pub fn with_doctor(self, doctor: HostDoctor) -> Self {
        Self { doctor, ..self }
    }

    /// Answers until `shutdown`. SIGHUP reads the files of TLS and tokens again.
    pub async fn serve(
        self,
        agent: AgentHandle,
        stats: StatsSource,
        shutdown: impl Future<Output = ()>,
    ) {
        serve_within(LIMITS, self, agent, stats, shutdown).await;
    }

    #[cfg(test)]
    pub(super) fn remote_address(&self) -> Option<SocketAddr> {
        self.sockets.iter().find_map(|socket| match socket {
            ListenerSocket::Remote(listener, _) => listener.local_addr().ok(),
            ListenerSocket::Local(..) => None,
        })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// [`ListenerSockets::serve`] with other limits.
pub(super) async fn serve_within(
    limits: Limits,
    sockets: ListenerSockets,
    agent: AgentHandle,
    stats: StatsSource,
    shutdown: impl Future<Output = ()>,
) {
    let ListenerSockets { sockets, doctor } = sockets;
    let router = routes(agent, stats, doctor);
    let mut open = JoinSet::new();
    let mut authority = None;
    for socket in sockets {
        if let ListenerSocket::Remote(_, of_door) = &socket {
            authority = Some(Arc::clone(of_door));
        }
        open.spawn(serve_socket(socket, limits, router.clone()));
    }
    tokio::select! {
        () = shutdown => {}
        () = reload_on_hangup(authority.clone()) => {}
        () = log_left_out(authority) => {}
    }
}

/// Logs now and then how many refused clients were not logged.
async fn log_left_out(authority: Option<Arc<Authority>>) {
    loop {
        sleep(COMPLAINTS_INTERVAL).await;
        if let Some(authority) = &authority {
            authority.log_left_out();
        }
    }
}

/// Reads the files of `authority` again whenever SIGHUP comes.
async fn reload_on_hangup(authority: Option<Arc<Authority>>) {
    if let Some(authority) = authority {
        match signal(SignalKind::hangup()) {
            Ok(mut hangup) => {
                while hangup.recv().await.is_some() {
                    // They may be on a file system that does not answer.
                    let read = Arc::clone(&authority);
                    match spawn_blocking(move || read.reload()).await {
                        Ok(Ok(())) => tracing::info!("API: certificate and tokens reloaded"),
                        Ok(Err(error)) => {
                            tracing::error!(
                                "API: cannot reload, the old ones stay in use: {error}"
                            );
                        }
                        Err(error) => tracing::error!(%error, "API: the reload has failed"),
                    }
                }
            }
            Err(error) => tracing::error!(%error, "API: cannot watch for SIGHUP"),
        }
    }
    pending::<()>().await;
}

/// Largest head of a request, and what is read ahead of a body.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// Accepts clients up to the maximum number.
async fn serve_socket(socket: ListenerSocket, limits: Limits, router: Router) {
    let connections = Connections::new(limits.connections_max);
    let handshakes = Arc::<Mutex<Handshakes>>::default();
    loop {
        let accepted = accept(&socket).await;
        let connection = connections.admit(accepted.address()).await;
        let handshakes = Arc::clone(&handshakes);
        let router = router.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = visit(accepted, limits, router, &handshakes, Arc::clone(&connection)) => {}
                () = connection.asked_to_close() => {}
            }
        });
    }
}

/// Answers a client until it closes the connection, or its time is over.
async fn visit(
    accepted: Accepted,
    limits: Limits,
    router: Router,
    handshakes: &Mutex<Handshakes>,
    connection: Arc<Connection>,
) {
    let visit = receive(accepted, limits, router, handshakes, Arc::clone(&connection));
    tokio::pin!(visit);
    let ended = timeout(limits.connection_timeout, visit.as_mut()).await;
    if ended.is_err() && connection.watches() {
        let _ended = timeout(limits.watch_timeout, visit).await;
    }
}

async fn accept(socket: &ListenerSocket) -> Accepted {
    loop {
        let accepted = match socket {
            ListenerSocket::Local(listener, role) => {
                listener.accept().await.map(|(stream, _)| Accepted::Local(stream, *role))
            }
            ListenerSocket::Remote(listener, authority) => {
                listener.accept().await.map(|(stream, address)| {
                    // It fails only for a client that is gone already.
                    let _gone = stream.set_nodelay(true);
                    Accepted::Remote(stream, address, Arc::clone(authority))
                })
            }
        };
        match accepted {
            Ok(accepted) => return accepted,
            Err(error) if descriptor_reserve::release_for(&error) => {}
            Err(error) => {
                tracing::error!(%error, "the API cannot accept a connection; trying again");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Authenticates a client, and answers it.
async fn receive(
    accepted: Accepted,
    limits: Limits,
    router: Router,
    handshakes: &Mutex<Handshakes>,
    connection: Arc<Connection>,
) {
    match accepted {
        Accepted::Local(stream, role) => match local(&stream, role).await {
            Ok(caller) => answer(stream, Peer::Local(caller), limits, router, connection).await,
            Err(error) => tracing::error!(%error, "the API cannot identify a client"),
        },
        Accepted::Remote(stream, address, authority) => {
            // One that says nothing costs nothing, and takes no turn.
            let handshake = async {
                stream.readable().await?;
                let wait = turn(handshakes, address.ip()).ok_or_else(|| {
                    io::Error::other(
                        "too many TLS handshakes from this address; further ones are \
                                      refused",
                    )
                })?;
                sleep(wait).await;
                authority.acceptor().accept(stream).await
            };
            match timeout(limits.head_timeout, handshake).await {
                Ok(Ok(stream)) => {
                    let certificates = stream.get_ref().1.peer_certificates();
                    let first = certificates.and_then(<[_]>::first);
                    let peer = Peer::remote(address, first, authority);
                    answer(stream, peer, limits, router, connection).await;
                }
                Ok(Err(error)) => authority.log_refusal(address, &format!("TLS: {error}")),
                Err(_) => authority.log_refusal(address, "the TLS handshake takes too long"),
            }
        }
    }
}

/// How long a handshake with this address has to wait; `None` when it is refused.
fn turn(handshakes: &Mutex<Handshakes>, from: IpAddr) -> Option<Duration> {
    let mut handshakes = handshakes.lock().unwrap_or_else(PoisonError::into_inner);
    handshakes.admit(network(from), Instant::now())
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    limits: Limits,
    router: Router,
    connection: Arc<Connection>,
) {
    let peer = Arc::new(peer);
    let answers = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&peer));
        request.extensions_mut().insert(Arc::clone(&connection));
        answers.call(request)
    });
    // Clients that break off are their own affair.
    let _ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(HeadErrors::new(stream)), service)
        .await;
}
