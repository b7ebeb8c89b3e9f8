//! A TCP service on many ports of a target: it says whose it is and hangs up.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    error::{Context as _, Result},
    host::Host,
};

/// How often it looks for a connection.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// The running service; ends when dropped.
#[derive(Debug)]
pub struct BannerServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BannerServer {
    /// Starts it on these ports of all addresses of a host.
    pub fn start(host: &Host, ports: &'static [u16]) -> Result<Self> {
        let name = host.name().to_owned();
        let listen = |port: &u16| {
            let listener = TcpListener::bind(("::", *port))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listeners: Vec<TcpListener> = host
            .run(move || ports.iter().map(listen).collect::<io::Result<_>>())
            .context(|| format!("listening on {ports:?} of {name}"))?;
        let (stop, name) = (Arc::new(AtomicBool::new(false)), host.name().to_owned());
        let stopped = Arc::clone(&stop);
        let thread = host.thread("greeter", move || {
            while !stopped.load(Ordering::Relaxed) {
                for (mut stream, _) in listeners.iter().filter_map(|one| one.accept().ok()) {
                    if let Err(error) = stream.write_all(name.as_bytes()) {
                        eprintln!("lab: greeting from {name}: {error}");
                    }
                }
                thread::sleep(LOOK_INTERVAL);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for BannerServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            eprintln!("lab: the thread of a greeter panicked");
        }
    }
}

/// Connects in the namespace of the calling thread; returns the name of the target.
pub fn ask(server: SocketAddr, limit: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut name = String::new();
    stream.read_to_string(&mut name)?;
    Ok(name)
}
