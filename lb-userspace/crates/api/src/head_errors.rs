//! Answers to requests whose head cannot be read. The HTTP library writes them itself, without a
//! body, and no handler sees them; here they get the body that all other errors have.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ErrorBody;

/// What an answer of the library has instead of a body.
const WITHOUT_BODY: &[u8] = b"content-length: 0\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A connection to a client. Errors of its requests' heads get a body.
#[derive(Debug)]
pub(super) struct HeadErrors<S> {
    stream: S,
    /// An answer that has been accepted, and how much of it is written.
    pending: Vec<u8>,
    written: usize,
}

impl<S> HeadErrors<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, pending: Vec::new(), written: 0 }
    }
}

impl<S: AsyncWrite + Unpin> HeadErrors<S> {
    fn poll_pending(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.pending.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

/// The answer with a body; `None` for any other one.
fn with_body(answer: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(answer.strip_suffix(END_OF_HEAD)?).ok()?;
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let says = match status {
        "400" => "this is not a request of HTTP/1.1: its first line or a header is malformed",
        "414" => "path and query are too long: the maximum is 65,534 bytes",
        "431" => "the head of the request is too large: the maximum is 64 KiB and 100 headers",
        _ => return None,
    };
    let at = answer.windows(WITHOUT_BODY.len()).position(|part| part == WITHOUT_BODY)?;
    let body = serde_json::to_vec(&ErrorBody { error: says.to_owned() }).ok()?;
    let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let (before, after) = (answer.get(..at)?, answer.get(at + WITHOUT_BODY.len()..)?);
    Some([before, headers.as_bytes(), after, &body].concat())
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadErrors<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadErrors<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(context))?;
        if let Some(answer) = with_body(bytes) {
            self.pending = answer;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_a_body_get_one() {
        let empty = |status: &str| {
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        };
        for status in ["400 Bad Request", "414 URI Too Long", "431 Request Header Fields Too Large"]
        {
            let answer = String::from_utf8(with_body(empty(status).as_bytes()).unwrap()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
            assert!(!head.contains("content-length: 0"), "{answer}");
            let read: ErrorBody = serde_json::from_str(body).unwrap();
            assert!(!read.error.is_empty());
        }
        for other in
            [&*empty("200 OK"), "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}", ""]
        {
            assert_eq!(with_body(other.as_bytes()), None, "{other}");
        }
    }
}
