//! The TCP probe, and the connections of all probes over TCP.
//!
//! No probe leaves a socket in TIME-WAIT here: 10,000 probes a second, each kept for a minute,
//! would hold 600,000 sockets, more than `tcp_max_tw_buckets` allows. So sockets are closed with a
//! reset (`SO_LINGER` of zero) unless the target has closed first.
//!
//! A reset after the handshake is unkind to a target: its server accepts a connection only to find
//! it broken, and many log that as an error. A TCP probe therefore holds its last ACK back
//! (`TCP_QUICKACK` off before connecting makes Linux delay it by up to 200 ms) and resets first:
//! the target's kernel has answered, as it does for a listening socket with space in its backlog,
//! and its server never wakes up. HAProxy's checks do the same. If a kernel still sends the ACK,
//! the probe is as valid, but the server sees it.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use socket2::SockRef;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout_at},
};

use super::{Outcome, Probe, ProbeVia};

/// Whether the connection is for talking, or only to see that it can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Knock,
    Talk,
}

/// Succeeds when the target's kernel accepts a connection.
pub(super) async fn probe(probe: &Probe, deadline: Instant) -> Outcome {
    match connect(probe, Purpose::Knock, deadline).await {
        Ok(_connection) => Outcome::Success,
        Err(outcome) => outcome,
    }
}

/// Opens a connection that is reset when it is dropped.
pub(super) async fn connect(
    probe: &Probe,
    purpose: Purpose,
    deadline: Instant,
) -> Result<TcpStream, Outcome> {
    let socket = open(probe.address, purpose)
        .map_err(|error| Outcome::unopened("cannot open a socket on this host", &error))?;
    attach_socket(&socket, &probe.via)?;
    let stream = timeout_at(deadline, socket.connect(probe.address))
        .await
        .map_err(|_elapsed| Outcome::timeout(format!("no connection within {:?}", probe.timeout)))?
        .map_err(|error| refusal(&error))?;
    if is_self(&stream, probe.address) {
        return Err(Outcome::failed("connection refused"));
    }
    Ok(stream)
}

fn open(address: SocketAddr, purpose: Purpose) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_zero_linger()?;
    if purpose == Purpose::Knock {
        SockRef::from(&socket).set_tcp_quickack(false)?;
    }
    Ok(socket)
}

/// Starts the connection of a socket.
fn attach_socket(socket: &TcpSocket, via: &ProbeVia) -> Result<(), Outcome> {
    let inconclusive = |detail| Outcome::Inconclusive { detail };
    match via {
        ProbeVia::Address => Ok(()),
        ProbeVia::TunnelProbe(tunnel_probe) => {
            tunnel_probe.attach_socket(socket).map_err(|error| {
                inconclusive(format!("cannot prepare a socket on this host: {error}"))
            })
        }
        ProbeVia::Tunnel(_) => {
            Err(inconclusive("the route was not looked up (this is a bug of xelb)".to_owned()))
        }
    }
}

/// Whether a connection meets itself (simultaneous open, RFC 9293 section 3.5): a free port of this
/// host connects when the kernel happens to choose the same one as the source.
fn is_self(stream: &TcpStream, target: SocketAddr) -> bool {
    stream.local_addr().is_ok_and(|local| local == target)
}

/// What an error of `connect` says about the target, if anything.
fn refusal(error: &io::Error) -> Outcome {
    match error.raw_os_error() {
        Some(
            libc::EADDRNOTAVAIL
            | libc::EACCES
            | libc::EPERM
            | libc::ENOBUFS
            | libc::ENOMEM
            | libc::EINVAL
            | libc::EAFNOSUPPORT,
        ) => Outcome::Inconclusive { detail: format!("cannot connect from this host: {error}") },
        _ => Outcome::failed(describe(error)),
    }
}

/// An error of a socket in the words of people.
pub(super) fn describe(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "connection reset by the target".to_owned()
        }
        ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        ErrorKind::NetworkUnreachable => "network unreachable: no route to the target".to_owned(),
        ErrorKind::TimedOut => "connection timed out in the kernel".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        fs,
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
        time::Duration,
    };

    use lb_config::HealthProtocol;
    use lb_plan::Reason;
    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

    pub(crate) fn probe_of(address: SocketAddr) -> Probe {
        Probe {
            group: "web".to_owned(),
            address,
            via: ProbeVia::Address,
            protocol: HealthProtocol::Tcp,
            timeout: TIMEOUT,
        }
    }

    async fn outcome(address: SocketAddr) -> Outcome {
        probe(&probe_of(address), Instant::now() + TIMEOUT).await
    }

    async fn listener(ip: IpAddr) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Sockets of this machine in TIME-WAIT towards a port. Some may be those of servers whose client had
    /// this port before: compare with the number at the start.
    pub(crate) fn time_waits(port: u16) -> usize {
        const TIME_WAIT: &str = "06";
        let remote = format!(":{port:04X}");
        ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                fields[2].ends_with(&remote) && fields[3] == TIME_WAIT
            })
            .count()
    }

    #[tokio::test]
    async fn a_probe_succeeds_and_does_not_wake_the_server() {
        const WAIT: Duration = Duration::from_millis(50);
        for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
            let (listener, address) = listener(ip).await;
            let before = time_waits(address.port());
            for _ in 0..50 {
                assert_eq!(outcome(address).await, Outcome::Success, "{address}");
            }
            let mut accepted = 0;
            while timeout(WAIT, listener.accept()).await.is_ok() {
                accepted += 1;
            }
            // A machine under load may leave a probe standing until its delayed ACK goes out.
            assert!(accepted <= 2, "the server saw {accepted} of 50 probes");
            assert_eq!(time_waits(address.port()), before, "{address}");
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
            let (listener, address) = listener(ip).await;
            drop(listener);
            let expected = Outcome::failed("connection refused");
            assert_eq!(outcome(address).await, expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_server_that_accepts_nothing_is_a_timeout() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        // Linux admits one connection more than the backlog, then drops SYNs.
        let _listener = socket.listen(0).unwrap();
        let _first = TcpStream::connect(address).await.unwrap();
        let expected = Outcome::Failure {
            reason: Reason::Timeout,
            detail: "no connection within 1s".to_owned(),
        };
        assert_eq!(outcome(address).await, expected);
    }

    #[tokio::test]
    async fn a_connection_to_oneself_is_no_success() {
        // A socket that is bound to the port it connects to meets itself.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let stream = socket.connect(address).await.unwrap();
        assert!(is_self(&stream, address));
        let (_listener, address) = listener(Ipv4Addr::LOCALHOST.into()).await;
        assert!(!is_self(&TcpStream::connect(address).await.unwrap(), address));
    }

    #[test]
    fn faults_of_this_host_are_not_the_targets() {
        // (errno, whether it says something about the target)
        let cases = [
            (libc::ECONNREFUSED, true),
            (libc::ECONNRESET, true),
            (libc::EHOSTUNREACH, true),
            (libc::ENETUNREACH, true),
            (libc::ETIMEDOUT, true),
            (libc::EADDRNOTAVAIL, false),
            (libc::EPERM, false),
            (libc::EACCES, false),
            (libc::ENOBUFS, false),
            (libc::ENOMEM, false),
        ];
        for (errno, expected) in cases {
            let error = io::Error::from_raw_os_error(errno);
            let conclusive = matches!(refusal(&error), Outcome::Failure { .. });
            assert_eq!(conclusive, expected, "{error}");
        }
    }
}
