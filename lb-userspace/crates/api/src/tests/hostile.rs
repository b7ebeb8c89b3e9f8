//! Clients that stall, flood or send garbage hold no resource for ever.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::{sleep, timeout},
};

use super::fake::{Answer, Fake, PATIENCE, ROOMY};
use crate::listener_sockets::Limits;

const SOON: Duration = Duration::from_millis(200);

/// Reads until the server closes, and says how long that took.
async fn closed_after(stream: &mut UnixStream) -> Duration {
    let since = Instant::now();
    let mut answer = Vec::new();
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    since.elapsed()
}

#[tokio::test]
async fn heads_that_do_not_come_are_not_waited_for() {
    let limits = Limits { head_timeout: SOON, ..ROOMY };
    for sent in ["", "GET /v1/sta", "GET /v1/status HTTP/1.1\r\nhost: xelb\r\n"] {
        let fake = Fake::start_within(limits, Answer::Done);
        let mut stream = UnixStream::connect(&fake.socket).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let waited = closed_after(&mut stream).await;
        assert!(waited >= SOON / 2 && waited < PATIENCE / 2, "{sent:?}: {waited:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_is_closed_when_nothing_comes() {
    let fake = Fake::start_within(Limits { head_timeout: SOON, ..ROOMY }, Answer::Done);
    let mut stream = UnixStream::connect(&fake.socket).await.unwrap();
    stream.write_all(b"GET /v1/listeners HTTP/1.1\r\nhost: xelb\r\n\r\n").await.unwrap();
    assert!(closed_after(&mut stream).await < PATIENCE / 2);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let fake = Fake::start_within(Limits { connection_timeout: SOON, ..ROOMY }, Answer::Done);
    let mut stream = UnixStream::connect(&fake.socket).await.unwrap();
    let head = b"PUT /v1/config HTTP/1.1\r\nhost: xelb\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head).await.unwrap();
    assert!(closed_after(&mut stream).await < PATIENCE / 2);
    assert_eq!(fake.asked(), Vec::<String>::new());
}

/// The head of a request that is refused whatever its body says, and the beginning of its body.
async fn refused_before_its_body(fake: &Fake, headers: &str) -> UnixStream {
    let mut stream = UnixStream::connect(&fake.socket).await.unwrap();
    let head = format!("PUT /v1/config?froce=true HTTP/1.1\r\nhost: xelb\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_sends_its_body_late_reads_the_refusal_and_goes_on() {
    let fake = Fake::start(Answer::Done);
    let mut stream = refused_before_its_body(&fake, "content-length: 600000\r\n").await;
    let part = vec![b' '; 100_000];
    for _ in 0..6 {
        sleep(SOON / 4).await;
        stream.write_all(&part).await.expect("it is still open");
    }
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 400");
    stream
        .write_all(b"GET /v1/status HTTP/1.1\r\nhost: xelb\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut rest = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut rest)).await.expect("it is closed").unwrap();
    assert!(rest.contains("unknown field `froce`") && rest.contains("HTTP/1.1 200"), "{rest}");
}

#[tokio::test]
async fn a_body_that_is_refused_is_not_waited_for_without_end() {
    let fake = Fake::start(Answer::Done);
    for headers in [
        "content-length: 600000\r\n",
        "transfer-encoding: chunked\r\n",
        // More than is discarded, and a client that asks before it sends.
        "content-length: 16000000\r\n",
        "content-length: 9\r\nexpect: 100-continue\r\n",
    ] {
        let mut stream = refused_before_its_body(&fake, headers).await;
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it is closed").unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
    }
}

#[tokio::test]
async fn silent_clients_do_not_lock_others_out_for_ever() {
    let fake = Fake::start_within(Limits { connections_max: 3, ..ROOMY }, Answer::Done);
    let mut silent = Vec::new();
    for _ in 0..7 {
        silent.push(UnixStream::connect(&fake.socket).await.unwrap());
    }
    let since = Instant::now();
    assert_eq!(fake.client().status().await.unwrap().pid, 42);
    assert!(since.elapsed() < PATIENCE / 4, "it has waited for a place: {:?}", since.elapsed());
}

/// A connection whose caller is known, since one of its requests was answered.
async fn served(fake: &Fake) -> UnixStream {
    let mut stream = UnixStream::connect(&fake.socket).await.unwrap();
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: xelb\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn connections_are_bounded() {
    let fake = Fake::start_within(Limits { connections_max: 2, ..ROOMY }, Answer::Done);
    let first = served(&fake).await;
    let second = served(&fake).await;
    // Both have been answered and keep their connections when the third one comes.
    let client = fake.client();
    let third = tokio::spawn(async move { client.status().await });
    sleep(SOON).await;
    assert!(!third.is_finished(), "there is no third place");
    drop(first);
    let answer = timeout(PATIENCE, third).await.expect("a place is free").unwrap();
    assert_eq!(answer.unwrap().pid, 42);
    drop(second);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let fake = Fake::start(Answer::Done);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
    let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    for sent in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"\0\0\0\0\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"PUT /v1/config HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"PUT /v1/config HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"PUT /v1/config HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        long.as_bytes(),
        headers.as_bytes(),
    ] {
        let start = String::from_utf8_lossy(&sent[..sent.len().min(40)]).into_owned();
        let answer = String::from_utf8(fake.exchange(sent).await).unwrap();
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{start:?}: {answer}");
        assert_eq!(fake.client().status().await.unwrap().pid, 42, "after {start:?}");
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn the_server_stops_even_with_all_connections_in_use() {
    let fake = Fake::start_within(Limits { connections_max: 1, ..ROOMY }, Answer::Done);
    let silent = UnixStream::connect(&fake.socket).await.unwrap();
    sleep(SOON / 4).await;
    fake.stop().await;
    drop(silent);
}
