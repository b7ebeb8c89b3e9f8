//! A connection that has arrived, and what the connection log is told of it.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    access_log::TlsDetails,
    client_certificate::leaf,
    connection_attempt::{AttemptFailure, ConnectionAttempt},
    connection_id::ConnectionId,
    log_event::LogEvent,
    stream::Stream,
    worker_state::{ListenerView, OpenConnection},
};

/// A connection before its first request.
pub(crate) struct Arrival {
    /// When it was accepted.
    pub(crate) accepted: SystemTime,
    /// Of the connection, or of its PROXY protocol header.
    pub(crate) client: SocketAddr,
    /// Where it was accepted, or what its PROXY protocol header says of that.
    pub(crate) local: SocketAddr,
    /// Names it in both logs.
    pub(crate) id: ConnectionId,
}

impl Arrival {
    pub(crate) fn now(client: SocketAddr, local: SocketAddr) -> Self {
        Self { accepted: SystemTime::now(), client, local, id: ConnectionId(fastrand::u128(..)) }
    }

    /// It can serve requests.
    pub(crate) fn succeeded(
        &self,
        open: &OpenConnection,
        listener: &ListenerView,
        stream: &Stream,
        tls: Option<&TlsDetails>,
        handshake: Option<Duration>,
    ) {
        self.log(open, listener, |attempt| ConnectionAttempt {
            tls: tls.cloned(),
            handshake,
            certificate: leaf(stream),
            ..attempt
        });
    }

    /// It is closed. `tls` is what its handshake has settled.
    pub(crate) fn failed(
        &self,
        open: &OpenConnection,
        listener: &ListenerView,
        failure: AttemptFailure,
        error: &io::Error,
        tls: Option<&TlsDetails>,
    ) {
        self.log(open, listener, |attempt| ConnectionAttempt {
            tls: tls.cloned(),
            failure: Some(failure),
            detail: Some(error.to_string()),
            ..attempt
        });
    }

    fn log(
        &self,
        open: &OpenConnection,
        listener: &ListenerView,
        complete: impl FnOnce(ConnectionAttempt) -> ConnectionAttempt,
    ) {
        let is_logged = listener.listener.config.attributes.connection_log;
        if !is_logged || open.worker.shared.access_log.is_none() {
            return;
        }
        let attempt = ConnectionAttempt {
            listener: Arc::clone(&listener.listener.name),
            accepted: self.accepted,
            client: self.client,
            local: self.local,
            handshake: None,
            tls: None,
            certificate: None,
            failure: None,
            detail: None,
            id: self.id,
        };
        open.worker.log(LogEvent::Attempt(Box::new(complete(attempt))));
    }
}
