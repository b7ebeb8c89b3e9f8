//! Clients on TCP that do not speak TLS, stall or flood.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    fake::{Answer, Fake, PATIENCE, ROOMY, Response, exchange_over, request},
    pki::Pki,
};
use crate::{access::Role, listener_sockets::Limits};

const SOON: Duration = Duration::from_millis(200);

fn start(pki: &Pki, limits: Limits) -> (Fake, SocketAddr) {
    let fake = Fake::start_for(limits, Answer::Done, &pki.access());
    let server = fake.remote.unwrap();
    (fake, server)
}

/// A ClientHello of this version (RFC 5246, section 7.4.1.2), with a curve, a signature and points.
fn hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    // No session; TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA and _GCM_SHA256; no compression.
    body.extend([0, 0, 4, 0xc0, 0x09, 0xc0, 0x2b, 1, 0]);
    body.extend([0, 22, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3, 0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

async fn served(pki: &Pki, server: SocketAddr) {
    let stream = pki.connect(server, None).await.unwrap();
    let sent = request("GET", "/v1/status", &pki.bearer(Role::Read), "");
    assert_eq!(Response::parse(&exchange_over(stream, &sent).await).body["pid"], 42);
}

#[tokio::test]
async fn old_versions_of_tls_are_refused() {
    let pki = Pki::new();
    let (fake, server) = start(&pki, ROOMY);
    let plain = request("GET", "/v1/status", &pki.bearer(Role::Configure), "");
    for sent in [plain, hello(2), hello(1), hello(0), vec![0xff; 100_000], b"\n".repeat(1000)] {
        let stream = TcpStream::connect(server).await.unwrap();
        let answer = exchange_over(stream, &sent).await;
        // An alert is all that comes (RFC 8446, section 6).
        assert!(matches!(answer.as_slice(), [] | [21, 3, _, 0, 2, 2, _]), "{answer:?}");
        if sent.starts_with(&[22]) {
            let protocol_version = 70;
            assert_eq!(answer.last(), Some(&protocol_version), "TLS 1.{}", sent[10] - 1);
        }
        served(&pki, server).await;
    }
    // The same of TLS 1.2 is answered with a ServerHello.
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(&hello(3)).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 22);
    assert_eq!(fake.asked(), Vec::<String>::new());
}

/// Reads until the server closes, and says how long that took.
async fn closed_after(stream: &mut (impl AsyncRead + Unpin)) -> Duration {
    let since = Instant::now();
    let _reset =
        timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    since.elapsed()
}

#[tokio::test]
async fn silent_clients_are_cut_off() {
    let pki = Pki::new();
    let (_fake, server) = start(&pki, Limits { head_timeout: SOON, ..ROOMY });
    // Before the handshake, within it, and after it.
    let mut before = TcpStream::connect(server).await.unwrap();
    assert!(closed_after(&mut before).await < PATIENCE / 2);
    let mut within = TcpStream::connect(server).await.unwrap();
    within.write_all(&hello(3)[..20]).await.unwrap();
    assert!(closed_after(&mut within).await < PATIENCE / 2);
    let mut after = pki.connect(server, None).await.unwrap();
    after.write_all(b"GET /v1/status HTTP/1.1\r\n").await.unwrap();
    assert!(closed_after(&mut after).await < PATIENCE / 2);
}

#[tokio::test]
async fn silent_clients_on_tcp_leave_the_socket_alone() {
    let pki = Pki::new();
    let (fake, server) = start(&pki, Limits { connections_max: 2, ..ROOMY });
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(server).await.unwrap());
    }
    let since = Instant::now();
    assert_eq!(fake.client().status().await.unwrap().pid, 42);
    assert!(since.elapsed() < PATIENCE / 4, "{:?}", since.elapsed());
}

/// Silent clients, before and after the handshake, are closed for authenticated ones.
#[tokio::test]
async fn silent_clients_on_tcp_do_not_lock_others_out() {
    let pki = Pki::new();
    let (_fake, server) = start(&pki, ROOMY);
    let mut silent = Vec::new();
    let mut met = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server).await.unwrap());
        met.push(pki.connect(server, None).await);
    }
    let since = Instant::now();
    for _ in 0..5 {
        served(&pki, server).await;
    }
    assert!(since.elapsed() < PATIENCE / 4, "{:?}", since.elapsed());
}

/// A connection from another address of this machine.
async fn connect_from(address: [u8; 4], server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(server).await.unwrap()
}

#[tokio::test]
async fn idle_and_hasty_clients_of_one_address_do_not_delay_another() {
    let pki = Pki::new();
    let (_fake, server) = start(&pki, Limits { connections_max: 64, ..ROOMY });
    // As many as one likes say nothing, or begin a handshake and stop.
    let mut held = Vec::new();
    for number in 0..100 {
        let mut stream = connect_from([127, 0, 0, 2], server).await;
        if number % 2 == 0 {
            stream.write_all(&hello(3)[..20]).await.unwrap();
        }
        held.push(stream);
    }
    let since = Instant::now();
    served(&pki, server).await;
    assert!(since.elapsed() < PATIENCE / 8, "{:?}", since.elapsed());
    // Others make handshakes as fast as they can: some wait, some are refused, and good ones do not wait.
    let mut answered = 0;
    for _ in 0..150 {
        let mut stream = connect_from([127, 0, 0, 3], server).await;
        stream.write_all(&hello(3)).await.unwrap();
        let answer = timeout(Duration::from_millis(20), stream.read_u8()).await;
        answered += usize::from(matches!(answer, Ok(Ok(22))));
        held.push(stream);
    }
    assert!((1..150).contains(&answered), "{answered} of 150 handshakes went on at once");
    let since = Instant::now();
    served(&pki, server).await;
    assert!(since.elapsed() < PATIENCE / 8, "{:?}", since.elapsed());
}

/// Sends a head, and then a GiB unless it is stopped: how much was sent, and what came.
async fn flood(pki: &Pki, server: SocketAddr, header: &str) -> (u64, Vec<u8>) {
    let stream = pki.connect(server, None).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let head = format!(
        "PUT /v1/config HTTP/1.1\r\nhost: xelb\r\n{header}content-length: {}\r\n\r\n\"",
        1 << 30
    );
    let send = async {
        let mut sent = 0;
        let mebibyte = vec![b'x'; 1 << 20];
        if writer.write_all(head.as_bytes()).await.is_ok() {
            while sent < 1 << 30 && writer.write_all(&mebibyte).await.is_ok() {
                sent += 1 << 20;
            }
        }
        sent
    };
    let read = async {
        let mut answer = Vec::new();
        let _reset = reader.read_to_end(&mut answer).await;
        answer
    };
    timeout(PATIENCE, async { tokio::join!(send, read) }).await.expect("it is cut off")
}

#[tokio::test]
async fn a_body_of_a_gib_is_cut_off() {
    let pki = Pki::new();
    let (fake, server) = start(&pki, ROOMY);
    let token = pki.bearer(Role::Configure);
    for (header, status) in [("", "401"), (token.as_str(), "413")] {
        let (sent, answer) = flood(&pki, server, header).await;
        assert!(sent < 64 << 20, "{sent} bytes were taken");
        // The answer may be lost where the connection is reset.
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.split(' ').nth(1) == Some(status), "{answer}");
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
    served(&pki, server).await;
}
