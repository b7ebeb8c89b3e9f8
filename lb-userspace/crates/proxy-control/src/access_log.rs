//! Writes the access log and the connection log: a thread of its own takes events and writes lines, so that a slow disk or pipe delays
//! no request. Events that find the channel full are lost, and counted by the proxy.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    mem,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use lb_config::LogFormat;
use lb_proxy::{
    LogEvent, alb_attempt_line, alb_line, attempt_json_line, connection_json_line, json_line,
    nlb_line,
};
use thiserror::Error;
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Events that wait to be written, about 500 bytes each.
const EVENTS_MAX: usize = 16_384;
/// Events that are written at once.
const BATCH_MAX: usize = 1_000;
/// How long the last lines may take.
const FINISH_PATIENCE: Duration = Duration::from_secs(2);

/// A file of an access log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogFile {
    /// Standard output.
    Stdout,
    /// This file; lines are appended.
    Path(PathBuf),
}

impl fmt::Display for LogFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => formatter.write_str("standard output"),
            Self::Path(path) => path.display().fmt(formatter),
        }
    }
}

/// Where lines go, and how they look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDestination {
    /// The file.
    pub file: LogFile,
    /// How a line looks.
    pub format: LogFormat,
}

/// Where the lines of each listener go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    /// Those of listeners without a log of their own; `None`: nowhere.
    pub(crate) default: Option<LogDestination>,
    /// Logs of their own, by name of the listener.
    pub(crate) of_listeners: HashMap<Arc<str>, LogDestination>,
    /// Connection logs, by name of the listener.
    pub(crate) of_connections: HashMap<Arc<str>, LogDestination>,
}

impl Destinations {
    fn of(&self, event: &LogEvent) -> Option<&LogDestination> {
        let listener = event.listener();
        match event {
            LogEvent::Attempt(_) => self.of_connections.get(listener),
            _ => self.of_listeners.get(listener).or(self.default.as_ref()),
        }
    }

    fn files(&self) -> HashSet<&LogFile> {
        let own = self.of_listeners.values().chain(self.of_connections.values());
        own.chain(&self.default).map(|it| &it.file).collect()
    }
}

/// A log that cannot be opened.
#[derive(Debug, Error)]
#[error("cannot open the log {file}: {source}")]
pub(crate) struct OpenError {
    file: LogFile,
    #[source]
    source: io::Error,
}

/// Opens logs, also those that are open already; the old ones stay if one fails.
struct Open {
    destinations: Destinations,
    opened: oneshot::Sender<Result<(), OpenError>>,
}

/// The thread that writes, and what it may be told.
#[derive(Debug)]
pub(crate) struct AccessLog {
    commands: mpsc::UnboundedSender<Open>,
    lost: Arc<AtomicU64>,
    ended: oneshot::Receiver<()>,
}

impl AccessLog {
    /// Starts the thread, without any log. Events come through the channel until all its senders are dropped.
    pub(crate) fn start() -> io::Result<(Self, mpsc::Sender<LogEvent>)> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (commands, orders) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            destinations: Destinations::default(),
            sinks: HashMap::new(),
            lost: Arc::clone(&lost),
        };
        let runtime = runtime::Builder::new_current_thread().build()?;
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            runtime.block_on(writer.run(events, orders));
            // Nobody waits if the process ends at once.
            let _waiting = end.send(());
        })?;
        Ok((Self { commands, lost, ended }, sender))
    }

    /// Writes to these logs from now on, all opened anew. With an error, nothing has changed.
    pub(crate) async fn open(&self, destinations: Destinations) -> Result<(), OpenError> {
        let (opened, outcome) = oneshot::channel();
        if self.commands.send(Open { destinations, opened }).is_err() {
            tracing::error!("the thread of the access log has ended; restart the proxy");
        }
        outcome.await.unwrap_or(Ok(()))
    }

    /// Lines that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Waits until all lines are written; the proxy must have ended.
    pub(crate) async fn finish(self) -> u64 {
        if timeout(FINISH_PATIENCE, self.ended).await.is_err() {
            tracing::warn!("the access log takes too long; its last lines are lost");
        }
        self.lost.load(Relaxed)
    }
}

/// An open log.
struct Sink {
    output: Box<dyn Write + Send>,
    /// Lines that are not written yet, and their number.
    pending: Vec<u8>,
    lines: u64,
    has_failed: bool,
}

impl Sink {
    fn open(file: &LogFile) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = match file {
            LogFile::Stdout => Box::new(io::stdout()),
            LogFile::Path(path) => {
                let mut options = OpenOptions::new();
                let file: File = options.append(true).create(true).mode(0o640).open(path)?;
                Box::new(file)
            }
        };
        Ok(Self { output, pending: Vec::new(), lines: 0, has_failed: false })
    }

    /// Writes what is pending; gives the number of lines that are lost.
    fn flush(&mut self, file: &LogFile) -> u64 {
        let lines = mem::take(&mut self.lines);
        if lines == 0 {
            return 0;
        }
        let pending = mem::take(&mut self.pending);
        // What was written of a batch that has failed may end within a line.
        let begin: &[u8] = if self.has_failed { b"\n" } else { b"" };
        let written = self.output.write_all(begin).and_then(|()| self.output.write_all(&pending));
        match written.and_then(|()| self.output.flush()) {
            Ok(()) => {
                self.has_failed = false;
                0
            }
            Err(error) => {
                if !mem::replace(&mut self.has_failed, true) {
                    tracing::error!("cannot write the log {file}: {error}");
                }
                lines
            }
        }
    }
}

struct Writer {
    destinations: Destinations,
    sinks: HashMap<LogFile, Sink>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    async fn run(
        mut self,
        mut events: mpsc::Receiver<LogEvent>,
        mut commands: mpsc::UnboundedReceiver<Open>,
    ) {
        loop {
            tokio::select! {
                biased;
                Some(Open { destinations, opened }) = commands.recv() => {
                    // The caller has given up when the process ends.
                    let _waiting = opened.send(self.open(destinations));
                }
                event = events.recv() => {
                    let Some(event) = event else { return };
                    self.add(&event);
                    for _ in 1..BATCH_MAX {
                        let Ok(event) = events.try_recv() else { break };
                        self.add(&event);
                    }
                    self.flush();
                }
            }
        }
    }

    fn open(&mut self, destinations: Destinations) -> Result<(), OpenError> {
        let open = |file: &LogFile| match Sink::open(file) {
            Ok(sink) => Ok((file.clone(), sink)),
            Err(source) => Err(OpenError { file: file.clone(), source }),
        };
        self.sinks = destinations.files().into_iter().map(open).collect::<Result<_, _>>()?;
        self.destinations = destinations;
        Ok(())
    }

    fn add(&mut self, event: &LogEvent) {
        let destination = self.destinations.of(event);
        let sink = destination.and_then(|it| Some((self.sinks.get_mut(&it.file)?, it.format)));
        let Some((sink, format)) = sink else {
            self.lost.fetch_add(1, Relaxed);
            return;
        };
        // The default log has one format for both kinds: each kind has its line of ELB.
        let line = match (event, format) {
            (LogEvent::Request(event), LogFormat::Json) => json_line(event),
            (LogEvent::Request(event), _) => alb_line(event, &event.listener),
            (LogEvent::Connection(event), LogFormat::Json) => connection_json_line(event),
            (LogEvent::Connection(event), _) => nlb_line(event),
            (LogEvent::Attempt(attempt), LogFormat::Json) => attempt_json_line(attempt),
            (LogEvent::Attempt(attempt), _) => alb_attempt_line(attempt),
        };
        sink.pending.extend_from_slice(line.trim_end_matches('\n').as_bytes());
        sink.pending.push(b'\n');
        sink.lines += 1;
    }

    fn flush(&mut self) {
        let lost = self.sinks.iter_mut().map(|(file, sink)| sink.flush(file)).sum();
        self.lost.fetch_add(lost, Relaxed);
    }
}
