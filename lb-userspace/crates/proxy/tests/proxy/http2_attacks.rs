//! Attacks of clients of HTTP/2, as frames over real sockets: what docs/attacks.md says of them.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use lb_proxy::Counter;

use crate::{
    http2::{ask, connect, get, run},
    support::{LONG, TestProxy, TestTarget, group, healthy, impatient, simple, wait_until},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame of the proxy: type, stream and payload.
type Frame = (u8, u32, Vec<u8>);

/// A client that writes frames, with a thread that reads those of the proxy.
struct Attacker {
    stream: TcpStream,
    frames: Receiver<Frame>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A literal field without indexing (RFC 7541, section 6.2.2); texts are shorter than 127 bytes.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The fields of a request; these replace or follow those of an ordinary one.
fn fields(other: &[(&str, &str)]) -> Vec<u8> {
    let mut all =
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    for (name, value) in other {
        match all.iter_mut().find(|(known, _)| known == name && known.starts_with(':')) {
            Some(known) => known.1 = value,
            None => all.push((name, value)),
        }
    }
    all.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

impl Attacker {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let (send, frames) = channel();
        thread::spawn(move || {
            let mut head = [0; 9];
            while reader.read_exact(&mut head).is_ok() {
                let [high, middle, low, kind, _, stream @ ..] = head;
                let length = u32::from_be_bytes([0, high, middle, low]);
                let mut payload = vec![0; length as usize];
                if reader.read_exact(&mut payload).is_err() {
                    return;
                }
                if send.send((kind, u32::from_be_bytes(stream), payload)).is_err() {
                    return;
                }
            }
        });
        let mut attacker = Self { stream, frames };
        attacker.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        attacker.send(&frame(SETTINGS, 0, 0, &[]));
        attacker
    }

    /// Sends bytes; whether the proxy takes them.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends the same again and again, until the proxy takes no more; whether it came to that.
    fn flood(&mut self, bytes: &[u8], most: usize) -> bool {
        (0..most).any(|_| !self.send(bytes))
    }

    /// The next frame of these types.
    fn next(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.frames.recv_timeout(LONG).ok()?;
            if kinds.contains(&frame.0) {
                return Some(frame);
            }
        }
    }

    /// The code of the GOAWAY that ends the connection.
    fn goaway(&mut self) -> Option<u32> {
        let (.., payload) = self.next(&[GOAWAY])?;
        Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
    }
}

/// A flood is answered by GOAWAY, its connection is counted, and another client is served.
fn check_flood(attack: impl Fn(&mut Attacker)) {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    let mut attacker = Attacker::connect(address);
    attack(&mut attacker);
    // A reset of its connection may come before it has read that.
    assert!(matches!(attacker.goaway(), None | Some(ENHANCE_YOUR_CALM)));
    let flooding = || proxy.metrics().listeners["web"].get(Counter::FloodingConnections);
    wait_until("the connection is counted", || flooding() == 1);
    run(async {
        let send = connect(address).await;
        assert_eq!(ask(&send, get("/"), &[], None).await.unwrap().status, 200);
    });
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    check_flood(|attacker| {
        attacker.send(&frame(HEADERS, END_STREAM, 1, &fields(&[])));
        attacker.flood(&frame(CONTINUATION, 0, 1, &[]), 100_000);
    });
    check_flood(|attacker| {
        attacker.send(&frame(HEADERS, END_STREAM, 1, &fields(&[])));
        attacker.flood(&frame(CONTINUATION, 0, 1, &literal("x", "y")), 100_000);
    });
}

#[test]
fn a_flood_of_pings_or_settings_ends_the_connection() {
    check_flood(|attacker| {
        attacker.flood(&frame(PING, 0, 0, &[7; 8]).repeat(100), 10_000);
    });
    check_flood(|attacker| {
        attacker.flood(&frame(SETTINGS, 0, 0, &[]).repeat(100), 10_000);
    });
    check_flood(|attacker| {
        attacker.flood(&frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 7]).repeat(100), 10_000);
    });
    check_flood(|attacker| {
        attacker.flood(&frame(0xbe, 0, 0, &[7; 100]).repeat(100), 10_000);
    });
}

#[test]
fn a_flood_of_empty_data_ends_the_connection() {
    check_flood(|attacker| {
        let post = fields(&[(":method", "POST")]);
        attacker.send(&frame(HEADERS, END_HEADERS, 1, &post));
        attacker.flood(&frame(DATA, 0, 1, &[]), 100_000);
    });
}

/// CVE-2025-8671: each frame is an error of the client, for which the proxy has to reset a stream.
#[test]
fn resets_that_the_proxy_is_made_to_send_are_bounded() {
    let get = (END_HEADERS | END_STREAM, fields(&[]));
    let post = (END_HEADERS, fields(&[(":method", "POST"), ("content-length", "1")]));
    // Some errors end the whole connection at once.
    for ((flags, head), bad, is_of_stream) in [
        (&get, frame(WINDOW_UPDATE, 0, 0, &[0; 4]), false),
        (&get, frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), true),
        (&get, frame(PRIORITY, 0, 0, &[0; 4]), false),
        (&post, frame(DATA, END_STREAM, 0, b"xx"), true),
    ] {
        let target = TestTarget::start(|mut end| while end.request().is_some() {});
        let proxy = TestProxy::before(&target);
        let mut attacker = Attacker::connect(proxy.address());
        let mut bad = bad.clone();
        let (mut sent, mut code) = (0, None);
        for number in 0..5000_u32 {
            let stream = 2 * number + 1;
            bad[5..9].copy_from_slice(&stream.to_be_bytes());
            let request = frame(HEADERS, *flags, stream, head);
            if !attacker.send(&request) || !attacker.send(&bad) {
                break;
            }
            sent += 1;
            // The proxy has to answer it: otherwise the socket holds all of them.
            match attacker.next(&[RST_STREAM, GOAWAY]) {
                Some((RST_STREAM, ..)) => {}
                Some((.., payload)) => {
                    code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
                    break;
                }
                None => break,
            }
        }
        let flooding = || proxy.metrics().listeners["web"].get(Counter::FloodingConnections);
        if is_of_stream {
            assert!((400..2000).contains(&sent), "{sent} resets, {code:?}, {bad:?}");
            assert!(matches!(code, None | Some(ENHANCE_YOUR_CALM)), "{code:?}");
            wait_until("the connection is counted", || flooding() == 1);
        } else {
            assert_eq!((sent, flooding()), (1, 0), "{code:?}");
        }
    }
}

#[test]
fn a_bomb_of_fields_is_refused() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    let address = proxy.address();
    run(async {
        let send = connect(address).await;
        let mut request = get("/");
        // The encoder sends the value once, and then a byte for each field.
        let value: http::HeaderValue = "a".repeat(3000).parse().unwrap();
        let mut bomb = |count: usize| {
            for _ in 0..count {
                request.headers_mut().append("x", value.clone());
            }
            request.clone()
        };
        assert_eq!(ask(&send, bomb(30), &[], None).await.unwrap().status, 431);
        assert_eq!(ask(&send, get("/"), &[], None).await.unwrap().status, 200);
        // Far beyond the limit, the connection ends.
        assert!(ask(&send, bomb(1000), &[], None).await.is_err());
        let send = connect(address).await;
        assert_eq!(ask(&send, get("/"), &[], None).await.unwrap().status, 200);
    });
    assert_eq!(proxy.metrics().listeners["web"].get(Counter::FloodingConnections), 1);
    assert_eq!(target.connections(), 1);
}

/// Nothing of a client of HTTP/2 becomes a line of its own in a request of HTTP/1.1.
#[test]
fn fields_of_http2_cannot_inject_lines() {
    let cases: &[&[(&str, &str)]] = &[
        &[(":path", "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /hidden")],
        &[(":path", "/\r\nx: y")],
        &[(":path", "/a b")],
        &[(":path", "http://b/")],
        &[(":path", "")],
        &[(":authority", "a\r\nx: y")],
        &[(":authority", "u@a")],
        &[(":authority", "a b")],
        &[(":method", "GET / HTTP/1.1\r\nHost: b\r\n\r\nGET")],
        &[(":method", "CONNECT")],
        &[("x", "a\r\n\r\nGET /hidden HTTP/1.1\r\nHost: b")],
        &[("x", "a\nb: c")],
        &[("x", "a\0b")],
        &[("x: y\r\nb", "c")],
        &[("X-Upper", "y")],
        &[("", "y")],
        &[("transfer-encoding", "chunked")],
        &[("connection", "close")],
        &[("upgrade", "h2c")],
        &[("keep-alive", "5")],
        &[("te", "gzip")],
        &[("content-length", "5")],
        &[("content-length", "0"), ("content-length", "5")],
        &[("content-length", "+0")],
        &[(":unknown", "x")],
        &[("x", "y"), (":late", "x")],
        &[("host", "b"), ("host", "c"), (":authority", "")],
    ];
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::before(&target);
    for case in cases {
        let mut attacker = Attacker::connect(proxy.address());
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(case));
        assert!(attacker.send(&request));
        let answer = attacker.next(&[HEADERS, RST_STREAM, GOAWAY]).expect("an answer");
        // Index 12 of the static table is status 400; 405 has no index.
        let is_refused = answer.0 != HEADERS
            || answer.2[0] == 0x8c
            || answer.2.windows(3).any(|part| part == b"405")
            || answer.2.starts_with(&[0x08])
            || answer.2.starts_with(&[0x48]);
        assert!(is_refused, "{case:?}: {answer:?}");
    }
    assert_eq!(target.connections(), 0, "{}", target.text());
}

#[test]
fn a_window_of_nothing_is_cut() {
    let target = TestTarget::answering(OK);
    let mut proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let mut attacker = Attacker::connect(proxy.address());
    // SETTINGS_INITIAL_WINDOW_SIZE.
    attacker.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    attacker.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&[])));
    assert!(attacker.next(&[HEADERS]).is_some());
    assert!(attacker.next(&[RST_STREAM]).is_some());
    assert_eq!(proxy.event().reason, Some("client_write_timeout"));
}

/// A head that is never whole ends with the idle time of the connection.
#[test]
fn a_head_that_never_ends_is_cut() {
    let target = TestTarget::answering(OK);
    let proxy = TestProxy::start(impatient(simple(group("web", &[healthy(target.address)]))));
    let mut attacker = Attacker::connect(proxy.address());
    attacker.send(&frame(HEADERS, END_STREAM, 1, &fields(&[])));
    let begin = std::time::Instant::now();
    while attacker.frames.recv_timeout(LONG).is_ok() {}
    assert!(begin.elapsed() < LONG, "the connection has ended");
    assert_eq!(target.connections(), 0);
}
