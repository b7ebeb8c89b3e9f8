//! The TLS handshake with a client.

use std::{cell::RefCell, io, rc::Rc, sync::Arc, time::Duration};

use rustls::server::Acceptor;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use crate::{
    access_log::TlsDetails,
    counters::Counter,
    stream::Stream,
    worker_state::{ListenerView, OpenConnection, Worker},
};

/// How often it is looked whether another handshake may begin.
const PAUSE: Duration = Duration::from_millis(20);

/// A handshake that has failed.
#[derive(Debug)]
pub(crate) struct FailedHandshake {
    pub(crate) error: io::Error,
    /// What was known by then; `None`: the client has said nothing that can be read.
    pub(crate) tls: Option<TlsDetails>,
}

/// Brings a connection through its TLS handshake, where the listener has TLS.
pub(crate) async fn encrypt(
    open: &OpenConnection,
    listener: &ListenerView,
    stream: TcpStream,
) -> Result<(Stream, Option<TlsDetails>), FailedHandshake> {
    let Some(config) = &listener.listener.config.tls else {
        return Ok((Stream::Plain(stream), None));
    };
    let limit = listener.listener.config.attributes.timeouts.handshake;
    let known = RefCell::new(None);
    let handshake = async {
        let _handshake = Handshake::begin(&open.worker).await;
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let server_name = start.client_hello().server_name().map(str::to_owned);
        known.replace(Some(TlsDetails { server_name, ..TlsDetails::default() }));
        let config = Arc::clone(config);
        start.into_stream_with(config, |session| drop(known.replace(Some(details(session))))).await
    };
    let result = timeout(limit, handshake).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake within its time"))
    });
    let stream = result.map_err(|error| {
        listener.counters.add(Counter::ClientTlsErrors, 1);
        open.worker.counters.total.add(Counter::ClientTlsErrors, 1);
        FailedHandshake { error, tls: known.take() }
    })?;
    let details = details(stream.get_ref().1);
    Ok((Stream::Tls(Box::new(TlsStream::Server(stream))), Some(details)))
}

fn details(session: &rustls::ServerConnection) -> TlsDetails {
    let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let group = session.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
    let alpn = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    TlsDetails {
        cipher: cipher.unwrap_or("-"),
        protocol: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "-",
        },
        named_group: group.unwrap_or("-"),
        server_name: session.server_name().map(str::to_owned),
        alpn,
    }
}

/// One of the handshakes that a worker makes at a time.
struct Handshake(Rc<Worker>);

impl Handshake {
    async fn begin(worker: &Rc<Worker>) -> Self {
        while !worker.begin_handshake() {
            sleep(PAUSE).await;
        }
        Self(Rc::clone(worker))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.end_handshake();
    }
}
