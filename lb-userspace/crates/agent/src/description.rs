//! What the agent knows of one target, on one page. Field names are part of the API.

use lb_config::{HealthCheck, HealthProtocol, HttpCheck, Via};
use lb_health::{EndedProbe, Outcome, Report};
use lb_plan::{NextHop, NextHopState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Event, ListenerView, TargetView};

/// One target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TargetDescription {
    /// Its state.
    pub target: TargetView,
    /// When it got this state, in milliseconds since 1970; absent when that was before the agent
    /// started, or too long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize, required = false)]
    pub since_ms: Option<u64>,
    /// Listeners that forward to its group.
    pub listeners: Vec<ListenerView>,
    /// How it is checked; absent for a target whose group has left the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub health_check: Option<CheckView>,
    /// The last probes, newest first.
    pub probes: Vec<ProbeView>,
    /// Where its packets go next; absent while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub next_hop: Option<NextHopView>,
    /// Why the next hop is not known; empty if it is.
    pub next_hop_problem: String,
    /// Its last changes of state, newest first.
    pub history: Vec<Event>,
}

/// A health check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// What a probe does and expects, for people; no secrets.
    pub asks: String,
    /// The port that it goes to.
    pub port: u16,
    /// `address`, or `tunnel`: the path of clients' packets.
    pub via: String,
    /// Milliseconds between two probes.
    pub interval_ms: u64,
    /// Milliseconds that a probe may take.
    pub timeout_ms: u64,
    /// Consecutive successes that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Consecutive failures that make a target unhealthy.
    pub unhealthy_threshold: u32,
}

/// A probe that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// Milliseconds since it ended.
    pub ago_ms: u64,
    /// Microseconds that it took.
    pub took_us: u64,
    /// `success`, `failure`, or `inconclusive` when this host could not probe.
    pub outcome: String,
    /// ELB's reason code of a failure; else empty.
    pub reason: String,
    /// What was seen; empty for a success.
    pub detail: String,
}

/// Where packets go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextHopView {
    /// The interface that they leave by.
    pub interface: String,
    /// VLAN tag that they get; 0 for none.
    pub vlan: u16,
    /// MAC address of the target, or of the router towards it.
    pub mac: String,
    /// Largest IP packet of the route, in bytes.
    pub mtu: u16,
    /// Whether the target is on the link itself, not behind a router.
    pub on_link: bool,
}

impl CheckView {
    pub(super) fn new(check: &HealthCheck, port: u16) -> Self {
        let milliseconds =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            asks: asks(&check.protocol),
            port: check.port.unwrap_or(port),
            via: match check.via {
                Via::Address => "address".to_owned(),
                Via::Tunnel => "tunnel".to_owned(),
            },
            interval_ms: milliseconds(check.interval),
            timeout_ms: milliseconds(check.timeout),
            healthy_threshold: check.healthy_threshold,
            unhealthy_threshold: check.unhealthy_threshold,
        }
    }
}

/// What a probe does. Programs and payloads are secrets.
fn asks(protocol: &HealthProtocol) -> String {
    match protocol {
        HealthProtocol::Tcp => "tcp: a connection is accepted".to_owned(),
        HealthProtocol::Http(HttpCheck { tls, http2, host, path, matcher, body, .. }) => {
            let scheme = if tls.is_some() { "https" } else { "http" };
            let version = if *http2 { " over HTTP/2" } else { "" };
            let host = host.as_ref().map_or_else(String::new, |host| format!(", host {host}"));
            let body = if body.is_some() { ", body with a text" } else { "" };
            format!("{scheme}: GET {path}{host}{version}, expects status {}{body}", matcher.shown())
        }
        HealthProtocol::Grpc(check) => {
            let of = if check.service.is_empty() { "the server" } else { &check.service };
            format!("grpc: health of {of}, expects status {}", check.matcher.shown())
        }
        HealthProtocol::Udp(_) => "udp: a datagram is not refused, or answered".to_owned(),
        HealthProtocol::Icmp => "icmp: a ping is answered".to_owned(),
        HealthProtocol::Exec(_) => "exec: a program ends with success".to_owned(),
    }
}

/// What a target has said of itself.
fn reported(reports: &[Report]) -> String {
    let one = |Report { metric, text }: &Report| match text {
        Ok(Some(text)) => format!("{metric} = {text}"),
        Ok(None) => format!("no {metric}"),
        Err(error) => format!("no {metric}: {error}"),
    };
    format!("reports {}", reports.iter().map(one).collect::<Vec<_>>().join(", "))
}

impl From<EndedProbe> for ProbeView {
    fn from(EndedProbe { ended, took, outcome }: EndedProbe) -> Self {
        let (name, reason, detail) = match outcome {
            Outcome::Success => ("success", String::new(), String::new()),
            Outcome::Reported(reports) => ("success", String::new(), reported(&reports)),
            Outcome::Failure { reason, detail } => ("failure", reason.to_string(), detail),
            Outcome::Inconclusive { detail } => ("inconclusive", String::new(), detail),
            Outcome::NoDescriptor(_) => {
                ("inconclusive", String::new(), "no file descriptor was left".to_owned())
            }
        };
        let number = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            ago_ms: number(ended.elapsed().as_millis()),
            took_us: number(took.as_micros()),
            outcome: name.to_owned(),
            reason,
            detail,
        }
    }
}

/// What is known of a next hop, and why nothing is.
pub(super) fn next_hop(
    state: Option<&NextHopState>,
    name: impl Fn(u32) -> String,
) -> (Option<NextHopView>, String) {
    match state {
        Some(NextHopState::Resolved(hop)) => {
            let NextHop { interface, vlan, destination_mac, mtu, on_link, .. } = *hop;
            let mac: Vec<String> =
                destination_mac.iter().map(|byte| format!("{byte:02x}")).collect();
            let (mac, interface) = (mac.join(":"), name(interface));
            (Some(NextHopView { interface, vlan, mac, mtu, on_link }), String::new())
        }
        Some(NextHopState::Asking(why) | NextHopState::Unresolved(why)) => (None, why.clone()),
        None => (None, "it has not been looked up yet".to_owned()),
    }
}
