//! What all connections of one worker share. It lives on one thread: no lock, no atomic counter.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use lb_rules::sticky::Sessions;
use tokio::sync::{Notify, mpsc};

use crate::{
    compiled::{Compiled, CompiledListener},
    counters::{Counter, CounterSet, WorkerCounters},
    group::WorkerGroup,
    log_event::LogEvent,
};

/// How long a new connection may take for its first request when the proxy stops.
pub(crate) const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(500);

/// What workers share: the snapshot, which is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) compiled: ArcSwap<Compiled>,
    /// Where events of the access log go.
    pub(crate) access_log: Option<mpsc::Sender<LogEvent>>,
    /// Connections of clients that a worker has at most.
    pub(crate) connections_max: usize,
    /// TLS handshakes that a worker makes at a time.
    pub(crate) handshakes_max: usize,
}

/// Sessions by listener and rule.
type GroupSessions = HashMap<(Arc<str>, Arc<str>), Rc<Sessions<usize>>>;

/// A snapshot as one worker sees it.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) compiled: Arc<Compiled>,
    /// In the order of the snapshot.
    pub(crate) groups: Vec<Rc<WorkerGroup>>,
    /// In the order of the snapshot.
    pub(crate) listener_counters: Vec<Arc<CounterSet>>,
    /// Sessions of clients with target groups, by listener and rule.
    group_sessions: RefCell<GroupSessions>,
}

impl View {
    /// The sessions of a rule, which `make` makes when they are first asked for.
    pub(crate) fn group_sessions(
        &self,
        listener: &Arc<str>,
        rule: &Arc<str>,
        make: impl FnOnce() -> Sessions<usize>,
    ) -> Rc<Sessions<usize>> {
        let key = (Arc::clone(listener), Arc::clone(rule));
        let mut sessions = self.group_sessions.borrow_mut();
        Rc::clone(sessions.entry(key).or_insert_with(|| Rc::new(make())))
    }
}

/// A listener as a connection uses it.
#[derive(Debug, Clone)]
pub(crate) struct ListenerView {
    pub(crate) listener: Arc<CompiledListener>,
    pub(crate) counters: Arc<CounterSet>,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<WorkerCounters>,
    view: RefCell<Rc<View>>,
    start: Instant,
    stopping_since: Cell<Option<Instant>>,
    connections: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    next_connection: Cell<u64>,
    /// Groups that have left, and still have requests.
    leaving_groups: RefCell<Vec<Rc<WorkerGroup>>>,
    handshakes: Cell<usize>,
    /// A connection has ended, or a handshake.
    pub(crate) ended: Notify,
    /// The value of `Date`, and when it was made.
    date: RefCell<(Rc<str>, Instant)>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, counters: Arc<WorkerCounters>) -> Self {
        let start = Instant::now();
        let compiled = shared.compiled.load_full();
        let view = make_view(compiled, None, &counters, start);
        Self {
            shared,
            counters,
            view: RefCell::new(Rc::new(view)),
            start,
            stopping_since: Cell::new(None),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            leaving_groups: RefCell::default(),
            handshakes: Cell::new(0),
            ended: Notify::new(),
            date: RefCell::new((date(), start)),
        }
    }

    /// The snapshot of now.
    pub(crate) fn view(&self) -> Rc<View> {
        let current = self.shared.compiled.load();
        if Arc::ptr_eq(&self.view.borrow().compiled, &current) {
            return Rc::clone(&self.view.borrow());
        }
        let compiled = Arc::clone(&current);
        let old = Rc::clone(&self.view.borrow());
        let view = Rc::new(make_view(compiled, Some(&old), &self.counters, self.start));
        *self.view.borrow_mut() = Rc::clone(&view);
        let names: HashSet<&str> = view.groups.iter().map(|group| group.name.as_ref()).collect();
        let has_left = |group: &&Rc<WorkerGroup>| !names.contains(group.name.as_ref());
        for group in old.groups.iter().filter(has_left) {
            if group.leave() {
                self.leaving_groups.borrow_mut().push(Rc::clone(group));
            }
        }
        view
    }

    /// A listener in a snapshot; `None` if it has left.
    pub(crate) fn listener(view: &View, name: &str) -> Option<ListenerView> {
        let place = view.compiled.listener(name)?;
        Some(ListenerView {
            listener: Arc::clone(view.compiled.listeners.get(place)?),
            counters: Arc::clone(view.listener_counters.get(place)?),
        })
    }

    /// Periodic work.
    pub(crate) fn tick(&self) {
        let view = self.view();
        let now = Instant::now();
        let mut leaving = self.leaving_groups.borrow_mut();
        leaving.retain(|group| group.has_requests());
        for group in view.groups.iter().chain(leaving.iter()) {
            group.tick(now);
        }
    }

    /// The value of `Date`.
    pub(crate) fn date(&self) -> Rc<str> {
        let mut cached = self.date.borrow_mut();
        if cached.1.elapsed() >= Duration::from_secs(1) {
            *cached = (date(), Instant::now());
        }
        Rc::clone(&cached.0)
    }

    /// Sends an event of the access log; a full channel loses it.
    pub(crate) fn log(&self, event: LogEvent) {
        if let Some(channel) = &self.shared.access_log
            && channel.try_send(event).is_err()
        {
            self.counters.total.add(Counter::LostLogLines, 1);
        }
    }

    /// When [`Self::begin_stop`] was called.
    pub(crate) fn stopping_since(&self) -> Option<Instant> {
        self.stopping_since.get()
    }

    /// Lets connections end: idle ones at once, the others after their response.
    pub(crate) fn begin_stop(&self) {
        self.stopping_since.set(Some(Instant::now()));
        for connection in self.connections.borrow().values() {
            connection.wake();
        }
        for group in &self.view().groups {
            group.close_idle();
        }
    }

    /// Number of connections, and of those that are not idle.
    pub(crate) fn open_connections(&self) -> (usize, usize) {
        let connections = self.connections.borrow();
        (connections.len(), connections.values().filter(|one| !one.is_idle.get()).count())
    }

    /// Whether another connection may be accepted.
    pub(crate) fn has_capacity(&self) -> bool {
        self.connections.borrow().len() < self.shared.connections_max
    }

    /// Whether another handshake may begin; [`Self::end_handshake`] must follow.
    pub(crate) fn begin_handshake(&self) -> bool {
        let is_allowed = self.handshakes.get() < self.shared.handshakes_max;
        if is_allowed {
            self.handshakes.set(self.handshakes.get() + 1);
        }
        is_allowed
    }

    pub(crate) fn end_handshake(&self) {
        self.handshakes.set(self.handshakes.get().saturating_sub(1));
        self.ended.notify_one();
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open(self: &Rc<Self>) -> OpenConnection {
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        let state = Rc::new(ConnectionState::default());
        self.connections.borrow_mut().insert(number, Rc::clone(&state));
        self.counters.total.add(Counter::NewConnections, 1);
        OpenConnection { worker: Rc::clone(self), number, state }
    }
}

/// What a worker knows of a connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    is_idle: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Whether the connection waits for a request.
    pub(crate) fn set_idle(&self, is_idle: bool) {
        self.is_idle.set(is_idle);
    }

    /// Lets the worker wake the task that is polled.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    pub(crate) worker: Rc<Worker>,
    number: u64,
    pub(crate) state: Rc<ConnectionState>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().remove(&self.number);
        self.worker.counters.total.add(Counter::ClosedConnections, 1);
        self.worker.ended.notify_one();
    }
}

/// Groups that stay keep their state.
fn make_view(
    compiled: Arc<Compiled>,
    old: Option<&View>,
    counters: &Arc<WorkerCounters>,
    start: Instant,
) -> View {
    let old_groups: HashMap<&str, &Rc<WorkerGroup>> = old
        .map(|view| view.groups.iter().map(|group| (group.name.as_ref(), group)).collect())
        .unwrap_or_default();
    let groups = compiled.groups.iter().zip(&compiled.loads).map(|(config, loads)| {
        if let Some(group) = old_groups.get(config.name.as_str()) {
            group.update(Arc::clone(config), loads);
            return Rc::clone(group);
        }
        Rc::new(WorkerGroup::new(Arc::clone(config), loads, Arc::clone(counters), start))
    });
    let groups = groups.collect();
    let listener_counters =
        compiled.listeners.iter().map(|listener| counters.listener(&listener.name)).collect();
    View { compiled, groups, listener_counters, group_sessions: RefCell::default() }
}

fn date() -> Rc<str> {
    httpdate::fmt_http_date(SystemTime::now()).into()
}
