//! Clients that stall, flood or send garbage lock out no other client.

use std::time::Instant;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Duration, timeout},
};

use super::scrape::{Fake, PATIENCE, ROOMY};
use crate::server::Limits;

const SOON: Duration = Duration::from_millis(200);

/// Reads until the listener closes, and says how long that took.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let since = Instant::now();
    let mut answer = Vec::new();
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    since.elapsed()
}

#[tokio::test]
async fn heads_that_do_not_come_are_not_waited_for() {
    let fake = Fake::start(Limits { head_timeout: SOON, ..ROOMY }, "127.0.0.1:0");
    for sent in ["", "GET /metr", "GET /metrics HTTP/1.1\r\nhost: xelb\r\n"] {
        let mut stream = fake.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let waited = closed_after(&mut stream).await;
        assert!(waited >= SOON / 2 && waited < PATIENCE / 2, "{sent:?}: {waited:?}");
    }
}

#[tokio::test]
async fn a_thousand_silent_connections_lock_no_client_out() {
    let fake = Fake::start(ROOMY, "127.0.0.1:0");
    let mut silent = Vec::new();
    for number in 0..1000 {
        let mut stream = fake.connect().await;
        // Some begin a request and do not end it.
        if number % 3 == 0 {
            drop(stream.write_all(b"GET /metrics HTTP/1.1\r\n").await);
        }
        silent.push(stream);
    }
    let since = Instant::now();
    let answer = fake.scrape().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(since.elapsed() < PATIENCE / 4, "it took {:?}", since.elapsed());
    // The first ones were closed.
    assert!(closed_after(&mut silent[0]).await < PATIENCE / 4);
}

#[tokio::test]
async fn a_client_that_does_not_read_delays_no_other() {
    let limits = Limits { connections_max: 2, connection_timeout: SOON, ..ROOMY };
    let fake = Fake::start(limits, "127.0.0.1:0");
    let mut deaf = Vec::new();
    for _ in 0..2 {
        let mut stream = fake.connect().await;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: xelb\r\n\r\n").await.unwrap();
        deaf.push(stream);
    }
    tokio::time::sleep(2 * SOON).await;
    assert!(fake.scrape().await.starts_with("HTTP/1.1 200"));
    drop(deaf);
}

#[tokio::test]
async fn big_and_broken_requests_are_refused() {
    let fake = Fake::start(ROOMY, "127.0.0.1:0");
    let ten_mb = "x".repeat(10_000_000);
    let long_path = format!("GET /{ten_mb} HTTP/1.1\r\n\r\n");
    let long_header = format!("GET /metrics HTTP/1.1\r\na: {ten_mb}\r\n\r\n");
    let many_headers = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let with_body = format!(
        "GET /metrics HTTP/1.1\r\nhost: xelb\r\ncontent-length: {}\r\n\r\n{ten_mb}",
        ten_mb.len()
    );
    let chunked = format!(
        "GET /metrics HTTP/1.1\r\nhost: xelb\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{ten_mb}",
        ten_mb.len()
    );
    for sent in [
        ten_mb.as_bytes(),
        long_path.as_bytes(),
        long_header.as_bytes(),
        many_headers.as_bytes(),
        with_body.as_bytes(),
        chunked.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"\0\0\0\0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    ] {
        let start = String::from_utf8_lossy(&sent[..sent.len().min(40)]).into_owned();
        let answer = fake.exchange(sent).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{start:?}: {answer}");
        assert!(fake.scrape().await.starts_with("HTTP/1.1 200"), "after {start:?}");
    }
}
