//! The HTTP probe: one GET request over a connection of its own, in TLS if wanted. No HTTP/2, no
//! redirects.

use std::{io, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::{
    Outcome, Probe, Reason,
    tcp::{self, Purpose},
    tls,
};
use crate::config::HttpCheck;

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
            return Outcome::failed(format!("cannot ask for {path:?}: {error}; correct the path"));
        }
    };
    let stream = match tcp::connect(probe, Purpose::Talk, deadline).await {
        Ok(stream) => stream,
        Err(outcome) => return outcome,
    };
    let Some(tls) = &check.tls else {
        return ask(TokioIo::new(stream), request, probe, check, deadline).await;
    };
    match tls::handshake(stream, tls, probe.address.ip(), false, deadline).await {
        Ok(stream) => ask(TokioIo::new(stream), request, probe, check, deadline).await,
        Err(outcome) => outcome,
    }
}

fn request(probe: &Probe, check: &HttpCheck) -> Result<Request<Empty<Bytes>>, http::Error> {
    let host = check.host.clone().unwrap_or_else(|| probe.address.to_string());
    Request::get(&check.path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
}

async fn ask(
    io: impl Read + Write + Unpin,
    request: Request<Empty<Bytes>>,
    probe: &Probe,
    check: &HttpCheck,
    deadline: Instant,
) -> Outcome {
    let answer = exchange(io, request, check, deadline);
    match timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => judge(&answer, check),
        Ok(Err(error)) => Outcome::failed(describe(&error)),
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
}

/// Sends the request and reads the answer.
async fn exchange(
    io: impl Read + Write + Unpin,
    request: Request<Empty<Bytes>>,
    check: &HttpCheck,
    deadline: Instant,
) -> hyper::Result<Answer> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(io).await?;
    let answer = pin!(async move {
        let response = sender.send_request(request).await?;
        let mut answer = Answer { status: response.status().as_u16(), body: Vec::new() };
        // A body that nobody asks for says nothing about the target. One that is asked for may
        // take until just before the probe's end.
        let patience = match check.body {
            None => Instant::now() + BODY_WAIT_MAX,
            Some(_) => deadline.checked_sub(BODY_MARGIN).unwrap_or(deadline),
        };
        let read = read_body(response.into_body(), check.body.as_deref(), &mut answer.body);
        let _late = timeout_at(deadline.min(patience), read).await;
        Ok(answer)
    });
    // The connection is driven here and not in a task of its own, so that dropping the probe drops
    // the socket. It may end before the answer has been picked up.
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _connection)) => answer,
        Either::Right((_end, answer)) => answer.await,
    }
}

/// Reads a body up to its limit, or until it has the text that is looked for.
async fn read_body(mut body: Incoming, wanted: Option<&str>, read: &mut Vec<u8>) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            let room = BODY_BYTES_MAX.saturating_sub(read.len());
            read.extend(data.iter().take(room));
        }
        if read.len() >= BODY_BYTES_MAX || wanted.is_some_and(|text| has(read, text)) {
            return;
        }
    }
}

/// Whether a text stands anywhere in a body.
fn has(body: &[u8], text: &str) -> bool {
    body.windows(text.len().max(1)).any(|bytes| bytes == text.as_bytes())
}

fn judge(answer: &Answer, check: &HttpCheck) -> Outcome {
    let Answer { status, body } = answer;
    if !check.matcher.matches(*status) {
        return Outcome::Failure {
            reason: Reason::ResponseCodeMismatch,
            detail: format!("status {status}, expected {}", check.matcher.shown()),
        };
    }
    match &check.body {
        Some(text) if !has(body, text) => {
            let start =
                String::from_utf8_lossy(body.get(..BODY_SHOWN.min(body.len())).unwrap_or_default());
            Outcome::failed(format!(
                "status {status}, but {text:?} is not in the body, which begins {start:?}"
            ))
        }
        _ => Outcome::Success,
    }
}

/// What went wrong after the connection was made.
fn describe(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    if let Some(cause) = source {
        let cause: &io::Error = cause;
        return tcp::describe(cause);
    }
    if error.is_parse() {
        return format!("the answer is not HTTP/1: {error}");
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "connection closed before a complete response head".to_owned();
    }
    format!("no answer: {error}")
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::{JoinHandle, yield_now},
        time::sleep,
    };

    use crate::config::Matcher;

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
            tls: None,
            host: None,
            path: "/healthz?deep=1".to_owned(),
            matcher: Matcher(vec![(200, 399)]),
            body: None,
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
            => Outcome::failed("the answer is not HTTP/1: invalid HTTP version parsed");
        another_protocol: Server::Answers("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            => Outcome::failed("the answer is not HTTP/1: invalid HTTP version parsed");
        two_lengths: Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
            => Outcome::failed("the answer is not HTTP/1: invalid content-length parsed");
        nothing_is_sent: Server::Holds("") => Outcome::timeout(SILENT);
        head_stops: Server::Holds("HTTP/1.1 200 OK\r\nServer: x\r\n") => Outcome::timeout(SILENT);
        head_drips: Server::Drips("HTTP/1.1 200 OK\r\n", "X: y\r\n") => Outcome::timeout(SILENT);
        head_floods: Server::Repeats("HTTP/1.1 200 OK\r\nX: ", "0123456789abcdef")
            => Outcome::failed("the answer is not HTTP/1: message head is too large");
        headers_flood: Server::Repeats("HTTP/1.1 200 OK\r\n", "X: y\r\n")
            => Outcome::failed("the answer is not HTTP/1: message head is too large");
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
            let possible =
                [Outcome::failed(CUT), Outcome::failed("connection reset by the target")];
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
    async fn the_request_is_what_servers_expect() {
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
    async fn no_time_wait_is_left_here() {
        for answer in [
            Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            Server::Holds("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ] {
            let (address, _task) = answer.start(V4).await;
            for _ in 0..30 {
                assert_eq!(outcome(address).await, Outcome::Success);
            }
            assert_eq!(time_waits(address.port()), 0, "{answer:?}");
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
            let answer = Answer { status: 503, body: Vec::new() };
            assert_eq!(judge(&answer, &check), mismatch(detail));
        }
    }

    #[tokio::test]
    async fn a_path_that_is_none_says_so() {
        let probe = probe_of(SocketAddr::new(V4, 1));
        let check = HttpCheck { path: "no path".to_owned(), ..check() };
        let seen = super::probe(&probe, &check, Instant::now()).await;
        let Outcome::Failure { reason, detail } = seen else {
            panic!("{seen:?}");
        };
        assert_eq!(reason, Reason::FailedHealthChecks);
        assert!(detail.starts_with("cannot ask for \"no path\": "), "{detail}");
    }
}
