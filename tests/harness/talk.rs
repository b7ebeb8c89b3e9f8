//! Long conversations: connections that stay open and exchange lines, while other things change.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    runtime,
    sync::watch,
    time,
};

use crate::{
    error::{Context as _, Result},
    host::Host,
};

/// Longest that an answer is waited for: by then the connection counts as broken.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest that a port is waited for that was just listened at.
const BIND_LIMIT: Duration = Duration::from_secs(5);

/// A service that answers each line with the name of its host and the line. Ends when dropped.
#[derive(Debug)]
pub struct Listeners {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

fn block_on(future: impl Future<Output = ()>) {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => eprintln!("lab: no runtime: {error}"),
    }
}

impl Listeners {
    /// Starts it on a port of each of these hosts.
    pub fn start(hosts: &[Host], port: u16) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut threads = Vec::new();
        for host in hosts {
            let name: Arc<str> = host.name().into();
            // Before any client comes.
            let listener = host.run(move || -> io::Result<std::net::TcpListener> {
                let listener = bind(port)?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
            let listener =
                listener.context(|| format!("listening on port {port} of {}", host.name()))?;
            let mut stopped = stopped.clone();
            threads.push(host.thread("listener", move || {
                block_on(async move {
                    let Ok(listener) = TcpListener::from_std(listener) else { return };
                    loop {
                        tokio::select! {
                            _ = stopped.changed() => return,
                            Ok((stream, _)) = listener.accept() => {
                                tokio::spawn(answer(stream, Arc::clone(&name)));
                            }
                        }
                    }
                });
            })?);
        }
        Ok(Self { stop, threads })
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        end(self.threads.drain(..));
    }
}

/// Listens on a port. A process that a parallel test is about to start has a copy of a listener
/// that was closed here, until it runs its program; this waits for that.
fn bind(port: u16) -> io::Result<std::net::TcpListener> {
    let begun = Instant::now();
    loop {
        match std::net::TcpListener::bind(("::", port)) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < BIND_LIMIT =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}

fn end(threads: impl Iterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            eprintln!("lab: a thread of a conversation panicked");
        }
    }
}

async fn answer(stream: TcpStream, name: Arc<str>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
        let answer = format!("{name} {line}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}

/// What has come of conversations.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Lines that were answered.
    pub answers: usize,
    /// The longest that an answer took.
    pub longest: Duration,
    /// What broke, one text each.
    pub broken: Vec<String>,
    /// Who answered, once for each connection.
    pub partners: Vec<String>,
}

/// Open connections with continuous traffic; they end when dropped.
#[derive(Debug)]
pub struct OpenConnections {
    stop: watch::Sender<bool>,
    report: Arc<Mutex<Report>>,
    threads: Vec<JoinHandle<()>>,
}

impl OpenConnections {
    /// Opens `count` connections from each of these hosts to a server.
    pub fn start(clients: &[(&Host, SocketAddr)], count: usize) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let report = Arc::new(Mutex::new(Report::default()));
        let mut threads = Vec::new();
        for (client, server) in clients {
            let (server, stopped, report) = (*server, stopped.clone(), Arc::clone(&report));
            threads.push(client.thread("talker", move || {
                block_on(async move {
                    let talks: Vec<_> = (0..count)
                        .map(|number| {
                            let (stopped, report) = (stopped.clone(), Arc::clone(&report));
                            tokio::spawn(async move {
                                if let Err(error) = talk(server, number, stopped, &report).await {
                                    lock(&report).broken.push(error);
                                }
                            })
                        })
                        .collect();
                    for talk in talks {
                        if let Err(error) = talk.await {
                            lock(&report).broken.push(error.to_string());
                        }
                    }
                });
            })?);
        }
        Ok(Self { stop, report, threads })
    }

    /// What has come of them so far.
    #[must_use]
    pub fn report(&self) -> Report {
        lock(&self.report).clone()
    }

    /// Lets them end; says what has come of them.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.stop.send_replace(true);
        end(self.threads.drain(..));
        self.report()
    }
}

impl Drop for OpenConnections {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        end(self.threads.drain(..));
    }
}

fn lock(report: &Mutex<Report>) -> std::sync::MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes an answer.
fn note(report: &Mutex<Report>, took: Duration) {
    let mut report = lock(report);
    report.answers += 1;
    report.longest = report.longest.max(took);
}

/// One conversation; an error says how it broke.
async fn talk(
    server: SocketAddr,
    number: usize,
    stopped: watch::Receiver<bool>,
    report: &Mutex<Report>,
) -> std::result::Result<(), String> {
    // Not all at once.
    time::sleep(Duration::from_millis(2 * number as u64)).await;
    let connecting = time::timeout(PATIENCE, TcpStream::connect(server)).await;
    let stream = connecting.map_err(|_| "no connection".to_owned())?;
    let mut stream = BufReader::new(stream.map_err(|error| format!("connecting: {error}"))?);
    let mut partner = String::new();
    let mut turn = 0;
    while !*stopped.borrow() {
        let line = format!("{number}.{turn}\n");
        let begun = Instant::now();
        let failed = |what: &str| format!("connection {number} to {partner}, line {turn}: {what}");
        stream.write_all(line.as_bytes()).await.map_err(|error| failed(&error.to_string()))?;
        let mut answer = String::new();
        let answered = time::timeout(PATIENCE, stream.read_line(&mut answer)).await;
        let length = answered
            .map_err(|_| failed("no answer"))?
            .map_err(|error| failed(&error.to_string()))?;
        let (name, echo) = answer.split_once(' ').unwrap_or_default();
        if length == 0 || echo != line {
            return Err(failed(&format!("the answer is {answer:?}")));
        }
        if partner.is_empty() {
            name.clone_into(&mut partner);
            lock(report).partners.push(partner.clone());
        }
        note(report, begun.elapsed());
        turn += 1;
        // From 50 to 450 ms, each at its own pace.
        time::sleep(Duration::from_millis(50 + (number as u64 * 37 + turn * 61) % 400)).await;
    }
    Ok(())
}
