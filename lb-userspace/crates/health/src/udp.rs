//! The UDP probe: a datagram, and what comes back. An ICMP "port unreachable" is a failure at once;
//! silence is a success unless an answer is expected, or errors have come from the address lately.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use lb_config::UdpCheck;
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::{
    Outcome, Probe, tcp,
    unreachable::{Silence, Unreachables},
};

/// Times that the datagram is sent, evenly over the time of the probe: one that is lost must not
/// condemn a target.
pub(super) const SENDS: u32 = 3;

/// Longest answer that is parsed.
const ANSWER_MAX: usize = 64 * 1024;

/// Time before the end of the probe at which silence is judged.
const MARGIN: Duration = Duration::from_millis(5);

/// Succeeds by what the check says.
pub(super) async fn probe(
    probe: &Probe,
    check: &UdpCheck,
    known: &Unreachables,
    deadline: Instant,
) -> Outcome {
    let began = Instant::now();
    let outcome = exchange(probe, check, deadline).await;
    match outcome {
        Exchanged::Answered => Outcome::Success,
        Exchanged::Other(outcome) => outcome,
        Exchanged::Refused(outcome) => {
            if let Outcome::Failure { detail, .. } = &outcome {
                known.note(probe.address, Instant::now(), detail);
            }
            outcome
        }
        Exchanged::Silent => match known.judge(probe.address, began, Instant::now()) {
            Silence::Believable => Outcome::Success,
            Silence::Refuted(detail) => Outcome::failed(format!("{detail}, as for another probe")),
            Silence::Unclear => Outcome::Inconclusive {
                detail: format!(
                    "a missing answer says nothing while {} refuses other ports, since a host \
                     sends few ICMP errors a second: let the check `expect` an answer",
                    probe.address.ip()
                ),
            },
        },
    }
}

/// What an exchange of datagrams ended with.
enum Exchanged {
    /// An answer came, and it is a good one.
    Answered,
    /// Nothing came, and nothing has to come.
    Silent,
    /// The network, or the host, sent an error.
    Refused(Outcome),
    Other(Outcome),
}

async fn exchange(probe: &Probe, check: &UdpCheck, deadline: Instant) -> Exchanged {
    let socket = match open(probe.address).await {
        Ok(socket) => socket,
        Err(error) => {
            let what = "cannot open a socket on this host";
            return Exchanged::Other(Outcome::unopened(what, &error));
        }
    };
    let end = deadline.checked_sub(MARGIN).unwrap_or(deadline);
    let pause = probe.timeout / SENDS;
    let mut others = 0;
    let mut buffer = vec![0; ANSWER_MAX];
    for turn in 1..=SENDS {
        if let Err(error) = socket.send(&check.payload).await {
            return Exchanged::Refused(judge(&error));
        }
        let until = if turn == SENDS { end } else { end.min(Instant::now() + pause) };
        while let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await {
            let length = match received {
                Ok(length) => length,
                Err(error) => return Exchanged::Refused(judge(&error)),
            };
            let answer = buffer.get(..length).unwrap_or_default();
            match &check.expect {
                Some(wanted) if !has(answer, wanted) => others += 1,
                _ => return Exchanged::Answered,
            }
        }
    }
    match (&check.expect, others) {
        (None, _) => Exchanged::Silent,
        (Some(_), 0) => {
            let detail = format!("no answer within {:?}", probe.timeout);
            Exchanged::Other(Outcome::timeout(detail))
        }
        (Some(_), 1) => Exchanged::Other(Outcome::failed("1 answer, without the expected text")),
        (Some(_), others) => Exchanged::Other(Outcome::failed(format!(
            "{others} answers, none with the expected text"
        ))),
    }
}

async fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
    };
    socket.connect(address).await?;
    Ok(socket)
}

fn has(answer: &[u8], wanted: &[u8]) -> bool {
    answer.windows(wanted.len().max(1)).any(|bytes| bytes == wanted)
}

/// What an error of the socket says about the target.
pub(super) fn judge(error: &io::Error) -> Outcome {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            Outcome::failed("port unreachable (ICMP): no program listens there")
        }
        ErrorKind::PermissionDenied => {
            Outcome::Inconclusive { detail: format!("cannot send from this host: {error}") }
        }
        _ => Outcome::failed(tcp::describe(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::tcp::tests::probe_of;

    const TIMEOUT: Duration = Duration::from_millis(300);

    const LOCAL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

    /// A server that answers the datagrams from the one with this number on; and its address.
    async fn server(ip: IpAddr, from: u32, answer: &'static [u8]) -> SocketAddr {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 64];
            let mut number = 0;
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                number += 1;
                assert_eq!(&buffer[..length], b"ping");
                if number >= from {
                    let _gone = socket.send_to(answer, peer).await;
                }
            }
        });
        address
    }

    async fn outcome(address: SocketAddr, expect: Option<&[u8]>) -> Outcome {
        outcome_knowing(&Unreachables::default(), address, expect).await
    }

    async fn outcome_knowing(
        known: &Unreachables,
        address: SocketAddr,
        expect: Option<&[u8]>,
    ) -> Outcome {
        let check = UdpCheck { payload: b"ping".to_vec(), expect: expect.map(<[u8]>::to_vec) };
        let probe = Probe { timeout: TIMEOUT, ..probe_of(address) };
        super::probe(&probe, &check, known, Instant::now() + TIMEOUT).await
    }

    #[tokio::test]
    async fn answers_are_compared_only_with_an_expected_text() {
        for ip in LOCAL {
            let good = server(ip, 1, b"a pong!").await;
            assert_eq!(outcome(good, Some(b"pong")).await, Outcome::Success);
            assert_eq!(outcome(good, None).await, Outcome::Success);
            // On a busy machine, some come too late to be counted.
            let Outcome::Failure { detail, .. } = outcome(good, Some(b"gong")).await else {
                panic!("a wrong answer is a success");
            };
            assert!(detail.ends_with("the expected text"), "{detail}");
            let lossy = server(ip, 3, b"pong").await;
            assert_eq!(outcome(lossy, Some(b"pong")).await, Outcome::Success, "the third arrives");
        }
    }

    #[tokio::test]
    async fn silence_is_a_success_unless_an_answer_is_expected() {
        for ip in LOCAL {
            let silent = server(ip, u32::MAX, b"").await;
            assert_eq!(outcome(silent, None).await, Outcome::Success);
            let late = Outcome::timeout("no answer within 300ms");
            assert_eq!(outcome(silent, Some(b"pong")).await, late);
        }
    }

    #[tokio::test]
    async fn silence_after_an_error_of_the_address_is_no_success() {
        let known = Unreachables::default();
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let silent = server(ip, u32::MAX, b"").await;
        known.note(silent, Instant::now(), "port unreachable");
        let seen = outcome_knowing(&known, silent, None).await;
        assert_eq!(seen, Outcome::failed("port unreachable, as for another probe"));
        // An answer is believed, whatever came before it.
        let good = server(ip, 1, b"pong").await;
        known.note(good, Instant::now(), "port unreachable");
        assert_eq!(outcome_knowing(&known, good, None).await, Outcome::Success);
        // What a probe sees, others know.
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let closed = socket.local_addr().unwrap();
        drop(socket);
        let begun = Instant::now();
        assert!(matches!(outcome_knowing(&known, closed, None).await, Outcome::Failure { .. }));
        assert!(matches!(known.judge(closed, begun, Instant::now()), Silence::Refuted(_)));
    }

    #[tokio::test]
    async fn a_closed_port_is_a_failure_at_once() {
        for ip in LOCAL {
            let socket = UdpSocket::bind((ip, 0)).await.unwrap();
            let address = socket.local_addr().unwrap();
            drop(socket);
            let begun = Instant::now();
            let seen = outcome(address, None).await;
            assert_eq!(seen, Outcome::failed("port unreachable (ICMP): no program listens there"));
            assert!(begun.elapsed() < TIMEOUT / 2);
        }
    }
}
