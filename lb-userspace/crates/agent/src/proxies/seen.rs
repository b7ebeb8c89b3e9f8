//! The proxies that have reported, what they serve, and what is wrong with that.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lb_plan::warning::{Warning, WarningKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProxySnapshot, feed::named};

/// A proxy that has not reported for this long is not connected. It reports three times in that time.
const CONNECTED: Duration = Duration::from_secs(15);

/// How long one that has left without a word is shown.
const SHOWN: Duration = Duration::from_mins(10);

/// Proxies that are known at a time; the one that was silent for longest makes room.
const PROXIES_MAX: usize = 256;

/// How long proxies may take to serve another configuration. A start of the agent is one.
const GRACE: Duration = Duration::from_secs(10);

/// Listeners that a warning names.
const NAMED_MAX: usize = 5;

/// What a proxy says of itself, at each change and every few seconds. A newer proxy may say more than this agent
/// knows: unknown fields are ignored, here and below.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProxyReport {
    /// Its name, such as that of its host; 1 to 64 visible characters.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its software.
    pub software: String,
    /// The digest of the configuration that it serves; empty when it serves none.
    pub digest: String,
    /// The revision of that configuration.
    pub revision: Option<u64>,
    /// The last version that it got and took over.
    pub version: u64,
    /// Why it does not serve the last configuration that it got; empty if it does.
    pub refused: String,
    /// Connections of clients that are open.
    pub connections: u64,
    /// Whether it stops, and is not expected to come back.
    pub stopping: bool,
    /// For how long it has run, in milliseconds.
    #[serde(default)]
    pub uptime_ms: u64,
    /// The requests of each of its groups.
    #[serde(default)]
    pub groups: Vec<GroupRequests>,
    /// Its targets that drain; at most 1000.
    #[serde(default)]
    pub draining: Vec<DrainingTarget>,
}

/// What a proxy counts of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupRequests {
    /// The group.
    pub name: String,
    /// Requests since the proxy started.
    pub requests: u64,
}

/// A target that gets no more requests of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrainingTarget {
    /// Its group.
    pub group: String,
    /// Its address and port.
    #[schema(value_type = String)]
    pub target: SocketAddr,
    /// Requests and tunnels that it still has.
    pub requests: u64,
}

/// A proxy as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProxyView {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its software.
    pub software: String,
    /// `current`; `outdated`: it serves another configuration than the agent's; `disconnected`: it has not
    /// reported for 15 s.
    pub state: String,
    /// The revision that it serves, or the beginning of the digest of its configuration.
    pub configuration: String,
    /// Why it does not serve the agent's configuration; empty if it does, or has not said.
    pub refused: String,
    /// Connections of clients that are open.
    pub connections: u64,
    /// Seconds since it reported.
    pub seen_ago: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Proxies(Mutex<BTreeMap<(String, u32), Seen>>);

#[derive(Debug)]
struct Seen {
    report: ProxyReport,
    at: Instant,
}

impl Seen {
    fn state(&self, published: Option<&ProxySnapshot>, now: Instant) -> &'static str {
        if now.saturating_duration_since(self.at) >= CONNECTED {
            "disconnected"
        } else if published.is_some_and(|it| it.digest != self.report.digest) {
            "outdated"
        } else {
            "current"
        }
    }
}

impl Proxies {
    /// Takes a report. A proxy that stops is forgotten.
    pub fn report(&self, report: ProxyReport) {
        self.report_at(report, Instant::now());
    }

    pub(super) fn report_at(&self, report: ProxyReport, at: Instant) {
        let mut all = self.lock();
        let key = (report.name.clone(), report.pid);
        if report.stopping {
            all.remove(&key);
            return;
        }
        if all.len() >= PROXIES_MAX && !all.contains_key(&key) {
            let oldest = all.iter().min_by_key(|(_, seen)| seen.at).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        all.insert(key, Seen { report, at });
    }

    /// All that are known, by name.
    pub(crate) fn views(&self, published: Option<&ProxySnapshot>, now: Instant) -> Vec<ProxyView> {
        let mut all = self.lock();
        all.retain(|_, seen| now.saturating_duration_since(seen.at) < SHOWN);
        let view = |seen: &Seen| {
            let ProxyReport { name, pid, software, digest, refused, .. } = &seen.report;
            ProxyView {
                name: name.clone(),
                pid: *pid,
                software: software.clone(),
                state: seen.state(published, now).to_owned(),
                configuration: named(seen.report.revision, digest),
                refused: refused.clone(),
                connections: seen.report.connections,
                seen_ago: now.saturating_duration_since(seen.at).as_secs(),
            }
        };
        all.values().map(view).collect()
    }

    /// What is wrong with the service of these listeners. `since` is when the configuration was published.
    pub(crate) fn warnings(
        &self,
        listeners: &[&str],
        published: Option<&ProxySnapshot>,
        since: Instant,
        now: Instant,
    ) -> Vec<Warning> {
        if listeners.is_empty() || now.saturating_duration_since(since) < GRACE {
            return Vec::new();
        }
        let views = self.views(published, now);
        let connected = || views.iter().filter(|view| view.state != "disconnected");
        let newest = published.map_or_else(|| "no configuration".to_owned(), ProxySnapshot::named);
        let mut warnings = Vec::new();
        if !connected().any(|view| view.state == "current") {
            let who = if connected().next().is_none() {
                "no `xelb proxy` is connected to this agent"
            } else {
                "no connected `xelb proxy` serves it"
            };
            let text = format!("{newest} is not served for {}: {who}", shown(listeners));
            warnings.push(Warning::new(WarningKind::ProxyMissing, "", text));
        }
        for view in connected().filter(|view| view.state == "outdated") {
            let ProxyView { name, pid, configuration, refused, .. } = view;
            let why = if refused.is_empty() { "it has not taken it over" } else { refused };
            let text =
                format!("proxy {name} (process {pid}) serves {configuration}, not {newest}: {why}");
            warnings.push(Warning::new(WarningKind::ProxyOutdated, format!("{name}/{pid}"), text));
        }
        warnings
    }

    /// All that are known, and how long ago each one reported.
    pub(crate) fn reports<T>(
        &self,
        now: Instant,
        take: impl Fn(&ProxyReport, Duration) -> T,
    ) -> Vec<T> {
        let all = self.lock();
        all.values()
            .map(|seen| take(&seen.report, now.saturating_duration_since(seen.at)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, u32), Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(listeners: &[&str]) -> String {
    let named = listeners.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let noun = if listeners.len() == 1 { "listener" } else { "listeners" };
    match listeners.len().saturating_sub(NAMED_MAX) {
        0 => format!("{noun} {named}"),
        more => format!("{noun} {named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(pid: u32, digest: &str) -> ProxyReport {
        let (name, digest) = ("edge".to_owned(), digest.to_owned());
        ProxyReport { name, pid, digest, ..ProxyReport::default() }
    }

    #[test]
    fn a_configuration_that_nobody_serves_is_a_warning() {
        let published =
            ProxySnapshot { digest: "b".to_owned(), revision: Some(2), ..ProxySnapshot::default() };
        let start = Instant::now();
        let proxies = Proxies::default();
        let texts = |after: u64, listeners: &[&str]| -> Vec<String> {
            let now = start + Duration::from_secs(after);
            let all = proxies.warnings(listeners, Some(&published), start, now);
            all.iter().map(ToString::to_string).collect()
        };
        let missing = "revision 2 is not served for listener shop: no `xelb proxy` is connected to this agent";
        assert!(texts(9, &["shop"]).is_empty(), "it takes a moment");
        assert!(texts(11, &[]).is_empty(), "no listener needs a proxy");
        assert_eq!(texts(11, &["shop"]), [missing]);
        proxies.report_at(report(1, "b"), start + Duration::from_secs(12));
        assert!(texts(13, &["shop"]).is_empty());
        assert_eq!(texts(28, &["shop"]), [missing], "it was silent for too long");
        let refused =
            ProxyReport { refused: "no key".to_owned(), revision: Some(1), ..report(1, "a") };
        proxies.report_at(refused, start + Duration::from_secs(30));
        let outdated = "proxy edge (process 1) serves revision 1, not revision 2: no key";
        let unserved = "revision 2 is not served for listeners a, b, c, d, e and 1 more: no connected `xelb \
                        proxy` serves it";
        assert_eq!(texts(31, &["a", "b", "c", "d", "e", "f"]), [unserved, outdated]);
        proxies.report_at(report(2, "b"), start + Duration::from_secs(31));
        assert_eq!(texts(32, &["shop"]), [outdated], "another one serves it");
        let stopping = ProxyReport { stopping: true, ..report(1, "a") };
        proxies.report_at(stopping, start + Duration::from_secs(33));
        assert!(texts(34, &["shop"]).is_empty(), "it has left");
        let now = start + Duration::from_secs(31) + SHOWN;
        assert!(proxies.views(Some(&published), now).is_empty(), "forgotten in the end");
    }

    #[test]
    fn a_newer_proxy_may_say_more() {
        let mut newer = serde_json::to_value(report(1, "a")).unwrap();
        newer["later"] = "x".into();
        newer["groups"] = serde_json::json!([{ "name": "web", "requests": 3, "later": 1 }]);
        newer["draining"] = serde_json::json!([{ "group": "web", "target": "10.0.0.1:80", "requests": 2, "later": {} }]);
        let read: ProxyReport = serde_json::from_value(newer).unwrap();
        assert_eq!((read.pid, read.groups[0].requests, read.draining[0].requests), (1, 3, 2));
    }

    #[test]
    fn proxies_are_bounded() {
        let (proxies, start) = (Proxies::default(), Instant::now());
        for pid in 0..300 {
            proxies.report_at(report(pid, "a"), start + Duration::from_millis(pid.into()));
        }
        let views = proxies.views(None, start);
        assert_eq!((views.len(), views[0].pid), (PROXIES_MAX, 44));
    }
}
