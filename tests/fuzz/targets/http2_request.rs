//! Frames of a client of HTTP/2: a request that is not refused becomes the bytes of exactly one request of HTTP/1.1,
//! with the same method, target and host, whatever stands in its fields.
//!
//! Frames are read by `h2` with the options of the proxy, and requests by `lb_http::http2` as the proxy does it. An
//! input is a list of frames: most are well formed, so that fields of all kinds reach what reads requests.
#![no_main]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use arbitrary::Arbitrary;
use h2::ext::Protocol;
use lb_http::{
    connection::{ClientConnection, Event, ServerConnection, ServerOptions},
    encode::RequestToForward,
    field_edits::FieldEdits,
    forwarded::{ForwardedPolicy, Scheme, Source},
    framing::BodyLength,
    http2::{Http2Head, Http2Request, Http2Tunnel, target::request_fields},
    limits::Limits,
    websocket,
};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Names that mean something.
const NAMES: &[&str] = &[
    ":method", ":scheme", ":authority", ":path", ":protocol", ":status", "host", "content-length",
    "transfer-encoding", "connection", "upgrade", "te", "cookie", "expect", "x-forwarded-for",
    "sec-websocket-key", "forwarded", "trailer", "x-own", "transfer_encoding",
];
/// Values that mean something.
const VALUES: &[&str] = &[
    "GET", "POST", "CONNECT", "http", "https", "shop.example", "a:1", "u@a", "/", "/a/../b?c", "*",
    "websocket", "trailers", "chunked", "0", "3", "+3", "100-continue", "a\r\nb: c", "a\0b", "close",
];

/// A name or a value.
#[derive(Arbitrary, Debug)]
enum Text {
    Known(u8),
    Any(Vec<u8>),
}

impl Text {
    fn bytes(&self, known: &[&'static str]) -> Vec<u8> {
        match self {
            Self::Known(number) => known[usize::from(*number) % known.len()].as_bytes().to_vec(),
            Self::Any(bytes) => bytes.iter().copied().take(100).collect(),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Frame {
    /// Fields, on the next stream, behind those of an ordinary request if `is_ordinary` is set.
    Headers { is_ordinary: bool, ends_stream: bool, fields: Vec<(Text, Text)> },
    /// Content of the last stream.
    Data { ends_stream: bool, content: Vec<u8> },
    /// Anything.
    Raw { kind: u8, flags: u8, stream: u8, payload: Vec<u8> },
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A literal field without indexing (RFC 7541, section 6.2.2).
fn literal(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    for text in [name, value] {
        out.push(u8::try_from(text.len().min(100)).expect("a short text"));
        out.extend_from_slice(&text[..text.len().min(100)]);
    }
}

fn bytes_of(frames: &[Frame]) -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(4, 0, 0, &[], &mut out);
    let mut stream: u32 = 1;
    for one in frames.iter().take(40) {
        match one {
            Frame::Headers { is_ordinary, ends_stream, fields } => {
                let mut block = Vec::new();
                if *is_ordinary {
                    let ordinary = [
                        (":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/"),
                    ];
                    for (name, value) in ordinary {
                        literal(name.as_bytes(), value.as_bytes(), &mut block);
                    }
                }
                for (name, value) in fields.iter().take(40) {
                    literal(&name.bytes(NAMES), &value.bytes(VALUES), &mut block);
                }
                frame(1, 4 | u8::from(*ends_stream), stream, &block, &mut out);
                stream += 2;
            }
            Frame::Data { ends_stream, content } => {
                let content = &content[..content.len().min(1000)];
                frame(0, u8::from(*ends_stream), stream.saturating_sub(2), content, &mut out);
            }
            Frame::Raw { kind, flags, stream, payload } => {
                let payload = &payload[..payload.len().min(1000)];
                frame(*kind, *flags, u32::from(*stream), payload, &mut out);
            }
        }
    }
    out
}

/// A connection that brings bytes and then its end; what is sent is dropped.
struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = buffer.remaining().min(self.bytes.len() - self.at);
        buffer.put_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Reads all requests of a connection.
async fn serve(input: Input) {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(128)
        .initial_window_size(64 << 10)
        .initial_connection_window_size(1 << 20)
        .max_header_list_size(64 << 10)
        .enable_connect_protocol();
    let Ok(mut connection) = builder.handshake::<_, bytes::Bytes>(input).await else { return };
    let mut open = Vec::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (parts, body) = request.into_parts();
        check(&parts, body.is_end_stream());
        // Requests stay open until the connection ends.
        open.push((body, respond));
    }
}

/// One request.
fn check(parts: &http::request::Parts, is_end: bool) {
    let fields: Vec<(&[u8], &[u8])> =
        parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
    let protocol = parts.extensions.get::<Protocol>();
    let key = websocket::key([7; 16]);
    let head = Http2Head {
        method: parts.method.as_str(),
        authority: parts.uri.authority().map(http::uri::Authority::as_str),
        path: parts.uri.path_and_query().map_or("*", |path| path.as_str()),
        fields: &fields,
        is_end,
        tunnel: protocol.map(|protocol| Http2Tunnel { protocol: protocol.as_str(), key: &key }),
    };
    let options = ServerOptions::default();
    let Ok(request) = Http2Request::read(head, &options) else { return };
    let source = Source::new(([192, 0, 2, 1], 9).into(), Scheme::Http, 80);
    let edits = FieldEdits::default();
    let forwarded = RequestToForward {
        head: &request.head,
        framing: &request.framing,
        uri: &request.uri,
        default_host: "default.example",
        source: &source,
        forwarded: ForwardedPolicy::default(),
        trace_id: None,
        certificate: None,
        edits: &edits,
        preserve_host: false,
        drop_invalid_fields: false,
    };
    let mut bytes = Vec::new();
    let mut target = ClientConnection::new(Limits::RESPONSE);
    target.write_request(&forwarded, &mut bytes).expect("a request that was read can be written");
    let mut reader = ServerConnection::new(options);
    let read = reader.read(&bytes);
    assert_eq!(read.event, Event::Head, "{}", bytes.escape_ascii());
    assert_eq!(read.consumed, bytes.len(), "{}", bytes.escape_ascii());
    assert_eq!(reader.head().method(), request.head.method());
    assert_eq!(reader.uri().path_and_query(), request.uri.path_and_query());
    assert_eq!(reader.framing().is_upgrade, request.framing.is_upgrade);
    assert_eq!(protocol.is_some(), request.framing.is_upgrade);
    let is_same_body = match (request.framing.body, reader.framing().body) {
        // A method that announces content gets a length.
        (BodyLength::None, BodyLength::Length(0)) => true,
        (sent, read) => sent == read,
    };
    assert!(is_same_body, "{:?} {:?}", request.framing.body, reader.framing().body);
    let host = |uri: &lb_http::uri::Uri| uri.host().map(|host| host.authority().to_owned());
    assert_eq!(host(reader.uri()), host(&request.uri));
    // A target of HTTP/2 gets no field of this hop.
    request_fields(&forwarded, protocol.is_some(), |name, value| {
        let forbidden = [&b"connection"[..], b"upgrade", b"transfer-encoding", b"host", b"keep-alive"];
        assert!(!forbidden.iter().any(|one| name.eq_ignore_ascii_case(one)), "{}", name.escape_ascii());
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{}", value.escape_ascii());
    });
}

fuzz_target!(|frames: Vec<Frame>| {
    let input = Input { bytes: bytes_of(&frames), at: 0 };
    let mut serving = Box::pin(serve(input));
    let mut cx = Context::from_waker(Waker::noop());
    // Reading never waits: each turn reads, or the connection has ended.
    for _ in 0..10_000 {
        if serving.as_mut().poll(&mut cx).is_ready() {
            return;
        }
    }
    panic!("the connection does not end");
});
