//! Floods of numbered datagrams, and the sinks that they end in: what is lost, doubled or in the
//! wrong place is known packet by packet.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

use crate::{
    error::{Context as _, Result},
    host::Host,
};

/// What a socket of a sink keeps while its thread does not run: more than any test sends.
const BUFFER_BYTES: usize = 64 << 20;

/// Longest pause that is made up for by sending faster: a longer one would overflow the queues of
/// the virtual links, which is no fault of the balancer.
const LAG_MAX: Duration = Duration::from_millis(4);

/// How often a waiting thread looks whether it should end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long a datagram may be under way.
const TRAVEL_MAX: Duration = Duration::from_millis(500);

/// A datagram: the number of its flow, and its number in that.
type Numbered = (u32, u32);

/// Where the datagrams end: a socket on a port of each host.
#[derive(Debug)]
pub struct Sinks {
    stop: Arc<AtomicBool>,
    threads: Vec<(String, JoinHandle<Vec<Numbered>>)>,
}

impl Sinks {
    /// Starts them.
    pub fn start(hosts: &[Host], port: u16) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for host in hosts {
            let socket = host.run(move || -> io::Result<UdpSocket> {
                let socket = UdpSocket::bind(("::", port))?;
                setsockopt(&socket, RcvBufForce, &BUFFER_BYTES)?;
                socket.set_read_timeout(Some(LOOK_INTERVAL))?;
                Ok(socket)
            });
            let socket = socket.context(|| format!("a sink at port {port} of {}", host.name()))?;
            let stop = Arc::clone(&stop);
            let thread = host.thread("sink", move || swallow(&socket, &stop))?;
            threads.push((host.name().to_owned(), thread));
        }
        Ok(Self { stop, threads })
    }
}

fn swallow(socket: &UdpSocket, stop: &AtomicBool) -> Vec<Numbered> {
    let mut all = Vec::new();
    let mut datagram = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        while let Ok((8, _)) = socket.recv_from(&mut datagram) {
            let number = |at: usize| {
                u32::from_be_bytes([
                    datagram[at],
                    datagram[at + 1],
                    datagram[at + 2],
                    datagram[at + 3],
                ])
            };
            all.push((number(0), number(4)));
        }
    }
    all
}

/// A flood from several clients; it ends when it is dropped.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<BTreeMap<u32, u32>>>,
}

impl Flood {
    /// From each of these hosts to a server: so many flows, each a datagram every `interval`.
    pub fn start(clients: &[(&Host, SocketAddr)], flows: u32, interval: Duration) -> Result<Self> {
        let mut flood = Self { stop: Arc::default(), threads: Vec::new() };
        for (number, (client, server)) in (0..).zip(clients) {
            let (server, stop) = (*server, Arc::clone(&flood.stop));
            let first: u32 = number * flows;
            let sockets = client.run(move || -> io::Result<Vec<(u32, UdpSocket)>> {
                let open = |flow| Ok((flow, socket_to(server)?));
                (first..first + flows).map(open).collect()
            });
            let sockets = sockets.context(|| format!("a flood from {}", client.name()))?;
            let thread = client.thread("flood", move || send(&sockets, interval, &stop))?;
            flood.threads.push(thread);
        }
        Ok(flood)
    }

    /// Ends it and its sinks; what has come of it.
    #[must_use]
    pub fn finish(mut self, sinks: Sinks) -> Tally {
        let mut sent = BTreeMap::new();
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            sent.extend(thread.join().unwrap_or_default());
        }
        thread::sleep(TRAVEL_MAX);
        sinks.stop.store(true, Ordering::Relaxed);
        let received = sinks.threads.into_iter();
        Tally::count(&sent, received.map(|(host, sink)| (host, sink.join().unwrap_or_default())))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("lab: a thread of a flood panicked");
            }
        }
    }
}

fn socket_to(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => [0, 0, 0, 0].into(),
        SocketAddr::V6(_) => [0_u16; 8].into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

/// How many datagrams each flow has sent. One that the own host refuses (an ICMP error about an
/// earlier one) counts as sent: it is missed where it should have come to.
fn send(sockets: &[(u32, UdpSocket)], interval: Duration, stop: &AtomicBool) -> BTreeMap<u32, u32> {
    let mut sent: BTreeMap<u32, u32> = BTreeMap::new();
    // Flows take turns, so that they do not send all at once.
    let pause = interval / u32::try_from(sockets.len().max(1)).unwrap_or(u32::MAX);
    let mut next = Instant::now();
    'all: loop {
        for (flow, socket) in sockets {
            if stop.load(Ordering::Relaxed) {
                break 'all;
            }
            let now = Instant::now();
            next = next.max(now.checked_sub(LAG_MAX).unwrap_or(now));
            thread::sleep(next.saturating_duration_since(now));
            next += pause;
            let number = sent.entry(*flow).or_default();
            let datagram = [flow.to_be_bytes(), number.to_be_bytes()].concat();
            if let Err(error) = socket.send(&datagram) {
                eprintln!("lab: datagram {number} of flow {flow}: {error}");
            }
            *number += 1;
        }
    }
    sent
}

/// What has come of a flood.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Datagrams that were sent.
    pub sent: usize,
    /// Those that came nowhere, by flow: how many, the first one, and the last one.
    pub lost: BTreeMap<u32, (usize, u32, u32)>,
    /// Those that came more than once.
    pub doubled: usize,
    /// Flows that came to more than one host, and to which.
    pub moved: BTreeMap<u32, Vec<String>>,
    /// Flows by host.
    pub homes: BTreeMap<String, usize>,
}

impl Tally {
    /// How many datagrams came nowhere.
    #[must_use]
    pub fn lost_count(&self) -> usize {
        self.lost.values().map(|(count, _, _)| count).sum()
    }

    fn count(
        sent: &BTreeMap<u32, u32>,
        received: impl Iterator<Item = (String, Vec<Numbered>)>,
    ) -> Self {
        let mut tally = Self::default();
        let mut came: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mut homes: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for (host, datagrams) in received {
            for (flow, number) in datagrams {
                tally.doubled += usize::from(!came.entry(flow).or_default().insert(number));
                let homes = homes.entry(flow).or_default();
                if !homes.contains(&host) {
                    homes.insert(host.clone());
                }
            }
        }
        for (flow, count) in sent {
            tally.sent += *count as usize;
            let came = came.remove(flow).unwrap_or_default();
            let missing: Vec<u32> = (0..*count).filter(|number| !came.contains(number)).collect();
            if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
                tally.lost.insert(*flow, (missing.len(), *first, *last));
            }
        }
        for (flow, homes) in homes {
            for home in &homes {
                *tally.homes.entry(home.clone()).or_default() += 1;
            }
            if homes.len() > 1 {
                tally.moved.insert(flow, homes.into_iter().collect());
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_finds_lost_duplicated_and_moved_packets() {
        let sent = [(1, 3), (2, 4), (3, 1)].into();
        let received = [
            ("t1".to_owned(), vec![(1, 0), (1, 1), (1, 2), (2, 0), (2, 0)]),
            ("t2".to_owned(), vec![(2, 3)]),
        ];
        let tally = Tally::count(&sent, received.into_iter());
        assert_eq!(tally.sent, 8);
        assert_eq!(tally.lost, [(2, (2, 1, 2)), (3, (1, 0, 0))].into());
        assert_eq!((tally.lost_count(), tally.doubled), (3, 1));
        assert_eq!(tally.moved, [(2, vec!["t1".to_owned(), "t2".to_owned()])].into());
        assert_eq!(tally.homes, [("t1".to_owned(), 2), ("t2".to_owned(), 1)].into());
    }
}
