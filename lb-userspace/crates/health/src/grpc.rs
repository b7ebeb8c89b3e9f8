//! The gRPC probe: one call of `grpc.health.v1.Health/Check` (the gRPC health checking protocol)
//! over a separate connection: HTTP/2 with prior knowledge, or in TLS with ALPN. The two messages
//! are so small that they are read and written by hand.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::Bytes,
    client::conn::http2,
    rt::{Read, Write},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lb_config::GrpcCheck;
use tokio::time::{Instant, timeout_at};

use super::{
    Outcome, Probe, Reason,
    tcp::{self, Purpose},
    tls,
    wire::Wire,
};

/// Who asks, for the target's log.
const USER_AGENT: &str = concat!("xelb-health-check/", env!("CARGO_PKG_VERSION"));

/// Longest list of headers, and longest body, that are read.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
const BODY_BYTES_MAX: usize = 4 * 1024;

/// Length of the prefix of each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// `SERVING` of `HealthCheckResponse.ServingStatus`.
const SERVING: u64 = 1;

/// Succeeds when the call ends with a code that matches, and, if that is 0, the service serves.
pub(super) async fn probe(probe: &Probe, check: &GrpcCheck, deadline: Instant) -> Outcome {
    let stream = match tcp::connect(probe, Purpose::Talk, deadline).await {
        Ok(stream) => stream,
        Err(outcome) => return outcome,
    };
    let Some(tls) = &check.tls else {
        return ask(TokioIo::new(Wire::new(stream)), probe, check, deadline).await;
    };
    let stream = match tls::handshake(stream, tls, probe.address.ip(), true, deadline).await {
        Ok(stream) => stream,
        Err(outcome) => return outcome,
    };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Outcome::failed("the target supports TLS, but not HTTP/2 over TLS (ALPN h2)");
    }
    ask(TokioIo::new(Wire::new(stream)), probe, check, deadline).await
}

async fn ask<I>(io: I, probe: &Probe, check: &GrpcCheck, deadline: Instant) -> Outcome
where
    I: Read + Write + Unpin + Send + 'static,
{
    let call = match request(probe, check) {
        Ok(request) => exchange(io, request),
        Err(error) => return Outcome::failed(format!("cannot ask: {error}")),
    };
    match timeout_at(deadline, call).await {
        Ok(Ok(answer)) => judge(&answer, check),
        Ok(Err(why)) => Outcome::failed(why),
        Err(_elapsed) => {
            let waited: Duration = probe.timeout;
            Outcome::timeout(format!("connected, but the call has not ended within {waited:?}"))
        }
    }
}

fn request(probe: &Probe, check: &GrpcCheck) -> Result<Request<Full<Bytes>>, http::Error> {
    let (scheme, name) = match &check.tls {
        Some(tls) => ("https", tls.server_name.clone()),
        None => ("http", None),
    };
    let authority = name.unwrap_or_else(|| probe.address.to_string());
    Request::post(format!("{scheme}://{authority}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, USER_AGENT)
        .body(Full::new(message(&check.service).into()))
}

/// `HealthCheckRequest { service = 1 }`, with its prefix. A name is at most 1,024 bytes long.
fn message(service: &str) -> Vec<u8> {
    let mut field = Vec::new();
    if !service.is_empty() {
        // Field 1, length-delimited; the length as a varint of two groups of seven bits.
        let length = service.len();
        field.push(0x0a);
        if length < 0x80 {
            field.push(u8::try_from(length).unwrap_or(0));
        } else {
            field.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            field.push(u8::try_from(length >> 7).unwrap_or(0));
        }
        field.extend(service.as_bytes());
    }
    let length = u32::try_from(field.len()).unwrap_or(0);
    let mut message = vec![0];
    message.extend(length.to_be_bytes());
    message.extend(field);
    message
}

/// What a call ended with.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// The gRPC status code, and what the server says about it.
    code: u16,
    says: String,
    /// The serving status in the message, if there is one.
    serving: Option<u64>,
}

/// Makes the call; an error says what was wrong with the answer, for people.
async fn exchange<I>(io: I, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    I: Read + Write + Unpin + Send + 'static,
{
    let handshake = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(HEAD_BYTES_MAX)
        .initial_stream_window_size(HEAD_BYTES_MAX)
        .initial_connection_window_size(HEAD_BYTES_MAX)
        .handshake(io);
    let (mut sender, connection) = handshake.await.map_err(|error| describe(&error))?;
    let call = pin!(async move {
        let response = sender.send_request(request).await.map_err(|error| describe(&error))?;
        read(response).await
    });
    // Driven here, so that dropping the probe drops the socket.
    match select(call, pin!(connection)).await {
        Either::Left((answer, _connection)) => answer,
        Either::Right((_end, call)) => call.await,
    }
}

async fn read(response: http::Response<hyper::body::Incoming>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    if head.status != 200 {
        return Err(format!("HTTP status {}, expected 200 of a gRPC server", head.status.as_u16()));
    }
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
        let kind: String = kind.unwrap_or("none").chars().take(40).collect();
        return Err(format!("content type {kind:?}, expected application/grpc"));
    }
    // An answer without a message has everything in its head.
    if let Some(answer) = status_of(&head.headers, None)? {
        return Ok(answer);
    }
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| format!("the answer is truncated or too long: {error}"))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let serving = serving(&body.to_bytes());
    status_of(&trailers, serving)?.ok_or_else(|| "the answer has no grpc-status".to_owned())
}

/// The gRPC status among some headers.
fn status_of(headers: &HeaderMap, serving: Option<u64>) -> Result<Option<Answer>, String> {
    let Some(status) = headers.get("grpc-status") else {
        return Ok(None);
    };
    let code = status.to_str().ok().and_then(|text| text.parse().ok());
    let code = code.ok_or_else(|| "its grpc-status is not a number".to_owned())?;
    let says = headers.get("grpc-message").and_then(|text| text.to_str().ok()).unwrap_or("");
    Ok(Some(Answer { code, says: says.chars().take(100).collect(), serving }))
}

/// The serving status of `HealthCheckResponse { status = 1 }`, which 0 is when it is left out; `None`
/// when the bytes are no such message.
fn serving(body: &[u8]) -> Option<u64> {
    let (prefix, rest) = body.split_first_chunk::<PREFIX>()?;
    let [0, length @ ..] = *prefix else {
        return None;
    };
    let message = rest.get(..usize::try_from(u32::from_be_bytes(length)).ok()?)?;
    match message {
        [] => Some(0),
        // Field 1, varint; the statuses that there are take one byte.
        [0x08, status, ..] if *status < 0x80 => Some(u64::from(*status)),
        _ => None,
    }
}

fn judge(answer: &Answer, check: &GrpcCheck) -> Outcome {
    let Answer { code, says, serving } = answer;
    if !check.matcher.matches(*code) {
        let says = if says.is_empty() { String::new() } else { format!(" ({says})") };
        let expected = check.matcher.shown();
        return Outcome::Failure {
            reason: Reason::ResponseCodeMismatch,
            detail: format!("gRPC status {code}{says}, expected {expected}"),
        };
    }
    match (code, serving) {
        (0, Some(SERVING)) | (1.., _) => Outcome::Success,
        (0, Some(status)) => {
            let name = match status {
                0 => "UNKNOWN",
                2 => "NOT_SERVING",
                3 => "SERVICE_UNKNOWN",
                _ => "in an unknown state",
            };
            Outcome::failed(format!("the service is {name}"))
        }
        (0, None) => Outcome::failed("the answer is not a message of the health service"),
    }
}

fn describe(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error);
    let io = source.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    match (io, source) {
        (Some(io), _) => tcp::describe(io),
        (None, Some(cause)) => format!("no HTTP/2: {cause}"),
        (None, None) => format!("no HTTP/2: {error}"),
    }
}
