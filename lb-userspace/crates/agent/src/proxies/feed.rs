//! PURE: what a proxy is told: a snapshot, then changes of targets; the same on both sides of the stream.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use lb_config::Document;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All that a proxy needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProxySnapshot {
    /// Counts what the agent has published since it started.
    pub version: u64,
    /// SHA-256 of the configuration in hexadecimal, shortened to 16 digits; empty without one.
    pub digest: String,
    /// Its revision; `null` if the agent runs with a configuration file.
    pub revision: Option<u64>,
    /// The part of the configuration that proxies serve: their listeners and the groups of those;
    /// `null` when there are no such listeners.
    #[schema(value_type = Option<Object>)]
    pub document: Option<Document>,
    /// All targets of groups that proxies reach.
    pub targets: Vec<ProxyTarget>,
}

/// A target, and its state as the agent has decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProxyTarget {
    /// Its group.
    pub group: String,
    /// Its address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// `initial`, `healthy`, `unhealthy` or `draining`.
    pub state: String,
}

/// Targets whose state is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProxyChange {
    /// The version that they lead to.
    pub version: u64,
    /// Those targets.
    pub targets: Vec<ProxyTarget>,
}

/// The next message for a proxy.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// Everything.
    Snapshot(Box<ProxySnapshot>),
    /// What has changed since the message before.
    Change(ProxyChange),
}

impl ProxySnapshot {
    /// What a proxy that has got `sent` must be told next; `None`: nothing. With another configuration, or
    /// other targets, it gets everything. However much has changed, it is one message.
    #[must_use]
    pub fn after(self: &Arc<Self>, sent: Option<&Arc<Self>>) -> Option<Feed> {
        let everything = || Feed::Snapshot(Box::new((**self).clone()));
        let Some(sent) = sent else { return Some(everything()) };
        if Arc::ptr_eq(self, sent) || self.version == sent.version {
            return None;
        }
        let same = self.digest == sent.digest
            && self.revision == sent.revision
            && self.targets.len() == sent.targets.len();
        let pairs = || self.targets.iter().zip(&sent.targets);
        if !same || pairs().any(|(now, then)| now.place() != then.place()) {
            return Some(everything());
        }
        let changed = pairs().filter(|(now, then)| now.state != then.state);
        let targets = changed.map(|(now, _)| now.clone()).collect();
        Some(Feed::Change(ProxyChange { version: self.version, targets }))
    }

    /// Takes a change over. Targets that are not known are not added: they come with a snapshot.
    pub fn merge(&mut self, change: &ProxyChange) {
        self.version = change.version;
        let changed: BTreeMap<_, &str> =
            change.targets.iter().map(|target| (target.place(), target.state.as_str())).collect();
        for target in &mut self.targets {
            if let Some(state) = changed.get(&target.place()) {
                (*state).clone_into(&mut target.state);
            }
        }
    }

    /// The configuration, for people.
    #[must_use]
    pub fn named(&self) -> String {
        named(self.revision, &self.digest)
    }
}

impl ProxyTarget {
    fn place(&self) -> (String, IpAddr, u16) {
        (self.group.clone(), self.address, self.port)
    }
}

/// A configuration, for people: its revision, or the beginning of its digest.
pub(super) fn named(revision: Option<u64>, digest: &str) -> String {
    match revision {
        Some(revision) => format!("revision {revision}"),
        None if digest.is_empty() => "no configuration".to_owned(),
        None => format!("configuration {}", digest.get(..8).unwrap_or(digest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(version: u64, digest: &str, states: &[&str]) -> Arc<ProxySnapshot> {
        let target = |(port, state): (u16, &&str)| ProxyTarget {
            group: "web".to_owned(),
            address: [10, 0, 0, 1].into(),
            port,
            state: (*state).to_owned(),
        };
        Arc::new(ProxySnapshot {
            version,
            digest: digest.to_owned(),
            targets: (1..).zip(states).map(target).collect(),
            ..ProxySnapshot::default()
        })
    }

    /// Whoever follows the messages has what the agent has, however many versions a message skips.
    #[test]
    fn a_proxy_that_follows_the_messages_has_what_the_agent_has() {
        let states = [
            snapshot(1, "a", &["initial", "initial"]),
            snapshot(2, "a", &["healthy", "initial"]),
            snapshot(3, "a", &["healthy", "unhealthy"]),
            snapshot(4, "b", &["healthy", "unhealthy"]),
            snapshot(5, "b", &["healthy", "unhealthy", "initial"]),
            snapshot(6, "b", &["draining", "healthy", "healthy"]),
        ];
        for step in 1..=states.len() {
            let (mut sent, mut has): (Option<Arc<ProxySnapshot>>, _) = (None, None);
            for state in states.iter().step_by(step) {
                match state.after(sent.as_ref()).expect("something is new") {
                    Feed::Snapshot(all) => has = Some(*all),
                    Feed::Change(change) => {
                        has.as_mut().map(|has: &mut ProxySnapshot| has.merge(&change)).unwrap();
                    }
                }
                assert_eq!(has.as_ref(), Some(&**state), "every {step}");
                sent = Some(Arc::clone(state));
                assert_eq!(state.after(sent.as_ref()), None, "nothing is new");
            }
        }
    }

    #[test]
    fn a_verdict_is_a_small_message() {
        let (before, after) =
            (snapshot(1, "a", &["healthy"; 1000]), snapshot(2, "a", &["healthy"; 1000]));
        let mut after = (*after).clone();
        after.targets[7].state = "unhealthy".to_owned();
        let Some(Feed::Change(change)) = Arc::new(after).after(Some(&before)) else {
            panic!("it is a change");
        };
        assert_eq!((change.version, change.targets.len(), change.targets[0].port), (2, 1, 8));
    }
}
