//! Targets that do what a test says, clients that send raw bytes, and snapshots.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use lb_proxy::{
    AccessEvent, ConnectionEvent, Group, GroupAttributes, Listener, ListenerAttributes, LogEvent,
    Metrics, Proxy, ProxyOptions, Snapshot, StopReport, Target,
    choice::{Health, Settings},
};
use lb_rules::{
    Action, Index, ListenerEnd, Protocol, Rule, RuleSet,
    sticky::{Keys, SameSite},
};
use tokio::sync::mpsc;

/// No wait of a test is longer; a busy machine is not slower than that.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A target. Each connection has a thread that runs a script.
pub(crate) struct TestTarget {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Every byte that has arrived.
    pub(crate) received: Arc<Mutex<Vec<u8>>>,
}

/// A connection as the script of a target sees it.
pub(crate) struct TargetEnd {
    pub(crate) stream: TcpStream,
    /// 0 for the first connection.
    pub(crate) number: usize,
    pub(crate) received: Arc<Mutex<Vec<u8>>>,
    rest: Vec<u8>,
}

impl TestTarget {
    /// Starts a target.
    pub(crate) fn start(script: impl Fn(TargetEnd) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (counter, store) = (Arc::clone(&connections), Arc::clone(&received));
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let (script, received) = (Arc::clone(&script), Arc::clone(&store));
                let end = TargetEnd { stream, number, received, rest: Vec::new() };
                thread::spawn(move || script(end));
            }
        });
        Self { address, connections, received }
    }

    /// A target that answers every request with the same bytes.
    pub(crate) fn answering(response: &str) -> Self {
        let response = response.to_owned();
        Self::start(move |mut end| {
            while end.request().is_some() {
                end.send(&response);
            }
        })
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What has arrived so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }
}

impl TargetEnd {
    /// Reads a request with a body of stated length or in chunks; `None` at the end.
    pub(crate) fn request(&mut self) -> Option<String> {
        let head = self.read_until(b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let mut message = head;
        if let Some(length) = field(&text, "content-length") {
            let length: usize = length.parse().unwrap();
            message.extend(self.read_exactly(length)?);
        } else if field(&text, "transfer-encoding").is_some() {
            message.extend(self.read_until(b"\r\n0\r\n\r\n")?);
        }
        Some(String::from_utf8_lossy(&message).into_owned())
    }

    /// Sends bytes; the peer may have left.
    pub(crate) fn send(&mut self, bytes: &str) {
        drop(self.stream.write_all(bytes.as_bytes()));
    }

    fn read_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                let rest = self.rest.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.rest, rest));
            }
            self.read_more()?;
        }
    }

    fn read_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.rest.len() < length {
            self.read_more()?;
        }
        let rest = self.rest.split_off(length);
        Some(std::mem::replace(&mut self.rest, rest))
    }

    fn read_more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 65_536];
        let count = self.stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        self.received.lock().unwrap().extend_from_slice(&buffer[..count]);
        self.rest.extend_from_slice(&buffer[..count]);
        Some(())
    }
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LONG, "it did not happen in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The value of a field in the text of a head.
pub(crate) fn field<'head>(head: &'head str, name: &str) -> Option<&'head str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A client.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    rest: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, rest: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// Reads one response: head and body, decoded from chunks.
    pub(crate) fn response(&mut self) -> Response {
        let head = String::from_utf8_lossy(&self.read_until(b"\r\n\r\n")).into_owned();
        let status: u16 = head.split(' ').nth(1).unwrap_or_default().parse().expect(&head);
        let body = if status < 200 || status == 204 || status == 304 {
            Vec::new()
        } else if let Some(length) = field(&head, "content-length") {
            self.read_exactly(length.parse().unwrap())
        } else if field(&head, "transfer-encoding").is_some() {
            self.read_chunks()
        } else {
            self.read_to_end()
        };
        Response { status, head, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Reads the head of a response without a body, such as one to HEAD.
    pub(crate) fn head(&mut self) -> String {
        String::from_utf8_lossy(&self.read_until(b"\r\n\r\n")).into_owned()
    }

    /// Everything until the connection ends; a reset ends it, too.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.rest);
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = self.stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        bytes
    }

    /// Whether the proxy ends the connection in order, with nothing more on it.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.rest.is_empty() && matches!(self.stream.read(&mut [0]), Ok(0))
    }

    fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.read_until(b"\r\n");
            let line = String::from_utf8_lossy(&line);
            let length = usize::from_str_radix(line.trim(), 16).expect("the size of a chunk");
            if length == 0 {
                while self.read_until(b"\r\n") != b"\r\n" {}
                return body;
            }
            body.extend(self.read_exactly(length));
            self.read_exactly(2);
        }
    }

    pub(crate) fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                let rest = self.rest.split_off(at + end.len());
                return std::mem::replace(&mut self.rest, rest);
            }
            self.read_more();
        }
    }

    pub(crate) fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        while self.rest.len() < length {
            self.read_more();
        }
        let rest = self.rest.split_off(length);
        std::mem::replace(&mut self.rest, rest)
    }

    fn read_more(&mut self) {
        let mut buffer = vec![0; 65_536];
        let count = self.stream.read(&mut buffer).expect("bytes of the proxy");
        let so_far = String::from_utf8_lossy(&self.rest).into_owned();
        assert!(count > 0, "the proxy has closed the connection after {so_far:?}");
        self.rest.extend_from_slice(&buffer[..count]);
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One request over a connection of its own.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Response {
    let mut client = Client::connect(address);
    client.send(request);
    client.response()
}

/// A target as the agent says it.
pub(crate) fn healthy(address: SocketAddr) -> Target {
    Target { address, weight: 1, health: Health::Healthy }
}

/// A target group.
pub(crate) fn group(name: &str, targets: &[Target]) -> Group {
    Group {
        name: name.to_owned(),
        targets: targets.to_vec(),
        choice: Settings::default(),
        stickiness: None,
        tls: None,
        attributes: GroupAttributes { connect_timeout: LONG, ..GroupAttributes::default() },
    }
}

/// A listener on a free port.
pub(crate) fn listener(name: &str, rules: Vec<Rule>, default_action: Action) -> Listener {
    let end = ListenerEnd { protocol: Protocol::Http, port: 80 };
    let rules = RuleSet::new(rules, default_action, end).unwrap();
    Listener {
        name: name.to_owned(),
        address: "127.0.0.1:0".parse().unwrap(),
        rules: Arc::new(Index::new(rules).unwrap()),
        tls: None,
        certificates: None,
        attributes: ListenerAttributes::default(),
        same_site: SameSite::Lax,
    }
}

/// A snapshot.
pub(crate) fn snapshot(listeners: Vec<Listener>, groups: Vec<Group>) -> Snapshot {
    let sticky_keys = Keys::new([7; 32], Vec::new());
    Snapshot { revision: 1, listeners, groups, sticky_keys }
}

/// A group with short timeouts; nothing else in these tests takes so long.
pub(crate) fn impatient(mut snapshot: Snapshot) -> Snapshot {
    let short = Duration::from_millis(300);
    for listener in &mut snapshot.listeners {
        let timeouts = &mut listener.attributes.timeouts;
        (timeouts.head, timeouts.idle, timeouts.linger) = (short, short, short);
    }
    snapshot
}

/// One listener that forwards to one group.
pub(crate) fn simple(group: Group) -> Snapshot {
    let action = Action::forward(&group.name);
    snapshot(vec![listener("web", Vec::new(), action)], vec![group])
}

/// A running proxy, its events, and what its test asks it for.
pub(crate) struct TestProxy {
    pub(crate) proxy: Proxy,
    events: mpsc::Receiver<LogEvent>,
}

impl TestProxy {
    /// A proxy with one worker.
    pub(crate) fn start(snapshot: Snapshot) -> Self {
        Self::with_workers(snapshot, 1)
    }

    pub(crate) fn with_workers(snapshot: Snapshot, workers: usize) -> Self {
        Self::taking_over(snapshot, workers, Vec::new())
    }

    /// A proxy with the listening sockets of another one.
    pub(crate) fn taking_over(
        snapshot: Snapshot,
        workers: usize,
        sockets: Vec<TcpListener>,
    ) -> Self {
        let (access_log, events) = mpsc::channel(10_000);
        let options =
            ProxyOptions { workers, access_log: Some(access_log), ..ProxyOptions::default() };
        Self { proxy: Proxy::take_over(&options, snapshot, sockets).unwrap(), events }
    }

    /// A proxy in front of one target, with one worker.
    pub(crate) fn before(target: &TestTarget) -> Self {
        Self::start(simple(group("web", &[healthy(target.address)])))
    }

    /// Where listener `web` is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.local_address("web").unwrap()
    }

    /// The next event of the access log, of a request.
    pub(crate) fn event(&mut self) -> AccessEvent {
        match self.next_event() {
            LogEvent::Request(event) => *event,
            event => panic!("{event:?}"),
        }
    }

    /// The same of a connection of a listener of TLS.
    pub(crate) fn connection_event(&mut self) -> ConnectionEvent {
        match self.next_event() {
            LogEvent::Connection(event) => *event,
            event => panic!("{event:?}"),
        }
    }

    fn next_event(&mut self) -> LogEvent {
        let wait = async { tokio::time::timeout(LONG, self.events.recv()).await };
        block_on(wait).expect("an event in time").expect("a proxy that runs")
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.proxy.metrics()
    }

    pub(crate) fn stop(self, within: Duration) -> StopReport {
        block_on(self.proxy.stop(within))
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
