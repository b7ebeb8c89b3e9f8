//! PURE: what the agent sees of a scaled group in its data path and health checks.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSeen {
    /// Its targets, declared ones and members.
    pub targets: BTreeMap<SocketAddr, TargetSeen>,
    /// Whether unhealthy targets are used, since too few are healthy.
    pub fails_open: bool,
    /// After how long without a packet no flow of a target is remembered.
    pub idle_timeout: Duration,
    /// Why counters could not be read.
    pub unread: Option<String>,
    /// What proxies say of its requests; `None` for a group that gets packets.
    pub requests: Option<Vec<ProxyRequests>>,
    /// What its targets report of themselves, if policies may follow that.
    pub reports: BTreeMap<SocketAddr, TargetReports>,
}

/// What a target has reported of itself with the answer to a health check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetReports {
    /// How long ago.
    pub age: Duration,
    /// By metric: the text that should be a number, `None` if it reports nothing, or why that is not
    /// known.
    pub texts: Vec<(String, Result<Option<String>, String>)>,
}

/// What one proxy said last of the requests of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRequests {
    /// The process: its name, and its id on its host.
    pub proxy: (String, u32),
    /// Requests since it started.
    pub requests: u64,
    /// How long it had run then.
    pub uptime: Duration,
    /// Whether it should have said something since, and has not.
    pub is_silent: bool,
}

/// One target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetSeen {
    /// What its health checks say; `None` before the first verdict.
    pub healthy: Option<bool>,
    /// Whether the data path gives it no new flows.
    pub drains: bool,
    /// What it has got since its entry was made; `None` if that was not read now.
    pub traffic: Option<TargetTraffic>,
    /// Its flows, where each of them is known.
    pub flows: Option<u64>,
}

/// What a target has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetTraffic {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
