//! One request and its response, over a connection of their own. What it means is in `webhook`.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use lb_members::{CallError, ErrorClass};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::signature::SIGNATURE_HEADER;
use crate::exec::OUTPUT_BYTES_MAX;

/// Who asks, for the server's log.
const USER_AGENT: &str = concat!("xelb-driver/", env!("CARGO_PKG_VERSION"));

/// The server of a webhook.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of the header `Host`.
    pub(super) authority: String,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A request.
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) path: PathAndQuery,
    pub(super) body: Vec<u8>,
    pub(super) key: String,
    pub(super) signature: Option<String>,
    /// In addition.
    pub(super) headers: HeaderMap,
}

/// A response.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Server {
    /// Sends a request and reads the response. All that goes wrong may be right next time.
    pub(super) async fn exchange(&self, message: &Message) -> Result<Response, CallError> {
        let Self { host, port, .. } = self;
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| transient(&format!("{host}:{port}"), &error))?;
        let Some((config, name)) = &self.tls else {
            return self.talk(stream, message).await;
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector
            .connect(name.clone(), stream)
            .await
            .map_err(|error| transient(&format!("TLS with {host}:{port}"), &error))?;
        self.talk(stream, message).await
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        message: &Message,
    ) -> Result<Response, CallError> {
        let at = format!("{}:{}", self.host, self.port);
        let mut request = http::Request::builder()
            .method(message.method.clone())
            .uri(message.path.clone())
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .header("idempotency-key", &message.key)
            .body(Full::new(Bytes::from(message.body.clone())))
            .map_err(|error| transient(&at, &error))?;
        if let Some(signature) = &message.signature {
            let signature = HeaderValue::from_str(signature);
            let signature = signature.map_err(|error| transient(&at, &error))?;
            request.headers_mut().insert(SIGNATURE_HEADER, signature);
        }
        request.headers_mut().extend(message.headers.clone());
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| transient(&at, &error))?;
        let exchange = async {
            let response =
                sender.send_request(request).await.map_err(|error| transient(&at, &error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, OUTPUT_BYTES_MAX);
            let body = body.collect().await.map_err(|error| transient(&at, &error))?;
            Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            response = &mut exchange => response,
            // The connection may end first, with the response already read.
            _ended = connection => exchange.await,
        }
    }
}

fn transient(at: &str, error: &impl fmt::Display) -> CallError {
    CallError::new(ErrorClass::Transient, format!("{at}: {error}"))
}
