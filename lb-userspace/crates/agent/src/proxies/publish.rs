//! What proxies are told, made from the agent's state when that has changed.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, sync::Arc, time::Instant};

use lb_common::target::TargetState;
use lb_config::{Config, Document, TargetKey};
use lb_plan::TargetReport;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::{ProxySnapshot, ProxyTarget};
use crate::state_name::state_name;

/// The state of a target that drains.
const DRAINING: &str = state_name(TargetState::Draining);

/// Digits of a digest.
const DIGITS: usize = 16;

/// The sending side of all streams.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// `None` until the first verdicts are there.
    sender: watch::Sender<Option<Arc<ProxySnapshot>>>,
    /// Configurations and changes of targets that it has.
    seen: Option<(u64, u64)>,
    configuration: Configuration,
    /// When another configuration was published.
    since: Instant,
    /// Targets that drain, and the version that said so first.
    draining: BTreeMap<(String, SocketAddr), u64>,
}

/// The configuration that is published.
#[derive(Debug, Default)]
struct Configuration {
    digest: String,
    revision: Option<u64>,
    document: Option<Document>,
}

impl Publisher {
    pub(crate) fn new(sender: watch::Sender<Option<Arc<ProxySnapshot>>>) -> Self {
        let configuration = Configuration::default();
        let draining = BTreeMap::new();
        Self { sender, seen: None, configuration, since: Instant::now(), draining }
    }

    /// The version that said first that a target drains; `None` if it does not.
    pub(crate) fn draining_since(&self, target: &TargetKey) -> Option<u64> {
        let place = (target.group.to_string(), (target.address, target.port).into());
        self.draining.get(&place).copied()
    }

    /// What proxies were told last.
    pub(crate) fn published(&self) -> Option<Arc<ProxySnapshot>> {
        self.sender.borrow().clone()
    }

    /// When another configuration was published last, or when the agent started.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// Whether this state has been published: configurations that were applied, changes of targets.
    pub(crate) fn has(&self, state: (u64, u64)) -> bool {
        self.seen == Some(state)
    }

    /// Publishes a state. `whole` gives the document with its revision, and the configuration with all
    /// targets; it is asked for another configuration or other targets only.
    pub(crate) fn publish<'config>(
        &mut self,
        state: (u64, u64),
        whole: impl FnOnce() -> (Document, Option<u64>, &'config Config),
        reports: &[TargetReport],
    ) {
        if self.seen.is_none_or(|(applied, _)| applied != state.0) {
            let (document, revision, config) = whole();
            let document = document.for_proxy(config);
            let digest = document.as_ref().map(digest_of).unwrap_or_default();
            if digest != self.configuration.digest {
                self.since = Instant::now();
            }
            self.configuration = Configuration { digest, revision, document };
        }
        self.send(reports);
        self.seen = Some(state);
    }

    fn send(&mut self, reports: &[TargetReport]) {
        let targets = reports.iter().map(|report| ProxyTarget {
            group: report.key.group.to_string(),
            address: report.key.address,
            port: report.key.port,
            state: state_name(report.state).to_owned(),
        });
        let targets: Vec<ProxyTarget> = targets.collect();
        let version = self.published().map_or(0, |last| last.version) + 1;
        let drains = targets.iter().filter(|target| target.state == DRAINING);
        let places = drains.map(|one| (one.group.clone(), (one.address, one.port).into()));
        let before = &self.draining;
        let since = places.map(|place| {
            let since = before.get(&place).copied().unwrap_or(version);
            (place, since)
        });
        self.draining = since.collect();
        let Configuration { digest, revision, document } = &self.configuration;
        self.sender.send_modify(|published| {
            let (digest, revision, document) = (digest.clone(), *revision, document.clone());
            *published =
                Some(Arc::new(ProxySnapshot { version, digest, revision, document, targets }));
        });
    }
}

/// The same for the same document, whichever agent has it.
fn digest_of(document: &Document) -> String {
    let text = serde_json::to_vec(document).unwrap_or_default();
    let mut digits = String::new();
    for byte in Sha256::digest(&text) {
        // Writing to a string does not fail.
        let _written = write!(digits, "{byte:02x}");
    }
    digits.truncate(DIGITS);
    digits
}
