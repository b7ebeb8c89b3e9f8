//! The agent's state as people and programs see it: what `get` and `status` print, and the JSON of
//! the API. Field names are part of the API.

use std::{cmp::Reverse, collections::BTreeMap, fmt, net::IpAddr};

use lb_config::Ports;
use lb_plan::warning::Warning;
use lb_scaling::{MemberView, ScaledGroupView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CertificateView, EventHookView, NameView, Process, ProxyView};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// Version of the agent.
    pub version: String,
    /// ABI number of the maps.
    pub abi: u32,
    /// Process id of the agent.
    pub pid: u32,
    /// When the agent started, seconds since 1970.
    pub started_at: u64,
    /// `file` with its path, or `state directory` with its path and revision.
    pub source: String,
    /// Number of configurations applied since the agent started.
    pub applied_count: u64,
    /// The error of the last change of the configuration; empty if it was applied.
    pub last_error: String,
    /// Warnings for the operator, most severe first: fail open, generic XDP, no next hop.
    pub warnings: Vec<String>,
    /// The same warnings for programs, in the same order.
    #[serde(default)]
    pub warning_details: Vec<WarningDetail>,
    /// Where the program is attached.
    pub interfaces: Vec<AttachedInterface>,
    /// Listeners, in the configuration's order.
    pub listeners: Vec<ListenerView>,
    /// Target groups, in the configuration's order.
    pub target_groups: Vec<TargetGroupView>,
    /// Targets, group by group in the configuration's order.
    pub targets: Vec<TargetView>,
    /// Scaled groups.
    #[serde(default)]
    pub scaled_groups: Vec<ScaledGroupView>,
    /// Members of scaled groups, group by group.
    #[serde(default)]
    pub members: Vec<MemberView>,
    /// Processes of `xelb proxy` that have reported in the last ten minutes.
    #[serde(default)]
    pub proxies: Vec<ProxyView>,
    /// Certificates that listeners show to clients, and target groups to targets.
    #[serde(default)]
    pub certificates: Vec<CertificateView>,
    /// Hooks on events.
    #[serde(default)]
    pub event_hooks: Vec<EventHookView>,
    /// DNS names among the targets.
    #[serde(default)]
    pub names: Vec<NameView>,
    /// The health checker.
    pub health: HealthStats,
    /// Content of the maps.
    pub maps: MapsView,
    /// Memory of agent and data path.
    #[serde(default)]
    pub memory: MemoryView,
    /// Inode of the network namespace of the agent; 0 if it is not known.
    #[serde(default)]
    pub network_namespace: u64,
    /// Seconds since the last packet was dropped, by reason; only of reasons that have been counted
    /// since the agent started.
    #[serde(default)]
    pub drop_ages: BTreeMap<String, u64>,
    /// Lost lines of the agent's log, since its standard error was not read.
    #[serde(default)]
    pub log_lines_lost: u64,
}

impl Snapshot {
    /// Adds warnings.
    pub fn warn(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        for Warning { kind, subject, text, .. } in warnings {
            self.warnings.push(text.clone());
            let kind = kind.name().to_owned();
            self.warning_details.push(WarningDetail { kind, subject, text });
        }
    }
}

/// A warning, for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WarningDetail {
    /// Its kind, a stable name: docs/metrics.md lists them.
    pub kind: String,
    /// What it is about: the name of a group, an interface, a listener or a target; or empty.
    pub subject: String,
    /// The text for people.
    pub text: String,
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachedInterface {
    /// Its name.
    pub name: String,
    /// The current name of the interface. It differs after a rename.
    #[serde(default)]
    pub current_name: String,
    /// Its index.
    pub index: u32,
    /// `native`, `generic`, or `detached` if the program does not run there.
    pub mode: String,
    /// Why that mode.
    pub reason: String,
    /// How often the agent has attached the program again since it started.
    #[serde(default)]
    pub reattached_count: u64,
}

/// One listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListenerView {
    /// Its name.
    pub name: String,
    /// The VIP, or the prefix of VIPs.
    pub address: String,
    /// Its port, or its ports.
    pub port: PortView,
    /// `tcp`, `udp` or `quic`; `http`, `https` or `tls` for listeners that the proxy serves.
    pub protocol: String,
    /// The group that it forwards to; with rules, the only group of its default action, or empty.
    pub target_group: String,
    /// The group that it forwards to now: `target_group`, or its sorry group while that one has too few
    /// healthy targets.
    #[serde(default)]
    pub active_target_group: String,
    /// Index of its traffic counters.
    pub id: u16,
    /// Whether the proxy serves it, so that the data path counts nothing for it.
    #[serde(default)]
    pub proxied: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl ListenerView {
    /// Whether it forwards to its sorry group.
    #[must_use]
    pub fn is_sorry(&self) -> bool {
        !self.active_target_group.is_empty() && self.active_target_group != self.target_group
    }
}

/// Port or ports of a listener: a number for one port, otherwise a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PortView {
    /// One port.
    One(u16),
    /// `8000-8099` or `all`.
    Several(String),
}

impl Default for PortView {
    fn default() -> Self {
        Self::One(0)
    }
}

impl From<Ports> for PortView {
    fn from(ports: Ports) -> Self {
        ports.single().map_or_else(|| Self::Several(ports.to_string()), Self::One)
    }
}

impl fmt::Display for PortView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(port) => write!(formatter, "{port}"),
            Self::Several(ports) => formatter.write_str(ports),
        }
    }
}

/// One target group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetGroupView {
    /// Its name.
    pub name: String,
    /// `tcp`, `udp` or `quic`; `http`, `https` or `grpc` for groups that the proxy reaches.
    pub protocol: String,
    /// `ipip`, `gue`, `l2dsr`, `nat` or `fullnat`; empty for groups that the proxy reaches.
    pub forwarding: String,
    /// Number of its targets.
    pub targets: usize,
    /// Number of healthy targets.
    pub healthy: usize,
    /// Whether unhealthy targets are used because fewer than `minimum_healthy` are healthy.
    pub fail_open: bool,
    /// Below so many healthy targets, unhealthy ones are used as well: `minimum_healthy_targets`.
    #[serde(default)]
    pub minimum_healthy: usize,
    /// Number of slots of its ring; 0 without a ring.
    pub ring_slots: usize,
    /// Its number in the maps; 0 without one.
    #[serde(default)]
    pub id: u16,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// One target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "fields of the API")]
pub struct TargetView {
    /// Its group.
    pub group: String,
    /// Its address.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: u16,
    /// The DNS name that it is an address of; empty for a target of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub name: String,
    /// Its weight.
    pub weight: u32,
    /// Whether it is a backup: it takes new flows while too few others are healthy.
    #[serde(default)]
    pub backup: bool,
    /// `initial`, `healthy`, `unhealthy`, `draining` or `unused`.
    pub state: String,
    /// ELB's reason code; empty for a healthy target that can be checked.
    pub reason: String,
    /// The result of the last probe, or another problem; for people.
    pub detail: String,
    /// Whether the target is drained by `target drain`, a runtime override.
    pub drained: bool,
    /// Whether it has left the configuration and finishes its flows.
    pub leaving: bool,
    /// Remaining seconds for which it keeps its flows, while it takes no new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps_flows_for: Option<u32>,
    /// Who drained it, when and why, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub drain: Option<DrainView>,
    /// Its part of the group's hash space, or of its requests by weight, 0 to 1.
    pub share: f64,
    /// Index of its traffic counters.
    pub id: u16,
    /// Whether the proxy reaches it, so that the data path counts nothing for it.
    #[serde(default)]
    pub proxied: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The drain of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrainView {
    /// Who drained it.
    pub who: String,
    /// Why; empty when nothing was said.
    pub reason: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// The health checker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthStats {
    /// Targets that are checked.
    pub checked_targets: u64,
    /// Probes started.
    pub probes: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Probes that this host could not make.
    pub probes_inconclusive: u64,
    /// Probes that started more than 100 ms after they were due.
    pub probes_late: u64,
    /// Median delay of a probe's start, in microseconds.
    pub lateness_us_p50: u64,
    /// 99th percentile of the delay, in microseconds.
    pub lateness_us_p99: u64,
    /// Longest delay of a probe's start, in milliseconds.
    pub lateness_ms_max: u64,
    /// Time from the end of the probe that decided the last change to its ring in the kernel, in
    /// microseconds.
    pub last_reaction_us: u64,
}

/// Content of the maps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MapsView {
    /// Listeners, and how many the agent allows.
    pub listeners: (usize, usize),
    /// Target groups, and how many the agent allows.
    pub target_groups: (usize, usize),
    /// Targets, those that are leaving included, and how many the agent allows in a configuration.
    pub targets: (usize, usize),
    /// Slots of all rings, and how many the agent allows a configuration to need.
    pub ring_slots: (usize, usize),
    /// Slots that are armed: new flows in them are remembered.
    pub armed_slots: usize,
    /// Maximum number of remembered flows.
    #[serde(default)]
    pub remembered_flows_max: usize,
    /// Maximum number of flows of modes nat and fullnat.
    #[serde(default)]
    pub translated_flows_max: usize,
}

/// Memory of agent and data path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemoryView {
    /// Kernel memory of all maps, in bytes; 0 before the first configuration.
    pub maps_bytes: u64,
    /// Each map, the biggest first.
    pub maps: Vec<MapMemory>,
    /// Resident memory of the agent's process in bytes, including mapped maps; `null` if the kernel
    /// does not report it.
    pub agent_resident_bytes: Option<u64>,
    /// The part of it that is neither maps nor files.
    pub agent_own_bytes: Option<u64>,
}

/// Kernel memory of one map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MapMemory {
    /// The name of its pin.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

impl MemoryView {
    /// Puts together what is known: bytes of the maps by name, and of the agent.
    #[must_use]
    pub fn new(maps: BTreeMap<String, u64>, agent: &Process) -> Self {
        let mut maps: Vec<MapMemory> =
            maps.into_iter().map(|(name, bytes)| MapMemory { name, bytes }).collect();
        maps.sort_by_key(|map| Reverse(map.bytes));
        Self {
            maps_bytes: maps.iter().map(|map| map.bytes).sum(),
            maps,
            agent_resident_bytes: agent.resident_bytes,
            agent_own_bytes: agent.own_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_biggest_map_comes_first_and_equals_by_name() {
        let maps = [("B", 5), ("A", 5), ("C", 70), ("D", 0)];
        let maps = maps.map(|(name, bytes)| (name.to_owned(), bytes)).into();
        let agent = Process { own_bytes: Some(3), ..Process::default() };
        let view = MemoryView::new(maps, &agent);
        let names: Vec<&str> = view.maps.iter().map(|map| &*map.name).collect();
        assert_eq!((names, view.maps_bytes), (vec!["C", "A", "B", "D"], 80));
        assert_eq!((view.agent_resident_bytes, view.agent_own_bytes), (None, Some(3)));
    }
}
