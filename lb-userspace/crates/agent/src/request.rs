//! Requests of the API to the agent, and the handle for them.

use std::sync::Arc;

use lb_config::{
    Difference, Document, Edit, HttpListener, HttpTargetGroup, TargetAddress, TlsListener,
};
use lb_dns::Resolver;
use lb_files::file_reader::FileReader;
use lb_health::Programs;
use lb_plan::Impact;
use lb_scaling::{ScaleCommand, ScalingView};
use lb_store::{Revision, RevisionHead, StoreError};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    EventLog, Proxies, ProxySnapshot, Snapshot, SnapshotWatch, TargetDescription, config_file,
    first_lookup, watchers::Watchers,
};

/// A requested change.
#[derive(Debug)]
pub struct Request {
    /// Who, for the history.
    pub who: String,
    /// The revision that the change is based on; another current revision is a conflict.
    pub base: Option<u64>,
    /// Whether listeners may be left without targets.
    pub force: bool,
    /// Whether a configuration may leave out objects that are in service.
    pub prune: bool,
    /// Why, for the history; may be empty.
    pub message: String,
    /// What.
    pub action: Action,
}

/// The requested action.
#[derive(Debug)]
pub enum Action {
    /// Makes this the desired state.
    Apply(Box<Document>),
    /// Makes what an earlier revision said the desired state.
    Rollback(u64),
    /// Registers a target, or changes its weight.
    Edit(Edit),
    /// Deregisters a target: it finishes its flows within the deregistration delay.
    TargetRemove {
        /// The group's name.
        group: String,
        /// Its address, or its name.
        address: TargetAddress,
        /// Its port; may be left out when the address alone names the target.
        port: Option<u16>,
        /// Whether its flows end at once, also those of a target that has been removed before.
        now: bool,
    },
    /// Starts or stops draining a target: a runtime override, not a change of configuration.
    TargetDrain {
        /// The group's name.
        group: String,
        /// Its address, or its name.
        address: TargetAddress,
        /// Its port; may be left out when the address alone names the target.
        port: Option<u16>,
        /// Whether it should drain.
        drain: bool,
    },
    /// Tells a scaled group something: a change of its state, not of the configuration.
    Scale {
        /// The group's name.
        group: String,
        /// What.
        command: ScaleCommand,
    },
}

/// A query that only the agent's loop can answer.
#[derive(Debug)]
pub enum Question {
    /// The desired state, and its revision.
    Configuration,
    /// An earlier revision.
    Revision(u64),
    /// At most `most` revisions below `before`, newest first.
    Revisions {
        /// A number.
        before: u64,
        /// A number of them.
        most: usize,
    },
    /// What applying this would do.
    Preview(Box<Document>),
    /// All of a scaled group.
    Scaling(String),
    /// What requests are explained with.
    Layer7,
    /// All about one target.
    Target {
        /// The group's name.
        group: String,
        /// Its address, or its name.
        address: TargetAddress,
        /// Its port; may be left out when the address alone names the target.
        port: Option<u16>,
    },
}

/// What proxies serve.
#[derive(Clone, Debug, Default)]
pub struct Layer7 {
    /// Listeners of `http` and `https`.
    pub http_listeners: Vec<Arc<HttpListener>>,
    /// Listeners of `tls`.
    pub tls_listeners: Vec<Arc<TlsListener>>,
    /// The target groups that a proxy reaches.
    pub groups: Vec<Arc<HttpTargetGroup>>,
}

/// What the loop says.
#[derive(Debug)]
pub enum Answer {
    /// The desired state; its revision is `None` when a file is the source of truth.
    Configuration(Option<u64>, Box<Document>),
    /// A revision.
    Revision(Box<Revision>),
    /// Revisions.
    Revisions(Vec<RevisionHead>),
    /// What would change.
    Preview(Box<Preview>),
    /// A scaled group.
    Scaling(Box<ScalingView>),
    /// What proxies serve.
    Layer7(Box<Layer7>),
    /// A target.
    Target(Box<TargetDescription>),
}

/// What a change would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// In the configuration.
    pub differences: Vec<Difference>,
    /// To flows.
    pub impact: Impact,
    /// To the number of members of scaled groups, at once.
    pub scaling: Vec<String>,
    /// Objects in service that the configuration leaves out.
    pub left_out: Vec<String>,
    /// Warnings about the configuration.
    pub warnings: Vec<String>,
}

/// A request to the loop, and the channel for its answer.
#[derive(Debug)]
pub enum Ask {
    /// A change.
    Change(Request, oneshot::Sender<Outcome>),
    /// A question.
    Question(Question, oneshot::Sender<Result<Answer, Refusal>>),
    /// To publish its state as of now.
    Publish(oneshot::Sender<()>),
}

/// Why a request was not carried out; nothing has changed then.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The request itself is wrong (exit code 2).
    #[error("{0}")]
    Invalid(String),
    /// The requested object does not exist (exit code 2).
    #[error("{0}")]
    Absent(String),
    /// It would do harm, and was not forced (exit code 2).
    #[error("{0}")]
    Harmful(String),
    /// Somebody else has changed the configuration meanwhile (exit code 1).
    #[error("{0}")]
    Outdated(String),
    /// The request is fine, but the agent cannot do it now (exit code 1).
    #[error("{0}")]
    Failed(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::Outdated(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The request is at fault.
pub(super) fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::Invalid(error.to_string())
}

/// The agent, or its host, is.
pub(super) fn failed(error: impl Into<anyhow::Error>) -> Refusal {
    Refusal::Failed(format!("{:#}", error.into()))
}

/// What a request has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// A line for people, and a line for each warning.
    pub said: String,
    /// The revision that it made, if it changed the configuration.
    pub revision: Option<u64>,
}

impl From<String> for Done {
    /// Nothing in the configuration has changed.
    fn from(said: String) -> Self {
        Self { said, revision: None }
    }
}

/// The answer to a request.
pub type Outcome = Result<Done, Refusal>;

/// The API's handle of the agent.
#[derive(Clone, Debug)]
pub struct AgentHandle {
    requests: mpsc::Sender<Ask>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    watchers: Watchers,
    events: Arc<EventLog>,
    files: FileReader,
    programs: Arc<Programs>,
    proxy_snapshots: watch::Receiver<Option<Arc<ProxySnapshot>>>,
    proxies: Arc<Proxies>,
    names: Resolver,
}

impl AgentHandle {
    /// A handle on these channels.
    #[must_use]
    pub fn new(
        requests: mpsc::Sender<Ask>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        events: Arc<EventLog>,
    ) -> Self {
        let (files, programs) = (FileReader::default(), Arc::new(Programs::Off));
        let (proxy_snapshots, proxies) = (watch::channel(None).1, Arc::default());
        let (watchers, names) = (Watchers::default(), Resolver::default());
        Self {
            requests,
            snapshots,
            watchers,
            events,
            files,
            programs,
            proxy_snapshots,
            proxies,
            names,
        }
    }

    /// The same, of an agent that tells proxies this, and takes their reports here.
    #[must_use]
    pub fn with_proxies(
        self,
        proxy_snapshots: watch::Receiver<Option<Arc<ProxySnapshot>>>,
        proxies: Arc<Proxies>,
    ) -> Self {
        Self { proxy_snapshots, proxies, ..self }
    }

    /// What proxies are told, as it changes; `None` until the first verdicts are there.
    #[must_use]
    pub fn proxy_snapshots(&self) -> watch::Receiver<Option<Arc<ProxySnapshot>>> {
        self.proxy_snapshots.clone()
    }

    /// The proxies that have reported.
    #[must_use]
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// The same, of an agent that resolves names of targets here.
    #[must_use]
    pub fn with_names(self, names: Resolver) -> Self {
        Self { names, ..self }
    }

    /// The same, of an agent whose checks may run these programs; they may run none otherwise.
    #[must_use]
    pub fn with_programs(self, programs: Programs) -> Self {
        Self { programs: Arc::new(programs), ..self }
    }

    /// Refuses a document that names files which cannot be used. The agent's loop and other callers
    /// do not wait for them, and this caller only for a limited time.
    pub async fn check_files(&self, document: Document) -> Result<(), Refusal> {
        let programs = Arc::clone(&self.programs);
        let checked =
            self.files.run(move || config_file::check_named_files(&document, &programs)).await;
        let checked = checked.map_err(|unread| Refusal::Failed(unread.to_string()))?;
        checked.map_err(|errors| Refusal::Invalid(errors.to_string()))
    }

    /// Asks for a change and waits until it has been carried out.
    pub async fn ask(&self, request: Request) -> Outcome {
        match &request.action {
            Action::Apply(document) => first_lookup::await_names(&self.names, document).await,
            Action::Edit(Edit::AddTarget { address: TargetAddress::Name(name), .. }) => {
                first_lookup::await_name(&self.names, name).await;
            }
            _ => {}
        }
        let (answer, answered) = oneshot::channel();
        self.requests.send(Ask::Change(request, answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// Asks for what only the loop can say.
    pub async fn question(&self, question: Question) -> Result<Answer, Refusal> {
        if let Question::Preview(document) = &question {
            first_lookup::await_names(&self.names, document).await;
        }
        let (answer, answered) = oneshot::channel();
        self.requests.send(Ask::Question(question, answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// What has happened.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// The agent's state as it changes, from now on.
    pub async fn watch(&self) -> SnapshotWatch {
        let watch = self.watchers.watch(self.snapshots.clone());
        let _latest = self.snapshot().await;
        watch
    }

    /// Who watches.
    pub(super) fn watchers(&self) -> Watchers {
        self.watchers.clone()
    }

    /// The agent's state as of now; the last one of an agent that is stopping.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        let (published, done) = oneshot::channel();
        if self.requests.send(Ask::Publish(published)).await.is_ok() {
            // Fails only when the agent stops.
            let _published = done.await;
        }
        Arc::clone(&self.snapshots.borrow())
    }
}

fn stopping() -> Refusal {
    Refusal::Failed("the agent is stopping; try again".to_owned())
}
