//! Targets that speak HTTP/2 and do what a test says.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    server::{Builder, SendResponse},
};
use http::{HeaderMap, Request, Response};
use lb_proxy::{Group, TargetProtocol};
use tokio_rustls::TlsAcceptor;

use crate::support::{group, healthy};

/// What a target has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// Requests that ended with a reset of the proxy, with its code.
    pub(crate) resets: Mutex<Vec<Reason>>,
    /// The last request.
    pub(crate) last: Mutex<Option<Request<()>>>,
    pub(crate) last_trailers: Mutex<Option<HeaderMap>>,
}

/// A target.
pub(crate) struct Http2Target {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

/// One request at a target.
pub(crate) struct Stream {
    pub(crate) request: Request<()>,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    pub(crate) seen: Arc<Seen>,
    /// Of its connection, from 0.
    pub(crate) connection: usize,
}

impl Http2Target {
    /// A target in clear whose connections have this many streams. Each request is a task of its own.
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        streams_max: u32,
        script: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::with_tls(streams_max, None, script)
    }

    /// The same, announcing that it understands extended CONNECT (RFC 8441).
    pub(crate) fn with_connect<F: Future<Output = ()> + Send + 'static>(
        script: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> Self {
        let mut builder = Builder::new();
        builder.enable_connect_protocol();
        Self::with_builder(builder, None, script)
    }

    pub(crate) fn with_tls<F: Future<Output = ()> + Send + 'static>(
        streams_max: u32,
        tls: Option<TlsAcceptor>,
        script: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> Self {
        let mut builder = Builder::new();
        builder.max_concurrent_streams(streams_max);
        Self::with_builder(builder, tls, script)
    }

    pub(crate) fn with_builder<F: Future<Output = ()> + Send + 'static>(
        builder: Builder,
        tls: Option<TlsAcceptor>,
        script: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (seen, script) = (Arc::new(Seen::default()), Arc::new(script));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let connection = shared.connections.fetch_add(1, SeqCst);
                    let (tls, script, seen) =
                        (tls.clone(), Arc::clone(&script), Arc::clone(&shared));
                    let builder = builder.clone();
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, builder, connection, script, seen).await,
                            Some(tls) => {
                                let Ok(stream) = tls.accept(stream).await else { return };
                                serve(stream, builder, connection, script, seen).await;
                            }
                        }
                    });
                }
            });
        });
        Self { address, seen }
    }

    /// A target that answers every request with `ok`.
    pub(crate) fn answering() -> Self {
        Self::start(100, |mut stream| async move {
            stream.read().await;
            stream.answer(200, b"ok", None);
        })
    }

    /// A group of this target.
    pub(crate) fn group(&self) -> Group {
        let mut group = group("web", &[healthy(self.address)]);
        group.attributes.protocol = TargetProtocol::Http2;
        group
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(SeqCst)
    }

    /// The last request.
    pub(crate) fn last(&self) -> Request<()> {
        self.seen.last.lock().unwrap().take().expect("a request")
    }
}

async fn serve<S, F>(
    stream: S,
    builder: Builder,
    connection: usize,
    script: Arc<impl Fn(Stream) -> F + Send + Sync + 'static>,
    seen: Arc<Seen>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(mut http2) = builder.handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = http2.accept().await {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        *seen.last.lock().unwrap() = Some(request.clone());
        seen.requests.fetch_add(1, SeqCst);
        let seen = Arc::clone(&seen);
        tokio::spawn(script(Stream { request, body, respond, seen, connection }));
    }
}

impl Stream {
    /// Reads the whole body; trailers are remembered.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(piece) = self.body.data().await {
            let Ok(piece) = piece else { return body };
            drop(self.body.flow_control().release_capacity(piece.len()));
            body.extend_from_slice(&piece);
        }
        if let Ok(Some(trailers)) = self.body.trailers().await {
            *self.seen.last_trailers.lock().unwrap() = Some(trailers);
        }
        body
    }

    /// Sends a whole response.
    pub(crate) fn answer(&mut self, status: u16, body: &'static [u8], trailers: Option<HeaderMap>) {
        let response = Response::builder().status(status).body(()).unwrap();
        self.answer_with(response, body, trailers);
    }

    pub(crate) fn answer_with(
        &mut self,
        response: Response<()>,
        body: &'static [u8],
        trailers: Option<HeaderMap>,
    ) {
        let is_end = body.is_empty() && trailers.is_none();
        let Ok(mut send) = self.respond.send_response(response, is_end) else { return };
        if !body.is_empty() {
            drop(send.send_data(Bytes::from_static(body), trailers.is_none()));
        }
        if let Some(trailers) = trailers {
            drop(send.send_trailers(trailers));
        }
    }

    /// Waits until the proxy gives the request up.
    pub(crate) async fn wait_for_reset(&mut self) {
        let reset = std::future::poll_fn(|cx| self.respond.poll_reset(cx)).await;
        self.seen.resets.lock().unwrap().push(reset.unwrap());
    }
}
