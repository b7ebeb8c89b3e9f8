//! The proxy's side of its stream: server-sent events to messages.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use lb_agent::{Feed, ProxyReport};
use tokio::time::timeout;

use super::{ANSWER_BYTES_MAX, Client, ClientError};
use crate::{ErrorBody, Message, proxies};

/// The agent sends something three times in this time, or it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Longest message: a configuration with as many targets and rules as there may be.
const MESSAGE_BYTES_MAX: usize = ANSWER_BYTES_MAX;

/// What an agent tells a proxy.
#[derive(Debug)]
pub struct ProxyFeed {
    client: Client,
    body: Incoming,
    lines: Lines,
    /// Keeps the connection open.
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Client {
    /// Follows what a proxy should serve.
    pub async fn proxy_feed(&self) -> Result<ProxyFeed, ClientError> {
        let request = Request::get("/v1/proxies/feed")
            .header("host", "xelb")
            .body(Full::default())
            .map_err(|error| self.garbled(&error))?;
        let answer = timeout(self.timeout, self.open(request)).await;
        let (sender, response) = answer.map_err(|_| self.timed_out())??;
        let status = response.status();
        if status.is_success() {
            let (client, body, lines) = (self.clone(), response.into_body(), Lines::default());
            return Ok(ProxyFeed { client, body, lines, _sender: sender });
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let bytes = body.collect().await.map_err(|error| self.garbled(&error))?.to_bytes();
        let ErrorBody { error } =
            serde_json::from_slice(&bytes).map_err(|_| self.garbled(&status))?;
        Err(if status.is_server_error() {
            ClientError::Failed(error)
        } else {
            ClientError::Refused(error)
        })
    }

    /// Tells the agent what a proxy serves.
    pub async fn proxy_report(&self, report: &ProxyReport) -> Result<(), ClientError> {
        let Message { .. } = self.ask(Method::POST, "/v1/proxies", Some(report)).await?;
        Ok(())
    }
}

impl ProxyFeed {
    /// The next message; `None` if the stream has ended and can be opened again. An error also when the
    /// agent has been silent for too long.
    pub async fn next(&mut self) -> Result<Option<Feed>, ClientError> {
        loop {
            while let Some(message) = self.lines.next_message() {
                if let Some(feed) = self.read(&message)? {
                    return Ok(Some(feed));
                }
            }
            let frame = timeout(SILENCE_MAX, self.body.frame()).await;
            let frame = frame.map_err(|_| ClientError::TimedOut {
                path: self.client.transport.name(),
                waited: SILENCE_MAX,
            })?;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.lines.add(&bytes).map_err(|error| self.client.garbled(&error))?;
                    }
                }
                Some(Err(error)) => {
                    let text = format!("the connection has ended: {error}");
                    return Err(ClientError::Failed(text));
                }
                None => return Ok(None),
            }
        }
    }

    /// A message; those that this version does not know are skipped.
    fn read(&self, message: &SentEvent) -> Result<Option<Feed>, ClientError> {
        let garbled = |error: serde_json::Error| self.client.garbled(&error);
        match message.name.as_str() {
            proxies::SNAPSHOT => {
                let snapshot = serde_json::from_slice(&message.data).map_err(garbled)?;
                Ok(Some(Feed::Snapshot(Box::new(snapshot))))
            }
            proxies::CHANGE => {
                Ok(Some(Feed::Change(serde_json::from_slice(&message.data).map_err(garbled)?)))
            }
            _ => Ok(None),
        }
    }
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct SentEvent {
    name: String,
    data: Vec<u8>,
}

/// The part of a stream that has not been read yet. Lines end with LF, as the agent's do.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where the search for the next end of a line goes on.
    searched: usize,
    event: SentEvent,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        if self.bytes.len() + bytes.len() > MESSAGE_BYTES_MAX {
            return Err("a message is too long");
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next event that is complete.
    fn next_message(&mut self) -> Option<SentEvent> {
        let mut begin = 0;
        let found = loop {
            let searched = self.searched.max(begin);
            let rest = self.bytes.get(searched..).unwrap_or_default();
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                break None;
            };
            let line = self.bytes.get(begin..searched + length).unwrap_or_default();
            begin = searched + length + 1;
            self.searched = begin;
            if let Some(name) = line.strip_prefix(b"event: ") {
                self.event.name = String::from_utf8_lossy(name).into_owned();
            } else if let Some(data) = line.strip_prefix(b"data: ") {
                self.event.data.extend_from_slice(data);
            } else if line.is_empty() && self.event != SentEvent::default() {
                break Some(std::mem::take(&mut self.event));
            }
        };
        self.bytes.drain(..begin);
        self.searched -= begin;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes come, the events are the same.
    #[test]
    fn events_are_found_in_any_pieces() {
        let stream = b": nothing yet\n\nevent: snapshot\ndata: {\"a\":1}\n\n:\n\nevent: targets\ndata: {}\n\nevent: x";
        for size in 1..=stream.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in stream.chunks(size) {
                lines.add(piece).unwrap();
                while let Some(event) = lines.next_message() {
                    found.push((event.name, String::from_utf8(event.data).unwrap()));
                }
            }
            let expected = [("snapshot", "{\"a\":1}"), ("targets", "{}")];
            let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
            assert_eq!(found, expected, "pieces of {size}");
            assert_eq!(lines.bytes, b"event: x", "the rest waits");
        }
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let mut lines = Lines::default();
        lines.add(&vec![b'x'; MESSAGE_BYTES_MAX]).unwrap();
        assert!(lines.next_message().is_none());
        assert!(lines.add(b"x").is_err());
    }
}
