//! The ping: an ICMP echo request (RFC 792, RFC 4443), and its reply.
//!
//! Ping sockets need no right beyond the sysctl `net.ipv4.ping_group_range`; where that does not
//! allow them, a raw socket needs CAP_NET_RAW.

use std::{
    hash::{BuildHasher as _, RandomState},
    io::{self, ErrorKind},
    mem::MaybeUninit,
    net::SocketAddr,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::{Instant, timeout_at},
};

use super::{
    NoDescriptor, Outcome, Probe,
    udp::{self, SENDS},
};

const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

/// Type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// Bytes after the header, which identify a reply: no other process has them.
const TOKEN: usize = 16;

/// Longest reply that is parsed, including an IPv4 header with options.
const REPLY_MAX: usize = 60 + HEADER + TOKEN + 64;

/// Identifiers of raw sockets, so that two of them differ.
static NEXT: AtomicU16 = AtomicU16::new(1);

/// A socket of either kind.
struct Pinger {
    socket: AsyncFd<Socket>,
    v6: bool,
    identifier: u16,
    token: [u8; TOKEN],
}

/// Succeeds when the reply comes.
pub(super) async fn probe(probe: &Probe, deadline: Instant) -> Outcome {
    let pinger = match Pinger::open(probe.address) {
        Ok(pinger) => pinger,
        Err(error) => {
            if let Some(who) = NoDescriptor::of(&error) {
                return Outcome::NoDescriptor(who);
            }
            return Outcome::Inconclusive {
                detail: format!(
                    "cannot ping from this host: {error}; it needs CAP_NET_RAW, or a \
                     net.ipv4.ping_group_range that has the agent's group"
                ),
            };
        }
    };
    let pause: Duration = probe.timeout / SENDS;
    for sequence in 1..=SENDS {
        if let Err(error) = pinger.send(u16::try_from(sequence).unwrap_or(0)).await {
            return udp::judge(&error);
        }
        let until = deadline.min(Instant::now() + pause);
        match timeout_at(until, pinger.reply()).await {
            Ok(Ok(())) => return Outcome::Success,
            Ok(Err(error)) => return udp::judge(&error),
            Err(_elapsed) => {}
        }
    }
    Outcome::timeout(format!("no reply to {SENDS} pings within {:?}", probe.timeout))
}

impl Pinger {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let (domain, protocol) = match address {
            SocketAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            SocketAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(protocol))
            .or_else(|_| Socket::new(domain, Type::RAW.nonblocking(), Some(protocol)))?;
        // Pings have no ports.
        socket.connect(&SockAddr::from(SocketAddr::new(address.ip(), 0)))?;
        let state = RandomState::new();
        let words = [state.hash_one(1), state.hash_one(2)].map(u64::to_ne_bytes);
        let mut token = [0; TOKEN];
        token.copy_from_slice(words.as_flattened());
        let identifier = NEXT.fetch_add(1, Ordering::Relaxed);
        let both = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: the socket is moved in, and keeps its descriptor until it is dropped there.
        let socket = unsafe { AsyncFd::register_with_interest(socket, both) }?;
        Ok(Self { socket, v6: address.is_ipv6(), identifier, token })
    }

    /// Sends a request. The kernel fills the checksum of ICMPv6, and of ping sockets.
    async fn send(&self, sequence: u16) -> io::Result<()> {
        let mut message = [0; HEADER + TOKEN];
        message[0] = if self.v6 { ECHO_REQUEST_V6 } else { ECHO_REQUEST_V4 };
        message[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        message[6..8].copy_from_slice(&sequence.to_be_bytes());
        message[HEADER..].copy_from_slice(&self.token);
        if !self.v6 {
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let send = |socket: &Socket| socket.send(&message);
        self.socket.async_io(Interest::WRITABLE, send).await.map(drop)
    }

    /// Waits for the reply; other packets belong to other processes.
    async fn reply(&self) -> io::Result<()> {
        loop {
            let mut buffer = [MaybeUninit::<u8>::uninit(); REPLY_MAX];
            let receive = |socket: &Socket| socket.recv(&mut buffer);
            let length = match self.socket.async_io(Interest::READABLE, receive).await {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes: Vec<u8> = buffer
                .iter()
                .take(length)
                // SAFETY: the kernel has written so many bytes.
                .map(|byte| unsafe { byte.assume_init() })
                .collect();
            if self.is_reply(&bytes) {
                return Ok(());
            }
        }
    }

    /// Whether bytes are the reply: raw IPv4 sockets get the IP header, too.
    fn is_reply(&self, bytes: &[u8]) -> bool {
        let kind = if self.v6 { ECHO_REPLY_V6 } else { ECHO_REPLY_V4 };
        let message = match bytes.first() {
            Some(first) if !self.v6 && first >> 4 == 4 => {
                bytes.get(usize::from(first & 0xf) * 4..).unwrap_or_default()
            }
            _ => bytes,
        };
        message.first() == Some(&kind) && message.get(HEADER..HEADER + TOKEN) == Some(&self.token)
    }
}

/// The Internet checksum (RFC 1071) of bytes of an even number.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2);
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::tcp::tests::probe_of;

    async fn outcome(ip: IpAddr, timeout: Duration) -> Outcome {
        let probe = Probe { timeout, ..probe_of(SocketAddr::new(ip, 80)) };
        super::probe(&probe, Instant::now() + timeout).await
    }

    #[tokio::test]
    async fn this_host_answers_and_only_its_reply_counts() {
        let second = Duration::from_secs(1);
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            // Many at a time: each must find its own reply.
            let pings = (0..50).map(|_| outcome(ip, second));
            for seen in futures_util::future::join_all(pings).await {
                assert_eq!(seen, Outcome::Success, "{ip}");
            }
        }
    }

    #[tokio::test]
    async fn only_the_own_reply_counts() {
        let pinger = Pinger::open((Ipv4Addr::LOCALHOST, 80).into()).unwrap();
        let mut reply = [0; HEADER + TOKEN];
        reply[HEADER..].copy_from_slice(&pinger.token);
        assert!(pinger.is_reply(&reply));
        let mut raw = vec![0x46; 24];
        raw.extend(reply);
        assert!(pinger.is_reply(&raw), "behind an IP header with options");
        for length in 0..reply.len() {
            assert!(!pinger.is_reply(&reply[..length]), "{length} bytes");
        }
        reply[HEADER] ^= 1;
        assert!(!pinger.is_reply(&reply));
    }
}
