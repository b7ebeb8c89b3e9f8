//! Tests of the metrics: their text, what is written of them, and the listener.

mod deploy;
mod documents;
mod encoding;
mod expressions;
mod hostile;
mod proxy;
mod scrape;

use std::{fs, path::Path, sync::Arc, time::Duration};

use lb_agent::{
    AttachedInterface, CertificateView, EventHookView, HealthStats, ListenerView, MapsView,
    MemoryView, NameView, PortView, Process, Snapshot, TargetGroupView, TargetView,
};
use lb_api::{CounterView, DropView, ListenerTraffic, StatsView, TargetTraffic};
use lb_common::{Counter, DropReason};
use lb_plan::warning::{Warning, WarningKind};
use lb_scaling::ScaledGroupView;

use super::Observation;

/// A file of the project.
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A balancer of which every metric has something to say.
fn full() -> Observation {
    Observation::new(Arc::new(snapshot()), Some(traffic()), process())
}

fn process() -> Process {
    Process {
        resident_bytes: Some(20_971_520),
        own_bytes: Some(10_485_760),
        cpu: Some(Duration::from_millis(1500)),
    }
}

fn scaled_group() -> ScaledGroupView {
    ScaledGroupView {
        name: "web".to_owned(),
        min: 2,
        max: 8,
        desired: 4,
        in_service: 3,
        pending: 1,
        suspended: vec!["launch".to_owned()],
        decisions: 240,
        failed_calls: 5,
        ..ScaledGroupView::default()
    }
}

fn event_hook() -> EventHookView {
    EventHookView {
        name: "pager".to_owned(),
        calls: "exec".to_owned(),
        events: vec!["agent_started".to_owned()],
        succeeded: 3,
        failed: 1,
        waiting: 2,
        lost: 4,
        last_error: "it exits with code 3".to_owned(),
    }
}

fn name() -> NameView {
    NameView {
        name: "order.example.org".to_owned(),
        addresses: vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()],
        error: "server 10.0.0.53:53: no answer within 2s".to_owned(),
        lookups: 9,
        lookups_failed: 2,
        ..NameView::default()
    }
}

fn snapshot() -> Snapshot {
    let target = |address: &str, state: &str, reason: &str| TargetView {
        group: "web".to_owned(),
        address: Some(address.parse().unwrap()),
        port: 80,
        weight: 100,
        state: state.to_owned(),
        reason: reason.to_owned(),
        ..TargetView::default()
    };
    warned(Snapshot {
        version: "1.2.3".to_owned(),
        abi: 7,
        started_at: 1_795_433_800,
        applied_count: 4,
        scaled_groups: vec![scaled_group()],
        event_hooks: vec![event_hook()],
        names: vec![name()],
        certificates: vec![CertificateView {
            file: "/etc/xelb/shop.pem".to_owned(),
            expires_at: 1_893_456_000,
            used_by: vec!["listener shop".to_owned()],
        }],
        last_error: "bad.yaml:3: `port` is missing".to_owned(),
        interfaces: vec![AttachedInterface {
            name: "eth\"1".to_owned(),
            mode: "generic".to_owned(),
            ..AttachedInterface::default()
        }],
        listeners: vec![ListenerView {
            name: "web".to_owned(),
            address: "203.0.113.10".to_owned(),
            port: PortView::Several("8000-8099".to_owned()),
            protocol: "tcp".to_owned(),
            target_group: "web".to_owned(),
            active_target_group: "web".to_owned(),
            id: 1,
            ..ListenerView::default()
        }],
        target_groups: vec![TargetGroupView {
            name: "web".to_owned(),
            protocol: "tcp".to_owned(),
            forwarding: "ipip".to_owned(),
            fail_open: true,
            ring_slots: 4096,
            ..TargetGroupView::default()
        }],
        targets: vec![
            TargetView { share: 0.5, ..target("10.0.1.11", "healthy", "") },
            target("2001:db8::12", "unhealthy", "Target.FailedHealthChecks"),
            TargetView {
                drained: true,
                leaving: true,
                keeps_flows_for: Some(30),
                ..target("10.0.1.13", "draining", "Target.DeregistrationInProgress")
            },
        ],
        health: health(),
        maps: MapsView {
            listeners: (1, 4096),
            target_groups: (1, 2047),
            targets: (3, 16383),
            ring_slots: (4096, 4_194_304),
            armed_slots: 12,
            remembered_flows_max: 2_097_152,
            translated_flows_max: 262_144,
        },
        memory: memory(),
        ..Snapshot::default()
    })
}

/// The same with two warnings.
fn warned(mut snapshot: Snapshot) -> Snapshot {
    let fails_open = |group: &str| Warning::new(WarningKind::FailOpen, group, "no healthy target");
    snapshot.warn([fails_open("web"), fails_open("api")]);
    snapshot
}

fn health() -> HealthStats {
    HealthStats {
        checked_targets: 3,
        probes: 90,
        probes_failed: 5,
        probes_inconclusive: 2,
        probes_late: 1,
        lateness_us_p50: 640,
        lateness_us_p99: 1280,
        lateness_ms_max: 150,
        last_reaction_us: 7536,
    }
}

fn memory() -> MemoryView {
    MemoryView::new(
        [("RINGS".to_owned(), 33_554_432), ("MEMORY".to_owned(), 8_388_608)].into(),
        &process(),
    )
}

fn traffic() -> StatsView {
    let target = |address: &str, packets: u64| TargetTraffic {
        group: "web".to_owned(),
        address: Some(address.parse().unwrap()),
        port: 80,
        packets,
        bytes: packets * 100,
    };
    let drops = DropReason::ALL.iter().zip(0..).map(|(reason, packets)| DropView {
        reason: reason.name().to_owned(),
        packets,
        last_seconds_ago: None,
        help: reason.help().to_owned(),
    });
    let counters = Counter::ALL.iter().zip(100..).map(|(counter, value)| CounterView {
        name: counter.name().to_owned(),
        value,
        help: counter.help().to_owned(),
    });
    StatsView {
        listeners: vec![ListenerTraffic { name: "web".to_owned(), packets: 54, bytes: 3536 }],
        targets: vec![target("10.0.1.11", 50), target("2001:db8::12", 4), target("10.0.1.13", 0)],
        drops: drops.collect(),
        counters: counters.collect(),
        remembered_flows: 17,
        remembered_flows_max: 2_097_152,
        translated_flows: 5,
        translated_flows_max: 262_144,
    }
}
