//! A DNS server on a port of loopback, over UDP and TCP. It answers every name alike, as the test says. Tests of
//! the agent use it, too.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With those addresses that have the wanted family, and this time to live.
    Addresses(Vec<IpAddr>, u32),
    /// With a response code.
    Code(u8),
    /// Not at all.
    Silence,
    /// With bytes that are no message.
    Noise,
    /// With a name that is a pointer to itself.
    Loop,
    /// With answers to other queries only.
    Forged,
    /// With such answers, and then with the right one.
    ForgedFirst(Vec<IpAddr>),
}

/// The most that a datagram takes.
const DATAGRAM_MAX: usize = 1232;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    queries: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start(reply: Reply) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let server = Self {
            address: udp.local_addr().unwrap(),
            reply: Arc::new(Mutex::new(reply)),
            queries: Arc::default(),
            connections: Arc::default(),
        };
        let (reply, queries) = (Arc::clone(&server.reply), Arc::clone(&server.queries));
        thread::spawn(move || {
            let mut bytes = [0; 1500];
            while let Ok((length, client)) = udp.recv_from(&mut bytes) {
                queries.fetch_add(1, Relaxed);
                let reply = reply.lock().unwrap().clone();
                for answer in answers(&bytes[..length], &reply) {
                    let fits = answer.len() <= DATAGRAM_MAX;
                    let answer = if fits { answer } else { truncated(&bytes[..length]) };
                    udp.send_to(&answer, client).unwrap();
                }
            }
        });
        let (reply, connections) = (Arc::clone(&server.reply), Arc::clone(&server.connections));
        thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                connections.fetch_add(1, Relaxed);
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut query).unwrap();
                let reply = reply.lock().unwrap().clone();
                for answer in answers(&query, &reply) {
                    let length = u16::try_from(answer.len()).unwrap();
                    stream.write_all(&length.to_be_bytes()).unwrap();
                    stream.write_all(&answer).unwrap();
                }
            }
        });
        server
    }

    /// Answers in another way from now on.
    pub(crate) fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// Queries over UDP until now.
    pub(crate) fn queries(&self) -> usize {
        self.queries.load(Relaxed)
    }

    /// Connections over TCP until now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

/// The query without what follows its question.
fn question(query: &[u8]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += 1 + usize::from(query[end]);
    }
    query[..end + 5].to_vec()
}

/// An answer without records, with these flags.
fn empty(query: &[u8], flags: [u8; 2]) -> Vec<u8> {
    let mut answer = question(query);
    answer[2..4].copy_from_slice(&flags);
    answer[6..12].copy_from_slice(&[0; 6]);
    answer
}

fn truncated(query: &[u8]) -> Vec<u8> {
    empty(query, [0x83, 0x80])
}

fn answers(query: &[u8], reply: &Reply) -> Vec<Vec<u8>> {
    let forged = || {
        let mut other = with(query, &[[10, 6, 6, 6].into()], 60);
        other[0] ^= 0xff;
        let mut asked = question(query);
        asked[2..4].copy_from_slice(&[0x81, 0x80]);
        asked[13] ^= 1;
        vec![other, asked]
    };
    match reply {
        Reply::Addresses(all, ttl) => vec![with(query, all, *ttl)],
        Reply::Code(code) => vec![empty(query, [0x81, 0x80 | code])],
        Reply::Silence => Vec::new(),
        Reply::Noise => {
            let mut noise = vec![0xff; 40];
            noise[..2].copy_from_slice(&query[..2]);
            vec![Vec::new(), noise]
        }
        Reply::Loop => {
            let mut answer = empty(query, [0x81, 0x80]);
            answer[7] = 1;
            let at = u8::try_from(answer.len()).unwrap();
            answer.extend_from_slice(&[0xc0, at, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1]);
            vec![answer]
        }
        Reply::Forged => forged(),
        Reply::ForgedFirst(all) => {
            let mut all_answers = forged();
            all_answers.push(with(query, all, 60));
            all_answers
        }
    }
}

/// An answer with those addresses that have the wanted family.
fn with(query: &[u8], addresses: &[IpAddr], ttl: u32) -> Vec<u8> {
    let asked = question(query);
    let wants_ipv6 = asked[asked.len() - 3] == 28;
    let mut answer = empty(query, [0x81, 0x80]);
    let wanted: Vec<&IpAddr> = addresses.iter().filter(|one| one.is_ipv6() == wants_ipv6).collect();
    answer[6..8].copy_from_slice(&u16::try_from(wanted.len()).unwrap().to_be_bytes());
    for address in wanted {
        let value = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        answer.extend_from_slice(&[0xc0, 12, 0, if wants_ipv6 { 28 } else { 1 }, 0, 1]);
        answer.extend_from_slice(&ttl.to_be_bytes());
        answer.extend_from_slice(&[0, u8::try_from(value.len()).unwrap()]);
        answer.extend_from_slice(&value);
    }
    answer
}
