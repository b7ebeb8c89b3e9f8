//! The HTTP probe, against servers of every kind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lb_config::{Matcher, ReportPlace};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
    time::sleep,
};

use super::{
    tcp::tests::{TIMEOUT, probe_of, time_waits},
    *,
};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What a server does with each connection.
#[derive(Clone, Copy, Debug)]
enum Server {
    /// Reads the request, sends this, closes.
    Answers(&'static str),
    /// Reads the request, sends the first, then the second for ever.
    Repeats(&'static str, &'static str),
    /// The same, with a pause after each.
    Drips(&'static str, &'static str),
    /// Sends this and keeps the connection open.
    Holds(&'static str),
    /// Closes without reading anything.
    Closes,
    /// Resets without reading anything.
    Resets,
}

impl Server {
    async fn start(self, ip: IpAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Ends when the client has gone.
                let _gone = self.serve(stream).await;
            }
        });
        (address, task)
    }

    async fn serve(self, mut stream: TcpStream) -> io::Result<()> {
        match self {
            Self::Closes => return Ok(()),
            Self::Resets => return stream.set_zero_linger(),
            _ => {}
        }
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await?);
        }
        let (head, again, pause) = match self {
            Self::Answers(text) => return stream.write_all(text.as_bytes()).await,
            Self::Holds(text) => (text, "", Duration::from_millis(20)),
            Self::Repeats(head, again) => (head, again, Duration::ZERO),
            Self::Drips(head, again) => (head, again, Duration::from_millis(20)),
            Self::Closes | Self::Resets => return Ok(()),
        };
        stream.write_all(head.as_bytes()).await?;
        while stream.try_read(&mut [0]).is_err() {
            stream.write_all(again.as_bytes()).await?;
            // Even a sleep of no time takes a millisecond.
            if pause.is_zero() {
                yield_now().await;
            } else {
                sleep(pause).await;
            }
        }
        Ok(())
    }
}

async fn outcome(address: SocketAddr) -> Outcome {
    probe(&probe_of(address), &check(), Instant::now() + TIMEOUT).await
}

fn check() -> HttpCheck {
    HttpCheck {
        http2: false,
        tls: None,
        host: None,
        path: "/healthz?deep=1".to_owned(),
        matcher: Matcher(vec![(200, 399)]),
        body: None,
        reports: Vec::new(),
    }
}

async fn expect(server: Server, ip: IpAddr, expected: Outcome) {
    let (address, task) = server.start(ip).await;
    let begin = Instant::now();
    assert_eq!(outcome(address).await, expected, "{server:?} on {ip}");
    let took = begin.elapsed();
    assert!(took < TIMEOUT * 2, "{server:?}: {took:?}");
    task.abort();
}

fn mismatch(detail: &str) -> Outcome {
    Outcome::Failure { reason: Reason::ResponseCodeMismatch, detail: detail.to_owned() }
}

macro_rules! servers {
    ($($name:ident: $server:expr => $outcome:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            expect($server, V4, $outcome).await;
            expect($server, V6, $outcome).await;
        }
    )*};
}

const SILENT: &str = "connected, but no complete response head within 1s";
const CUT: &str = "connection closed before a complete response head";

servers! {
    healthy: Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") => Outcome::Success;
    redirect_is_not_followed: Server::Answers("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n")
        => Outcome::Success;
    http_1_0: Server::Answers("HTTP/1.0 204 No Content\r\n\r\n") => Outcome::Success;
    wrong_status: Server::Answers("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        => mismatch("status 503, expected 200-399");
    status_below: Server::Answers("HTTP/1.1 199 Odd\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 No\r\n\r\n")
        => mismatch("status 404, expected 200-399");
    body_is_cut: Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok") => Outcome::Success;
    body_never_ends: Server::Repeats("HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef")
        => Outcome::Success;
    body_never_comes: Server::Holds("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        => Outcome::Success;
    garbage: Server::Answers("\u{15}\u{3}\u{1}\0\u{2}\u{2}(")
        => Outcome::failed("the answer is TLS, not HTTP/1: use `protocol: https`");
    another_protocol: Server::Answers("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        => Outcome::failed("the answer is not HTTP/1: it begins \"SSH-2.0-OpenSSH_9.2p1 Debian-2\"");
    two_lengths: Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        => Outcome::failed("the answer's header content-length contradicts another one: \"2\"");
    malformed_fields_are_passed_over: Server::Answers(
        "HTTP/1.1 200 OK\r\nServer : x\r\nX: a\r\n b\r\nno field\r\nY: \u{1}\r\nContent-Length: 0\r\n\r\n"
    ) => Outcome::Success;
    status_is_no_number: Server::Answers("HTTP/1.1 OK\r\n\r\n")
        => Outcome::failed("the answer's first line is not a status line of HTTP/1: \"HTTP/1.1 \
                            OK\"");
    nothing_is_sent: Server::Holds("") => Outcome::timeout(SILENT);
    head_stops: Server::Holds("HTTP/1.1 200 OK\r\nServer: x\r\n") => Outcome::timeout(SILENT);
    head_drips: Server::Drips("HTTP/1.1 200 OK\r\n", "X: y\r\n") => Outcome::timeout(SILENT);
    head_floods: Server::Repeats("HTTP/1.1 200 OK\r\nX: ", "0123456789abcdef")
        => Outcome::failed("the head of the answer has more than 16 KiB or 100 fields");
    headers_flood: Server::Repeats("HTTP/1.1 200 OK\r\n", "X: y\r\n")
        => Outcome::failed("the head of the answer has more than 16 KiB or 100 fields");
    interim_answers_for_ever: Server::Repeats("", "HTTP/1.1 100 Continue\r\n\r\n")
        => Outcome::timeout(SILENT);
    head_is_cut: Server::Answers("HTTP/1.1 200 OK\r\nServ") => Outcome::failed(CUT);
    empty_answer: Server::Answers("") => Outcome::failed(CUT);
    resets: Server::Resets => Outcome::failed("connection reset by the target");
}

#[tokio::test]
async fn closes_at_once() {
    // Whether the request still gets out decides how the end looks.
    for ip in [V4, V6] {
        let (address, _task) = Server::Closes.start(ip).await;
        let seen = outcome(address).await;
        let possible = [Outcome::failed(CUT), Outcome::failed("connection reset by the target")];
        assert!(possible.contains(&seen), "{seen:?}");
    }
}

#[tokio::test]
async fn refused() {
    for ip in [V4, V6] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(outcome(address).await, Outcome::failed("connection refused"));
    }
}

#[tokio::test]
async fn the_request_has_the_documented_form() {
    for (ip, host) in [(V4, "127.0.0.1"), (V6, "[::1]")] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asking = tokio::spawn(outcome(address));
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        let expected = format!(
            "GET /healthz?deep=1 HTTP/1.1\r\nhost: {host}:{}\r\nuser-agent: xelb-health-check/{}\r\n\
             accept: */*\r\nconnection: close\r\n\r\n",
            address.port(),
            env!("CARGO_PKG_VERSION"),
        );
        assert_eq!(str::from_utf8(&request[..length]).unwrap(), expected);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        drop(stream);
        assert_eq!(asking.await.unwrap(), Outcome::Success);
    }
}

#[tokio::test]
async fn a_body_without_the_text_is_shown_with_how_it_ended() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let long: &'static str = "0123456789abcdef".repeat(4096).leak();
    let wrong = Outcome::failed;
    let late = |detail: &str| Outcome::timeout(detail.to_owned());
    for (server, expected) in [
        (
            Server::Holds("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nrea"),
            late(
                "status 200, but the body has not ended within 1s, and \"ready\" has not arrived; \
                 the body begins \"rea\"",
            ),
        ),
        (
            Server::Holds(head),
            late(
                "status 200, but the body has not ended within 1s, and \"ready\" has not arrived; \
                 no part of the body has arrived",
            ),
        ),
        (
            Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"),
            wrong("status 200, but the body ends early before \"ready\"; the body begins \"ok\""),
        ),
        (
            Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            wrong("status 200, but \"ready\" is not in the body, which begins \"ok\""),
        ),
        (
            Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            wrong("status 200, but \"ready\" is not in the body, which is empty"),
        ),
        (
            Server::Repeats("HTTP/1.1 200 OK\r\n\r\n", long),
            wrong(&format!(
                "status 200, but \"ready\" is not in the first 64 KiB of the body, which begins \
                 {:?}",
                &long[..BODY_SHOWN]
            )),
        ),
        (Server::Drips("HTTP/1.1 200 OK\r\n\r\nr", "eady"), Outcome::Success),
    ] {
        let (address, _task) = server.start(V4).await;
        let check = HttpCheck { body: Some("ready".to_owned()), ..check() };
        let seen = probe(&probe_of(address), &check, Instant::now() + TIMEOUT).await;
        assert_eq!(seen, expected, "{server:?}");
    }
}

#[tokio::test]
async fn no_time_wait_is_left_here() {
    for answer in [
        Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        Server::Holds("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ] {
        let (address, _task) = answer.start(V4).await;
        let before = time_waits(address.port());
        for _ in 0..30 {
            assert_eq!(outcome(address).await, Outcome::Success);
        }
        assert_eq!(time_waits(address.port()), before, "{answer:?}");
    }
}

#[tokio::test]
async fn the_outcome_names_what_was_expected() {
    let cases = [
        (vec![(200, 200)], "status 503, expected 200"),
        (vec![(200, 299), (404, 404)], "status 503, expected 200-299,404"),
    ];
    for (ranges, detail) in cases {
        let check = HttpCheck { matcher: Matcher(ranges), ..check() };
        let answer = Answer { status: 503, ..Answer::default() };
        assert_eq!(judge(&answer, &check, TIMEOUT), mismatch(detail));
    }
}

#[tokio::test]
async fn an_invalid_path_is_reported() {
    let probe = probe_of(SocketAddr::new(V4, 1));
    let check = HttpCheck { path: "no path".to_owned(), ..check() };
    let seen = super::probe(&probe, &check, Instant::now()).await;
    let Outcome::Failure { reason, detail } = seen else {
        panic!("{seen:?}");
    };
    assert_eq!(reason, Reason::FailedHealthChecks);
    assert!(detail.starts_with("cannot request \"no path\": "), "{detail}");
}

#[tokio::test]
async fn a_target_of_http2_is_asked_over_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                assert_eq!(request.uri().path_and_query().unwrap(), "/healthz?deep=1");
                assert!(request.uri().authority().is_some());
                Ok::<_, io::Error>(http::Response::new(http_body_util::Full::<Bytes>::from(
                    "ready",
                )))
            });
            // It speaks nothing else.
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    let check = HttpCheck { http2: true, body: Some("ready".to_owned()), ..check() };
    let ask =
        |check| async move { probe(&probe_of(address), &check, Instant::now() + TIMEOUT).await };
    assert_eq!(ask(check.clone()).await, Outcome::Success);
    let found = ask(HttpCheck { body: Some("other".to_owned()), ..check.clone() }).await;
    assert!(matches!(found, Outcome::Failure { .. }), "{found:?}");
    let found = ask(HttpCheck { matcher: Matcher(vec![(300, 399)]), ..check.clone() }).await;
    assert_eq!(found, mismatch("status 200, expected 300-399"));
    let found = ask(HttpCheck { http2: false, ..check }).await;
    assert!(matches!(found, Outcome::Failure { .. }), "{found:?}");
    // A server of HTTP/1 is not taken for one of HTTP/2.
    let (address, task) = Server::Answers("HTTP/1.1 200 OK\r\n\r\n").start(V4).await;
    let check = HttpCheck { http2: true, ..self::check() };
    let found = probe(&probe_of(address), &check, Instant::now() + TIMEOUT).await;
    assert!(matches!(found, Outcome::Failure { .. }), "{found:?}");
    task.abort();
}

/// A target that reports something else than a number is as healthy as one that does.
#[tokio::test]
async fn what_a_target_reports_comes_with_its_success() {
    let of = |place: ReportPlace| HttpCheck { reports: vec![("cpu".to_owned(), place)], ..check() };
    let (header, json) =
        (ReportPlace::Header("x-load".to_owned()), ReportPlace::Json("load".to_owned()));
    for (check, answer, expected) in [
        (of(header.clone()), "HTTP/1.1 200 OK\r\nX-Load: 0.7\r\n\r\n", Ok(Some("0.7"))),
        (of(header), "HTTP/1.1 200 OK\r\n\r\n", Ok(None)),
        (of(json.clone()), "HTTP/1.1 200 OK\r\n\r\n{\"load\": 0.7}", Ok(Some("0.7"))),
        (
            HttpCheck { body: Some("lo".to_owned()), ..of(json.clone()) },
            "HTTP/1.1 200 OK\r\n\r\n{\"load\": 0.7}",
            Ok(Some("0.7")),
        ),
        (of(json), "HTTP/1.1 200 OK\r\n\r\n", Err("the body is no JSON: ")),
    ] {
        let (address, task) = Server::Answers(answer).start(V4).await;
        let outcome = probe(&probe_of(address), &check, Instant::now() + TIMEOUT).await;
        task.abort();
        let Outcome::Reported(reports) = outcome else { panic!("{answer}: {outcome:?}") };
        match (&reports[0].text, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text.as_deref(), expected, "{answer}"),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (text, _) => panic!("{answer}: {text:?}"),
        }
    }
}
