//! A worker: one thread with its own runtime, listening sockets, connections and pools.

use std::{
    collections::HashMap,
    io,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    task::{LocalSet, spawn_local},
    time::{MissedTickBehavior, interval, timeout_at},
};

use crate::{
    accept::{AcceptStop, accept},
    counters::WorkerCounters,
    worker_state::{Shared, Worker},
};

/// How often idle connections are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What a worker is asked for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept connections for a listener.
    Listen {
        /// Its name.
        listener: Arc<str>,
        /// A socket that no other worker has.
        socket: TcpListener,
    },
    /// Accept no more connections for a listener.
    Unlisten {
        /// Its name.
        listener: Arc<str>,
    },
    /// Take the snapshot of now, also without a request.
    Refresh,
    /// End.
    Stop {
        /// Connections that are open then are cut.
        deadline: Instant,
        /// Gets what was cut.
        report: oneshot::Sender<StopReport>,
    },
}

/// What was cut when the proxy stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopReport {
    /// Connections of clients that were still open at the deadline.
    pub connections_cut: usize,
    /// Those of them that had a request or a tunnel.
    pub requests_cut: usize,
}

/// A worker as the proxy sees it.
#[derive(Debug)]
pub(crate) struct WorkerHandle {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) thread: JoinHandle<()>,
}

/// Starts a worker.
pub(crate) fn start(number: usize, shared: Arc<Shared>) -> io::Result<WorkerHandle> {
    let (commands, received) = mpsc::unbounded_channel();
    let counters = Arc::new(WorkerCounters::default());
    let own_counters = Arc::clone(&counters);
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let thread = Builder::new().name(format!("proxy-{number}")).spawn(move || {
        let worker = Rc::new(Worker::new(shared, own_counters));
        LocalSet::new().block_on(&runtime, run(&worker, received));
    })?;
    Ok(WorkerHandle { commands, counters, thread })
}

/// Obeys commands until it is told to stop, or its proxy is dropped.
async fn run(worker: &Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut accepting: HashMap<Arc<str>, Vec<Rc<AcceptStop>>> = HashMap::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = ticks.tick() => {
                worker.tick();
                continue;
            }
        };
        match command {
            Some(Command::Listen { listener, socket }) => {
                // A newer snapshot may have removed it already.
                let Some(view) = Worker::listener(&worker.view(), &listener) else { continue };
                match tokio::net::TcpListener::from_std(socket) {
                    Ok(socket) => {
                        let stop = Rc::new(AcceptStop::default());
                        accepting.entry(listener).or_default().push(Rc::clone(&stop));
                        spawn_local(accept(Rc::clone(worker), view, socket, stop));
                    }
                    Err(error) => {
                        tracing::error!(%listener, %error, "a worker cannot use its listening socket");
                    }
                }
            }
            Some(Command::Unlisten { listener }) => {
                for stop in accepting.remove(&listener).into_iter().flatten() {
                    stop.set();
                }
            }
            Some(Command::Refresh) => drop(worker.view()),
            Some(Command::Stop { deadline, report }) => {
                for stop in accepting.values().flatten() {
                    stop.set();
                }
                // The caller may have gone.
                let _ = report.send(stop(worker, deadline).await);
                return;
            }
            None => return,
        }
    }
}

/// Waits until all connections have ended, or the deadline has come.
async fn stop(worker: &Worker, deadline: Instant) -> StopReport {
    // What waits to be accepted is accepted first.
    tokio::task::yield_now().await;
    worker.begin_stop();
    while worker.open_connections().0 > 0 {
        if timeout_at(deadline.into(), worker.ended.notified()).await.is_err() {
            break;
        }
    }
    let (connections_cut, requests_cut) = worker.open_connections();
    StopReport { connections_cut, requests_cut }
}
