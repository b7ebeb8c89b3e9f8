//! The HTTP probe: one GET request over a separate connection, in TLS if wanted. HTTP/2 only where the
//! group of the target speaks it; no redirects.

mod malformed;
mod reports;

use std::{io, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Body as _, Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lb_config::HttpCheck;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::{
    Outcome, Probe, Reason,
    tcp::{self, Purpose},
    tls,
    wire::Wire,
};

/// Who asks, for the target's log.
const USER_AGENT: &str = concat!("xelb-health-check/", env!("CARGO_PKG_VERSION"));

/// Longest response head that is read, in bytes. ELB allows 32 K; a health check's is far smaller.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The verdict needs the head only, but a server that is cut off while it sends the body logs an
/// error. So the body is read, if it is as short and as quick as that of a health check should be.
const BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_WAIT_MAX: Duration = Duration::from_millis(100);

/// Time before the end of a probe at which a body that does not end is judged by what has come.
const BODY_MARGIN: Duration = Duration::from_millis(20);

/// Bytes of a body that a message shows.
const BODY_SHOWN: usize = 60;

/// Succeeds when the answer's status matches, and its body has the text that is expected.
pub(super) async fn probe(probe: &Probe, check: &HttpCheck, deadline: Instant) -> Outcome {
    let request = match request(probe, check) {
        Ok(request) => request,
        Err(error) => {
            let path = &check.path;
            return Outcome::failed(format!("cannot request {path:?}: {error}; correct the path"));
        }
    };
    let stream = match tcp::connect(probe, Purpose::Talk, deadline).await {
        Ok(stream) => stream,
        Err(outcome) => return outcome,
    };
    let Some(tls) = &check.tls else {
        return ask(Wire::new(stream), request, probe, check, deadline).await;
    };
    match tls::handshake(stream, tls, probe.address.ip(), check.http2, deadline).await {
        Ok(stream) if check.http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") => {
            Outcome::failed("the target supports TLS, but not HTTP/2 over TLS (ALPN h2)")
        }
        Ok(stream) => ask(Wire::new(stream), request, probe, check, deadline).await,
        Err(outcome) => outcome,
    }
}

fn request(probe: &Probe, check: &HttpCheck) -> Result<Request<Empty<Bytes>>, http::Error> {
    let host = check.host.clone().unwrap_or_else(|| probe.address.to_string());
    if check.http2 {
        let scheme = if check.tls.is_some() { "https" } else { "http" };
        return Request::get(format!("{scheme}://{host}{}", check.path))
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "*/*")
            .body(Empty::new());
    }
    Request::get(&check.path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
}

async fn ask(
    wire: Wire<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
    request: Request<Empty<Bytes>>,
    probe: &Probe,
    check: &HttpCheck,
    deadline: Instant,
) -> Outcome {
    let seen = wire.seen();
    let answer = async {
        if check.http2 {
            exchange_http2(wire, request, check, deadline).await
        } else {
            exchange(wire, request, check, deadline).await
        }
    };
    match timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => judge(&answer, check, probe.timeout),
        Ok(Err(error)) => Outcome::failed(describe(&error, &seen.bytes())),
        Err(_elapsed) => Outcome::timeout(format!(
            "connected, but no complete response head within {:?}",
            probe.timeout
        )),
    }
}

/// What came back.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    /// The start of the body, as far as it was read.
    body: Vec<u8>,
    /// How the reading of it ended.
    end: BodyEnd,
    /// What headers say that targets report with.
    headers: Vec<(String, String)>,
}

/// How the reading of a body ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BodyEnd {
    /// The body was over, or it had the text that is looked for.
    #[default]
    Read,
    /// More than is read was to come.
    TooLong,
    /// The connection broke off.
    Broken,
    /// The time was over.
    Late,
}

/// Sends the request and reads the answer.
async fn exchange(
    wire: Wire<impl AsyncRead + AsyncWrite + Unpin>,
    request: Request<Empty<Bytes>>,
    check: &HttpCheck,
    deadline: Instant,
) -> hyper::Result<Answer> {
    // Clients accept responses of old servers; only status and body are checked.
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(wire))
        .await?;
    let answer = pin!(async move {
        let response = sender.send_request(request).await?;
        Ok(read_answer(response, check, deadline).await)
    });
    // The connection is driven here and not in a separate task, so that dropping the probe drops
    // the socket. It may end before the answer has been picked up.
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _connection)) => answer,
        Either::Right((_end, answer)) => answer.await,
    }
}

/// The same over HTTP/2.
async fn exchange_http2(
    wire: Wire<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
    request: Request<Empty<Bytes>>,
    check: &HttpCheck,
    deadline: Instant,
) -> hyper::Result<Answer> {
    let handshake = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(wire));
    let (mut sender, connection) = handshake.await?;
    let answer = pin!(async move {
        let response = sender.send_request(request).await?;
        Ok(read_answer(response, check, deadline).await)
    });
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _connection)) => answer,
        Either::Right((_end, answer)) => answer.await,
    }
}

async fn read_answer(
    response: http::Response<Incoming>,
    check: &HttpCheck,
    deadline: Instant,
) -> Answer {
    let mut answer = Answer {
        status: response.status().as_u16(),
        headers: reports::headers(&check.reports, response.headers()),
        ..Answer::default()
    };
    let wants_all = reports::are_in_body(&check.reports);
    // A body that is not checked says nothing about the target. A checked body may take until just
    // before the probe's end.
    let patience = if check.body.is_some() || wants_all {
        deadline.checked_sub(BODY_MARGIN).unwrap_or(deadline)
    } else {
        Instant::now() + BODY_WAIT_MAX
    };
    let wanted = check.body.as_deref().filter(|_| !wants_all);
    let read = read_body(response.into_body(), wanted, &mut answer.body);
    let end = timeout_at(deadline.min(patience), read).await;
    answer.end = end.unwrap_or(BodyEnd::Late);
    answer
}

/// Reads a body up to its limit, or until it has the text that is looked for.
async fn read_body(mut body: Incoming, wanted: Option<&str>, read: &mut Vec<u8>) -> BodyEnd {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return BodyEnd::Broken;
        };
        let before = read.len();
        if let Some(data) = frame.data_ref() {
            read.extend(data.iter().take(BODY_BYTES_MAX.saturating_sub(before)));
        }
        // The earlier part has been searched, except for a part of the text at its end.
        let found = |text: &str| {
            let fresh = read.get(before.saturating_sub(text.len())..).unwrap_or_default();
            has(fresh, text)
        };
        if wanted.is_some_and(found) {
            return BodyEnd::Read;
        }
        if read.len() >= BODY_BYTES_MAX {
            return if body.is_end_stream() { BodyEnd::Read } else { BodyEnd::TooLong };
        }
    }
    BodyEnd::Read
}

/// Whether a body contains a text.
fn has(body: &[u8], text: &str) -> bool {
    body.windows(text.len().max(1)).any(|bytes| bytes == text.as_bytes())
}

fn judge(answer: &Answer, check: &HttpCheck, timeout: Duration) -> Outcome {
    let Answer { status, body, end, headers } = answer;
    if !check.matcher.matches(*status) {
        return Outcome::Failure {
            reason: Reason::ResponseCodeMismatch,
            detail: format!("status {status}, expected {}", check.matcher.shown()),
        };
    }
    match &check.body {
        Some(text) if !has(body, text) => missing(*status, text, body, *end, timeout),
        _ if check.reports.is_empty() => Outcome::Success,
        _ => Outcome::Reported(reports::read(&check.reports, headers, body)),
    }
}

/// The text that the body must have is not in what was read of it.
fn missing(status: u16, text: &str, body: &[u8], end: BodyEnd, timeout: Duration) -> Outcome {
    let start = malformed::start(body, BODY_SHOWN);
    let begins = if body.is_empty() {
        "no part of the body has arrived".to_owned()
    } else {
        format!("the body begins {start}")
    };
    let status = format!("status {status}, but");
    match end {
        BodyEnd::Read if body.is_empty() => {
            Outcome::failed(format!("{status} {text:?} is not in the body, which is empty"))
        }
        BodyEnd::Read => {
            Outcome::failed(format!("{status} {text:?} is not in the body, which begins {start}"))
        }
        BodyEnd::TooLong => Outcome::failed(format!(
            "{status} {text:?} is not in the first {} KiB of the body, which begins {start}",
            BODY_BYTES_MAX / 1024
        )),
        BodyEnd::Broken => {
            Outcome::failed(format!("{status} the body ends early before {text:?}; {begins}"))
        }
        BodyEnd::Late => Outcome::timeout(format!(
            "{status} the body has not ended within {timeout:?}, and {text:?} has not arrived; \
             {begins}"
        )),
    }
}

/// The error after the connection was made; `seen` is the received start.
fn describe(error: &hyper::Error, seen: &[u8]) -> String {
    let source = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    if let Some(cause) = source {
        let cause: &io::Error = cause;
        return tcp::describe(cause);
    }
    if error.is_parse() {
        let too_large = error.is_parse_too_large();
        return malformed::describe(seen, too_large, HEAD_BYTES_MAX)
            .unwrap_or_else(|| format!("the head of the answer cannot be read: {error}"));
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "connection closed before a complete response head".to_owned();
    }
    format!("no answer: {error}")
}

#[cfg(test)]
mod tests;
