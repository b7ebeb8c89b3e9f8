//! The peers of the API: an agent that records its requests, and a client that sends bytes.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use lb_agent::{
    AgentHandle, Answer as Told, Ask, AttachedInterface, EventLog, ListenerView, Preview,
    ProxySnapshot, Question, Refusal, Request, Snapshot, TargetDescription, TargetGroupView,
    TargetView,
};
use lb_config::{Difference, Document, TargetAddress};
use lb_dataplane::StatsSource;
use lb_plan::{GroupImpact, Impact};
use lb_store::{Revision, RevisionHead};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::UnixStream,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Client, FindingSeverity, FindingView, HostDoctor, ListenerSockets, SocketFile,
    access::AccessOptions,
    listener_sockets::{Limits, serve_within},
};

/// No test waits longer for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits that no test of an honest client runs into.
pub(super) const ROOMY: Limits = Limits {
    connections_max: 8,
    head_timeout: PATIENCE,
    connection_timeout: PATIENCE,
    watch_timeout: PATIENCE,
};

/// Finds that all is well.
fn doctor() -> HostDoctor {
    HostDoctor::new(|| {
        let [check, subject, message] = ["kernel", "host", "Linux 6.12"].map(str::to_owned);
        let severity = FindingSeverity::Ok;
        let finding = FindingView { severity, check, subject, message, remedy: None };
        Box::pin(std::future::ready(Ok(vec![finding])))
    })
}

/// What the agent that is played answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Done,
    Invalid,
    Absent,
    Harmful,
    Outdated,
    Failed,
    /// It stops without an answer.
    Nothing,
}

/// A server with an agent that is played behind it.
pub(super) struct Fake {
    pub(super) socket: PathBuf,
    /// Where it listens for TLS, if it does.
    pub(super) remote: Option<SocketAddr>,
    pub(super) asked: Arc<Mutex<Vec<Request>>>,
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) events: Arc<EventLog>,
    pub(super) to_proxies: watch::Sender<Option<Arc<ProxySnapshot>>>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    _files: Vec<SocketFile>,
    _folder: tempfile::TempDir,
}

impl Fake {
    pub(super) fn start(answer: Answer) -> Self {
        Self::start_within(ROOMY, answer)
    }

    pub(super) fn start_within(limits: Limits, answer: Answer) -> Self {
        Self::start_for(limits, answer, &AccessOptions::default())
    }

    pub(super) fn start_for(limits: Limits, answer: Answer, access: &AccessOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("xelb.sock");
        let (sockets, files) = ListenerSockets::open(&socket, access).unwrap();
        let sockets = sockets.with_doctor(doctor());
        let remote = sockets.remote_address();
        let (ask, mut asks) = mpsc::channel::<Ask>(4);
        let (snapshots, snapshot) = watch::channel(Arc::new(snapshot()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                let (request, reply) = match ask {
                    Ask::Change(request, reply) => (request, reply),
                    Ask::Publish(reply) => {
                        reply.send(()).unwrap();
                        continue;
                    }
                    Ask::Question(question, reply) => {
                        reply.send(told(&question)).unwrap();
                        continue;
                    }
                };
                record.lock().unwrap().push(request);
                let outcome = match answer {
                    Answer::Done => Ok("done".to_owned().into()),
                    Answer::Invalid => Err(Refusal::Invalid("no such group".to_owned())),
                    Answer::Absent => Err(Refusal::Absent("no such revision".to_owned())),
                    Answer::Harmful => Err(Refusal::Harmful("no target left".to_owned())),
                    Answer::Outdated => Err(Refusal::Outdated("at revision 9".to_owned())),
                    Answer::Failed => Err(Refusal::Failed("the disk is full".to_owned())),
                    Answer::Nothing => continue,
                };
                reply.send(outcome).unwrap();
            }
        });
        let (to_proxies, proxy_snapshots) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let events = Arc::<EventLog>::default();
        let log = Arc::clone(&events);
        let stats = StatsSource::new(&folder.path().join("bpffs"));
        let server = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            let handle = AgentHandle::new(ask, snapshot, log);
            let handle = handle.with_proxies(proxy_snapshots, Arc::default());
            serve_within(limits, sockets, handle, stats, shutdown).await;
        });
        Self {
            socket,
            remote,
            asked,
            snapshots,
            events,
            to_proxies,
            stop: Some(stop),
            server,
            _files: files,
            _folder: folder,
        }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.socket).with_timeout(PATIENCE)
    }

    /// What was asked so far, as debug text.
    pub(super) fn asked(&self) -> Vec<String> {
        let shown = |request: &Request| {
            let Request { base, force, prune, message, action, .. } = request;
            let base = base.map_or_else(String::new, |base| format!(" at {base}"));
            let by = [(*force, " by force"), (*prune, " pruning")];
            let by: String = by.iter().filter(|(is, _)| *is).map(|(_, text)| *text).collect();
            let why = if message.is_empty() { String::new() } else { format!(" ({message})") };
            format!("{action:?}{base}{by}{why}")
        };
        self.asked.lock().unwrap().iter().map(shown).collect()
    }

    /// Sends a request of these parts, and reads the answer.
    pub(super) async fn http(&self, method: &str, path: &str, body: &str) -> Response {
        Response::parse(&self.exchange(&request(method, path, "", body)).await)
    }

    /// Sends bytes, and reads all that comes until the server closes the connection.
    pub(super) async fn exchange(&self, sent: &[u8]) -> Vec<u8> {
        exchange_at(&self.socket, sent).await
    }

    /// Tells the server to stop, and waits until it has.
    pub(super) async fn stop(mut self) {
        drop(self.stop.take());
        timeout(PATIENCE, &mut self.server).await.expect("the server stops").unwrap();
    }
}

/// A request of these parts; `header` is empty, or a line with its end.
pub(super) fn request(method: &str, path: &str, header: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: xelb\r\nconnection: close\r\n{header}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// [`exchange_over`] a Unix socket.
pub(super) async fn exchange_at(socket: &Path, sent: &[u8]) -> Vec<u8> {
    exchange_over(UnixStream::connect(socket).await.unwrap(), sent).await
}

/// Sends bytes, and reads all that comes until the server closes the connection.
pub(super) async fn exchange_over(stream: impl AsyncRead + AsyncWrite, sent: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = split(stream);
    let mut answer = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        // A server that does not want all of it closes early, which may look like a reset.
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..length]);
        }
    };
    let write = async {
        let _reset = writer.write_all(sent).await;
        let _reset = writer.flush().await;
    };
    let both = async { tokio::join!(read, write) };
    timeout(PATIENCE, both).await.expect("the server closes in the end");
    answer
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Value,
}

impl Response {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        assert!(head.contains("content-type: application/json"), "{text}");
        let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { status, head: head.to_owned(), body }
    }

    /// The text of an error; a body that is anything else is a failure.
    pub(super) fn error(&self) -> &str {
        let fields = self.body.as_object().expect("an object");
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["error"]);
        self.body["error"].as_str().expect("a text")
    }
}

/// A history of three revisions: in the first there is one interface, in the second two, and so on.
pub(super) fn revision(number: u64) -> Revision {
    let names: Vec<String> = (0..number).map(|index| format!("eth{index}")).collect();
    let head = RevisionHead {
        number,
        written_at: 1_700_000_000 + number,
        who: "ann".to_owned(),
        what: "apply".to_owned(),
        message: "first".to_owned(),
    };
    let document = serde_json::json!({ "interfaces": names });
    Revision { head, document: serde_json::from_value(document).unwrap() }
}

fn told(question: &Question) -> Result<Told, Refusal> {
    Ok(match question {
        Question::Configuration => Told::Configuration(Some(3), Box::new(revision(3).document)),
        Question::Revision(number @ 1..=3) => Told::Revision(Box::new(revision(*number))),
        Question::Revision(_) => return Err(Refusal::Absent("no such revision".to_owned())),
        Question::Revisions { before, most } => {
            let numbers = (1..=3).rev().filter(|number| number < before).take(*most);
            Told::Revisions(numbers.map(|number| revision(number).head).collect())
        }
        Question::Target { group, address, .. } => {
            let targets = snapshot().targets;
            let is_it = |one: &TargetView| {
                one.group == *group && one.address.map(TargetAddress::Ip).as_ref() == Some(address)
            };
            let target = targets.into_iter().find(is_it).unwrap_or_default();
            Told::Target(Box::new(TargetDescription { target, ..TargetDescription::default() }))
        }
        Question::Layer7 => Told::Layer7(Box::default()),
        Question::Preview(document) => Told::Preview(Box::new(preview(document))),
        Question::Scaling(group) if group == "web" => Told::Scaling(Box::default()),
        Question::Scaling(_) => return Err(Refusal::Absent("no such group".to_owned())),
    })
}

fn preview(document: &Document) -> Preview {
    let differences: Vec<Difference> = revision(3).document.differences(document);
    let web = GroupImpact { name: "web".to_owned(), moved_share: 0.5, ..GroupImpact::default() };
    let left = vec!["listener web: its target group web has no targets any more".to_owned()];
    let impact =
        Impact { target_groups: vec![web], left_without_targets: left, ..Impact::default() };
    let left_out = vec!["listener dns".to_owned()];
    let warnings = vec!["slow".to_owned()];
    Preview { differences, impact, scaling: Vec::new(), left_out, warnings }
}

/// A small balancer.
pub(super) fn snapshot() -> Snapshot {
    let target = |group: &str, last: u8| TargetView {
        group: group.to_owned(),
        address: Some([10, 0, 1, last].into()),
        port: 80,
        weight: 100,
        state: "healthy".to_owned(),
        share: 0.5,
        id: u16::from(last),
        tags: [("rack".to_owned(), last.to_string())].into(),
        ..TargetView::default()
    };
    let group = |name: &str| TargetGroupView {
        name: name.to_owned(),
        tags: [("env".to_owned(), name.to_owned())].into(),
        ..TargetGroupView::default()
    };
    Snapshot {
        version: "1.2.3".to_owned(),
        pid: 42,
        listeners: vec![ListenerView { name: "web".to_owned(), ..ListenerView::default() }],
        target_groups: vec![group("web"), group("dns")],
        targets: vec![target("web", 11), target("web", 12), target("dns", 53)],
        ..Snapshot::default()
    }
}

/// The same, with a data path.
pub(super) fn loaded() -> Snapshot {
    let eth0 = AttachedInterface { name: "eth0".to_owned(), ..AttachedInterface::default() };
    Snapshot { interfaces: vec![eth0], ..snapshot() }
}
