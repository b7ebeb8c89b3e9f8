//! An HTTP/1.1 client for one request on one connection, with a limit on the whole of it.
//!
//! It is for counting failures, so it knows no retries, redirects or chunked bodies. It runs in
//! the namespace of the calling thread.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::web::TARGET_HEADER;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The target that answered, by its header; empty when it gave none.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Gets `path` on a new connection within `limit`.
pub fn get(server: SocketAddr, path: &str, limit: Duration) -> io::Result<Answer> {
    let deadline = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&server, limit)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(remaining(deadline)?))?;
    // In one segment, as a browser would send it.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => return parse(&bytes),
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
}

fn remaining(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        some => Ok(some),
    }
}

/// Understands a whole answer; one that was cut short is an error.
fn parse(bytes: &[u8]) -> io::Result<Answer> {
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let body = &bytes[end + 4..];
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))?;
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let announced: Option<usize> = header("content-length").and_then(|text| text.parse().ok());
    if announced.is_some_and(|announced| announced != body.len()) {
        return Err(cut());
    }
    Ok(Answer {
        status,
        target: header(TARGET_HEADER).unwrap_or_default().to_owned(),
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood_or_refused() {
        let whole = b"HTTP/1.1 200 OK\r\nX-Target: t1\r\nContent-Length: 3\r\n\r\nt1\n";
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, answer.target.as_str()), (200, "t1"));
        assert_eq!(answer.body, b"t1\n");
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "cut after {length} bytes");
        }
    }
}
