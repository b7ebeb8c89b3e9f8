//! What a connection of a client begins with: a PROXY protocol header, the preface of HTTP/2, or neither. Bytes are
//! looked at before they are taken, since TLS or HTTP follow.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use lb_http::proxy_protocol::{HEADER_MAX, read};
use tokio::{
    io::{AsyncReadExt as _, ReadBuf},
    net::TcpStream,
    time::sleep,
};

use crate::{
    timer::Timer,
    worker_state::{FIRST_REQUEST_GRACE, ListenerView, OpenConnection},
};

/// How long to wait for more bytes: the kernel says nothing of those that come behind bytes that were not taken.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at the first bytes of a connection. 0 bytes mean its end.
async fn peek(
    open: &OpenConnection,
    stream: &TcpStream,
    timer: &mut Timer,
    bytes: &mut [u8],
) -> io::Result<usize> {
    let count = poll_fn(|cx| {
        open.state.set_idle(true);
        open.state.register(cx);
        let peeked = stream.poll_peek(cx, &mut ReadBuf::new(bytes));
        if peeked.is_ready() {
            return peeked;
        }
        if let Some(since) = open.worker.stopping_since() {
            timer.set(since + FIRST_REQUEST_GRACE);
        }
        timer.poll_expired(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await;
    open.state.set_idle(false);
    count
}

/// Whether a connection in clear begins with the preface of HTTP/2 (RFC 9113, section 3.3). No method of HTTP/1
/// begins so, and its first bytes tell.
pub(crate) async fn begins_http2(
    open: &OpenConnection,
    listener: &ListenerView,
    stream: &TcpStream,
) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    let timeouts = &listener.listener.config.attributes.timeouts;
    let begin = Instant::now();
    let mut timer = Timer::new(begin + timeouts.idle);
    loop {
        let mut bytes = [0; PREFACE.len()];
        let count = peek(open, stream, &mut timer, &mut bytes).await?;
        if count == PREFACE.len() || count == 0 || !PREFACE.starts_with(&bytes[..count]) {
            return Ok(bytes == PREFACE);
        }
        if begin.elapsed() >= timeouts.idle {
            return Err(io::ErrorKind::TimedOut.into());
        }
        sleep(PAUSE).await;
    }
}

/// Takes a PROXY protocol header, and gives its addresses: client, and where it has connected to.
pub(crate) async fn read_proxy_header(
    open: &OpenConnection,
    listener: &ListenerView,
    stream: &mut TcpStream,
) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
    let timeouts = &listener.listener.config.attributes.timeouts;
    let mut timer = Timer::new(Instant::now() + timeouts.handshake);
    let mut bytes = vec![0; HEADER_MAX];
    let begin = Instant::now();
    loop {
        let count = peek(open, stream, &mut timer, &mut bytes).await?;
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header");
        if let Some(header) = read(&bytes[..count]).map_err(|_| invalid())? {
            stream.read_exact(&mut bytes[..header.len]).await?;
            return Ok(header.addresses);
        }
        if count == 0 || begin.elapsed() >= timeouts.handshake {
            return Err(invalid());
        }
        sleep(PAUSE).await;
    }
}
