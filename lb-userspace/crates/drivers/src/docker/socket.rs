//! One request to the API and its reply, over a connection of its own.

use std::{fmt, path::PathBuf};

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use lb_members::{CallError, ErrorClass};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::answer::printable;

/// The most bytes of a reply: a container takes some 2 KiB in a list.
const REPLY_BYTES_MAX: usize = 32 << 20;

/// Where the API is.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
}

/// What it says.
#[derive(Debug)]
pub(super) struct Reply {
    /// What was asked, for messages.
    asked: String,
    pub(super) status: StatusCode,
    body: Bytes,
}

impl Socket {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn transient(&self, error: &impl fmt::Display) -> CallError {
        CallError::new(ErrorClass::Transient, format!("{}: {error}", self.path.display()))
    }

    /// Sends a request. Paths have no version: the engine takes its own.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, CallError> {
        let asked = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let stream = UnixStream::connect(&self.path).await.map_err(|e| self.transient(&e))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| CallError::new(ErrorClass::Fatal, format!("{asked}: {error}")))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.transient(&error))?;
        let exchange = async {
            let reply = sender.send_request(request).await.map_err(|e| self.transient(&e))?;
            let (head, body) = reply.into_parts();
            let body = Limited::new(body, REPLY_BYTES_MAX).collect().await;
            let body = body.map_err(|error| self.transient(&error))?.to_bytes();
            Ok(Reply { asked, status: head.status, body })
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            reply = &mut exchange => reply,
            // The connection may end first, with the reply already read.
            _ended = connection => exchange.await,
        }
    }
}

impl Reply {
    /// The reply, if its status is one of these. All others may be others next time, but those that
    /// blame the request.
    pub(super) fn expect(self, statuses: &[StatusCode]) -> Result<Self, CallError> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        // Somebody else may be removing it, or has done so.
        let passes = [StatusCode::CONFLICT, StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS];
        let is_fatal = self.status.is_client_error() && !passes.contains(&self.status);
        Err(self.error(if is_fatal { ErrorClass::Fatal } else { ErrorClass::Transient }, ""))
    }

    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            CallError::new(ErrorClass::Transient, format!("{}: {error}", self.asked))
        })
    }

    /// Whether its message has these words.
    pub(super) fn says(&self, words: &str) -> bool {
        self.message().contains(words)
    }

    fn message(&self) -> String {
        #[derive(Deserialize)]
        struct Message {
            message: String,
        }
        match serde_json::from_slice(&self.body) {
            Ok(Message { message }) => printable(&message),
            Err(_) => String::new(),
        }
    }

    pub(super) fn error(&self, class: ErrorClass, remedy: &str) -> CallError {
        let mut message = format!("{}: status {}", self.asked, self.status.as_u16());
        for part in [self.message().as_str(), remedy] {
            if !part.is_empty() {
                message = format!("{message}: {part}");
            }
        }
        CallError::new(class, message)
    }
}

/// A text as the value in a query (RFC 3986).
pub(super) fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _written = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escaped(r#"{"a":["b=ü"]}"#), "%7B%22a%22%3A%5B%22b%3D%C3%BC%22%5D%7D");
    }

    #[test]
    fn statuses_and_their_classes() {
        let cases = [
            (204, None),
            (400, Some("fatal: POST /x: status 400: why")),
            (404, Some("transient: POST /x: status 404: why")),
            (409, Some("transient: POST /x: status 409: why")),
            (500, Some("transient: POST /x: status 500: why")),
        ];
        for (status, expected) in cases {
            let (asked, body) = ("POST /x".to_owned(), Bytes::from(r#"{"message": "why"}"#));
            let status = StatusCode::from_u16(status).unwrap();
            let result = Reply { asked, status, body }.expect(&[StatusCode::NO_CONTENT]);
            assert_eq!(result.err().map(|error| error.to_string()).as_deref(), expected);
        }
    }
}
