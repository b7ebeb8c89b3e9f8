//! Follows an agent: what it says goes to the service and into a file, what the service makes of it goes
//! back. Without an agent, the file is what it said last.

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use lb_agent::{Feed, ProxyReport, ProxySnapshot, config_file, state_of};
use lb_api::{Client, ClientError};
use lb_config::{self as config, Limits, TargetKey};
use lb_health::Programs;
use lb_proxy_control::{ConfigId, Load, Monitor, Served, Told};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{kept::KeptFile, observer::Observer};

/// How long an agent may take before the file is used.
const START_WAIT: Duration = Duration::from_secs(2);
/// Waits before the next attempt to reach the agent: from the first, doubling, up to the second.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often a proxy reports although nothing has changed.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// The same while targets drain: they end when their last request has.
const DRAINING_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two writes of the file, and between two reports.
const SETTLE: Duration = Duration::from_millis(200);
/// How long the last report may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// A proxy that follows an agent.
pub(super) struct Follower {
    pub(super) client: Client,
    /// The agent, for messages.
    pub(super) place: String,
    /// `None` when nothing is kept.
    pub(super) kept: Option<KeptFile>,
    pub(super) told: watch::Sender<Option<Arc<Told>>>,
    /// The last thing that the agent said; to be kept when it is served.
    pub(super) last: watch::Sender<Option<Arc<ProxySnapshot>>>,
    pub(super) served: watch::Receiver<Served>,
    pub(super) monitor: Monitor,
}

impl Follower {
    /// Follows for ever.
    pub(super) async fn run(self) {
        let mut wait = RETRY_MIN;
        let mut said = String::new();
        let mut file_at = Some(Instant::now() + START_WAIT);
        self.monitor.lost_agent();
        loop {
            let begun = Instant::now();
            let ended = tokio::select! {
                ended = self.session(&mut said) => ended,
                () = until(file_at) => {
                    file_at = None;
                    if self.last.borrow().is_none() {
                        self.use_file(&said);
                    }
                    continue;
                }
            };
            self.monitor.lost_agent();
            match ended {
                // The agent ends a stream in time, or was restarted.
                Ok(()) => wait = RETRY_MIN,
                Err(error) => {
                    if begun.elapsed() > RETRY_MAX {
                        wait = RETRY_MIN;
                    }
                    let error = error.to_string();
                    if error != said {
                        tracing::warn!(
                            "the agent at {} cannot be followed: {error}; what is served stays as it \
                             is, and it is tried again",
                            self.place
                        );
                        said = error;
                    }
                }
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = until(file_at) => {
                    file_at = None;
                    if self.last.borrow().is_none() {
                        self.use_file(&said);
                    }
                }
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    /// Follows until the stream ends.
    async fn session(&self, said: &mut String) -> Result<(), ClientError> {
        let mut feed = self.client.proxy_feed().await?;
        let mut has: Option<ProxySnapshot> = None;
        while let Some(message) = feed.next().await? {
            if !said.is_empty() {
                said.clear();
                tracing::info!("the agent at {} is followed again", self.place);
            }
            match (message, &mut has) {
                (Feed::Snapshot(all), _) => has = Some(*all),
                (Feed::Change(change), Some(has)) => has.merge(&change),
                // A change of nothing: the next stream begins with everything.
                (Feed::Change(_), None) => return Ok(()),
            }
            if let Some(has) = &has {
                self.monitor.follows_agent();
                self.tell(has, has.named());
                self.last.send_replace(Some(Arc::new(has.clone())));
            }
        }
        Ok(())
    }

    fn tell(&self, snapshot: &ProxySnapshot, name: String) {
        self.told.send_replace(Some(Arc::new(told(snapshot, name))));
    }

    /// Serves what the agent said last, before this process.
    fn use_file(&self, why: &str) {
        let place = &self.place;
        let why = if why.is_empty() { "it has not answered" } else { why };
        let read = self.kept.as_ref().map_or(Ok(None), KeptFile::read);
        match (read, &self.kept) {
            (Ok(Some((snapshot, age))), Some(file)) => {
                let (name, path) = (snapshot.named(), file.path().display());
                let named = format!("{name} of {path}");
                self.monitor.serves_old(age);
                let age = humantime::format_duration(age);
                let text = format!(
                    "no agent at {place} ({why}): {name} is served from {path}, as the agent said it \
                     {age} ago; the states of targets are as old"
                );
                tokio::spawn(announce(self.served.clone(), named.clone(), text));
                self.tell(&snapshot, named);
            }
            (Ok(_), _) => tracing::warn!(
                "no agent at {place} ({why}), and nothing was kept: nothing is served until it answers"
            ),
            (Err(error), _) => tracing::error!(
                "no agent at {place} ({why}), and nothing is served until it answers: {error:#}"
            ),
        }
    }
}

/// Says that a configuration is served, when it is. One that is refused has a line of its own.
async fn announce(mut served: watch::Receiver<Served>, name: String, text: String) {
    let is_decided = |served: &Served| !served.id.name.is_empty();
    if let Ok(served) = served.wait_for(is_decided).await
        && served.id.name == name
    {
        tracing::warn!("{text}");
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// What the service takes, of what the agent says.
fn told(snapshot: &ProxySnapshot, name: String) -> Told {
    let states = snapshot.targets.iter().filter_map(|target| {
        let (address, port) = (target.address, target.port);
        let key = TargetKey { group: target.group.as_str().into(), address, port };
        Some((key, state_of(&target.state)?))
    });
    let load = snapshot.document.clone().map(|document| -> Load {
        Arc::new(move || {
            // The agent has checked it; the files that it names are those of this host.
            config_file::check_named_files(&document, &Programs::Off)?;
            Ok(config::validate_within(&document, &Limits::MOST)?.0)
        })
    });
    Told {
        id: ConfigId { digest: snapshot.digest.clone(), revision: snapshot.revision, name },
        version: snapshot.version,
        load,
        states: states.collect::<HashMap<_, _>>(),
    }
}

/// Keeps what is served in the file, in which a proxy without an agent finds it.
pub(super) async fn keep(
    file: KeptFile,
    mut last: watch::Receiver<Option<Arc<ProxySnapshot>>>,
    mut served: watch::Receiver<Served>,
) {
    let mut written: Option<Arc<ProxySnapshot>> = None;
    let mut failed = false;
    loop {
        let snapshot = last.borrow_and_update().clone();
        let is_served = snapshot.as_ref().is_some_and(|snapshot| {
            let served = served.borrow_and_update();
            served.id.digest == snapshot.digest && served.refused.is_empty()
        });
        let is_new = |snapshot: &Arc<ProxySnapshot>| {
            written.as_ref().is_none_or(|written| !Arc::ptr_eq(written, snapshot))
        };
        if let Some(snapshot) = snapshot.filter(|snapshot| is_served && is_new(snapshot)) {
            let (to, state) = (file.clone(), Arc::clone(&snapshot));
            let write = tokio::task::spawn_blocking(move || to.write(&state));
            match write.await {
                Ok(Ok(())) => (written, failed) = (Some(snapshot), false),
                Ok(Err(error)) if !failed => {
                    failed = true;
                    let path = file.path().display();
                    tracing::error!(
                        "cannot write {path}: {error}; a restart without an agent serves what it holds"
                    );
                }
                _ => {}
            }
        }
        sleep(SETTLE).await;
        tokio::select! {
            changed = last.changed() => if changed.is_err() { return },
            changed = served.changed() => if changed.is_err() { return },
        }
    }
}

/// Tells the agent what is served, and which requests there are: at each change, and every few seconds.
pub(super) async fn report(
    client: Client,
    me: ProxyReport,
    mut served: watch::Receiver<Served>,
    observer: Observer,
) {
    loop {
        let report = observer.add_to(of(&me, &served.borrow_and_update()));
        let interval = if report.draining.is_empty() { REPORT_INTERVAL } else { DRAINING_INTERVAL };
        // An agent that is away is another task's concern; it learns this when it is back.
        let _unheard = client.proxy_report(&report).await;
        tokio::select! {
            () = sleep(interval) => {}
            changed = served.changed() => if changed.is_err() { return },
        }
        // Workers have taken it over by then: a target that drains gets nothing more.
        sleep(SETTLE).await;
    }
}

/// Tells the agent that this proxy is not coming back.
pub(super) async fn farewell(client: Client, me: ProxyReport) {
    let report = ProxyReport { stopping: true, ..me };
    let _unheard = client.with_timeout(FAREWELL).proxy_report(&report).await;
}

fn of(me: &ProxyReport, served: &Served) -> ProxyReport {
    ProxyReport {
        digest: served.id.digest.clone(),
        revision: served.id.revision,
        version: served.version,
        refused: served.refused.clone(),
        connections: served.connections,
        ..me.clone()
    }
}
