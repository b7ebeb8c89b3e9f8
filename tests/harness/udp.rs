//! The UDP service of a target, and its client: the answer is the target's name.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    error::{Context as _, Result},
    host::Host,
    topology::VIPS,
};

/// Its port.
pub const PORT: u16 = 5300;

/// The longest datagram.
const LENGTH_MAX: usize = 1 << 16;

/// How often a waiting thread looks whether it should end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Clients that a service has seen, with the VIP that they asked.
type Seen = Arc<Mutex<Vec<(SocketAddr, IpAddr)>>>;

/// The running service; ends when dropped.
#[derive(Debug)]
pub struct Responder {
    stop: Arc<AtomicBool>,
    seen: Seen,
    threads: Vec<JoinHandle<()>>,
}

impl Responder {
    /// Starts it on the VIPs of a target.
    pub fn start(host: &Host) -> Result<Self> {
        Self::start_at(host, &VIPS.map(|vip| (vip, PORT).into()))
    }

    /// Starts it on these addresses of a host, a socket each: answers come from the address that
    /// was asked.
    pub fn start_at(host: &Host, addresses: &[SocketAddr]) -> Result<Self> {
        let mut responder = Self {
            stop: Arc::new(AtomicBool::new(false)),
            seen: Seen::default(),
            threads: Vec::new(),
        };
        for address in addresses.iter().copied() {
            let name = host.name().to_owned();
            let socket = host
                .run(move || UdpSocket::bind(address))
                .context(|| format!("binding to {address}/udp on {name}"))?;
            socket
                .set_read_timeout(Some(LOOK_INTERVAL))
                .context(|| "limiting the wait on a UDP socket".to_owned())?;
            let (stop, seen) = (Arc::clone(&responder.stop), Arc::clone(&responder.seen));
            let thread =
                host.thread("udp", move || serve(&name, address.ip(), &socket, &stop, &seen))?;
            responder.threads.push(thread);
        }
        Ok(responder)
    }

    /// Clients that asked, with the VIP that they asked, one entry a datagram.
    #[must_use]
    pub fn seen(&self) -> Vec<(SocketAddr, IpAddr)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("lab: the thread of a UDP service panicked");
            }
        }
    }
}

fn serve(name: &str, vip: IpAddr, socket: &UdpSocket, stop: &AtomicBool, seen: &Seen) {
    let mut datagram = vec![0; LENGTH_MAX];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut datagram) else {
            // A time-out, or an ICMP error about an earlier answer.
            continue;
        };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push((client, vip));
        let mut answer = format!("{name} ").into_bytes();
        answer.extend_from_slice(&datagram[..length]);
        if let Err(error) = socket.send_to(&answer, client) {
            eprintln!("lab: answering {client} from {name}: {error}");
        }
    }
}

/// Asks the UDP service at `server` from a new port, in the namespace of the calling thread;
/// returns the name of the target that answered.
pub fn ask(server: SocketAddr, question: &str, limit: Duration) -> io::Result<String> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => [0, 0, 0, 0].into(),
        SocketAddr::V6(_) => [0_u16; 8].into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Connected, so the socket accepts answers only from this peer.
    socket.connect(server)?;
    socket.set_read_timeout(Some(limit))?;
    socket.send(question.as_bytes())?;
    let mut datagram = vec![0; LENGTH_MAX];
    let length = socket.recv(&mut datagram)?;
    let answer = String::from_utf8_lossy(&datagram[..length]);
    match answer.split_once(' ') {
        Some((name, echo)) if echo == question => Ok(name.to_owned()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("asked {question:?}, was answered {answer:?}"),
        )),
    }
}
