//! A Prometheus server that is asked for the value of an expression: a GET of its instant query. It is no
//! driver, and has no redirects and no HTTP/2. What the answer means is not decided here.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Uri, uri::PathAndQuery};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::{
    WebhookError,
    exchange::{Message, Server},
    server_at,
};

/// An expression at a server.
pub struct PrometheusQuery {
    server: Server,
    path: PathAndQuery,
}

impl std::fmt::Debug for PrometheusQuery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PrometheusQuery").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PrometheusQuery {
    /// An expression at the server with a URL, which is without `/api/v1`. `tls` says which certificates
    /// to trust.
    pub fn new(url: &str, query: &str, tls: Arc<ClientConfig>) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let server = server_at(&uri, tls, true);
        let (server, path) = server.map_err(|error: WebhookError| error.to_string())?;
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let path = format!("{}/api/v1/query?query={query}", path.path().trim_end_matches('/'));
        let path = path.parse().map_err(|error| format!("{path}: {error}"))?;
        Ok(Self { server, path })
    }

    /// Asks once: the status and the body of the answer, which has 1 MiB at most.
    pub async fn ask(&self, within: Duration) -> Result<(u16, Vec<u8>), String> {
        let message = Message {
            method: Method::GET,
            path: self.path.clone(),
            body: Vec::new(),
            key: String::new(),
            signature: None,
            headers: HeaderMap::new(),
        };
        let asked = timeout(within, self.server.exchange(&message)).await;
        let Server { host, port, .. } = &self.server;
        let response =
            asked.map_err(|_elapsed| format!("{host}:{port}: no answer within {within:?}"))?;
        let response = response.map_err(|error| error.message)?;
        Ok((response.status.as_u16(), response.body.to_vec()))
    }
}
