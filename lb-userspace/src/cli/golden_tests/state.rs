//! A balancer with something of everything, long names among it.

use std::collections::BTreeMap;

use lb_agent::{
    AttachedInterface, DrainView, HealthStats, ListenerView, MapsView, MemoryView, PortView,
    Process, ProxyView, Snapshot, TargetGroupView, TargetView,
};
use lb_api::{CounterView, DropView, ListenerTraffic, StatsView, TargetTraffic};
use lb_config::Document;
use lb_scaling::{ActivityView, MemberView, ScaledGroupView};
use lb_store::RevisionHead;

const GIBIBYTE: u64 = 1 << 30;

pub(super) fn snapshot() -> Snapshot {
    let maps = [("FLOWS", 32 << 20), ("SLOTS", 16 << 20), ("RINGS", 4 << 20), ("VIPS", 1 << 20)];
    let agent = Process {
        resident_bytes: Some(GIBIBYTE / 8),
        own_bytes: Some(23 << 20),
        ..Process::default()
    };
    Snapshot {
        version: "1.2.3".to_owned(),
        pid: 4711,
        source: "/etc/xelb/xelb.yaml".to_owned(),
        last_error: "/etc/xelb/xelb.yaml:12:7: target_groups[web].targets[0].weight: 2000 is not in \
                     the range 0 to 1000"
            .to_owned(),
        warnings: vec![
            "interface eth1: XDP runs in generic mode (the driver has no XDP), which is several times \
             slower; use a NIC whose driver supports XDP, or accept it with --xdp-mode generic"
                .to_owned(),
        ],
        interfaces: vec![
            interface("eth0", "native", "the driver supports it"),
            interface("eth1", "generic", "the driver cannot send packets: no program at the peer"),
        ],
        listeners: listeners(),
        target_groups: groups(),
        targets: targets(),
        scaled_groups: vec![ScaledGroupView {
            name: "checkout-frontend".to_owned(),
            min: 2,
            max: 12,
            desired: 4,
            in_service: 3,
            pending: 1,
            ..ScaledGroupView::default()
        }],
        members: members(),
        proxies: vec![ProxyView {
            name: "lb1.example.org".to_owned(),
            pid: 4712,
            software: "1.2.3".to_owned(),
            state: "outdated".to_owned(),
            configuration: "revision 6".to_owned(),
            refused: "listeners[shop].certificates[0]: /etc/xelb/tls/shop.pem has expired".to_owned(),
            connections: 1234,
            seen_ago: 2,
        }],
        health: HealthStats {
            checked_targets: 4,
            probes: 86_400,
            probes_failed: 12,
            lateness_us_p99: 1800,
            last_reaction_us: 137,
            ..HealthStats::default()
        },
        maps: MapsView {
            listeners: (3, 4095),
            target_groups: (2, 2047),
            targets: (4, 16_383),
            ring_slots: (8192, 4_194_304),
            armed_slots: 12,
            remembered_flows_max: 2_097_152,
            translated_flows_max: 262_144,
        },
        memory: MemoryView::new(maps.map(|(name, bytes)| (name.to_owned(), bytes)).into(), &agent),
        ..Snapshot::default()
    }
}

fn interface(name: &str, mode: &str, reason: &str) -> AttachedInterface {
    AttachedInterface {
        name: name.to_owned(),
        mode: mode.to_owned(),
        reason: reason.to_owned(),
        ..AttachedInterface::default()
    }
}

fn listeners() -> Vec<ListenerView> {
    let listener = |name: &str, address: &str, port, group: &str| ListenerView {
        name: name.to_owned(),
        address: address.to_owned(),
        port,
        protocol: "tcp".to_owned(),
        target_group: group.to_owned(),
        active_target_group: group.to_owned(),
        tags: tags(&[("env", "prod")]),
        ..ListenerView::default()
    };
    let mut sorry = listener("web-v6", "2001:db8:10::10", PortView::One(443), "web");
    sorry.active_target_group = "maintenance-page".to_owned();
    vec![
        listener("web", "203.0.113.10", PortView::One(80), "web"),
        sorry,
        listener("games", "203.0.113.0/28", PortView::Several("27000-27999".to_owned()), "games"),
    ]
}

fn groups() -> Vec<TargetGroupView> {
    let group = |name: &str, healthy, fail_open| TargetGroupView {
        name: name.to_owned(),
        protocol: "tcp".to_owned(),
        forwarding: "ipip".to_owned(),
        targets: 3,
        healthy,
        fail_open,
        minimum_healthy: 1,
        ring_slots: 4096,
        ..TargetGroupView::default()
    };
    vec![group("web", 2, false), group("checkout-frontend", 0, true)]
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn targets() -> Vec<TargetView> {
    let target = |address: &str, state: &str, share| TargetView {
        group: "web".to_owned(),
        address: Some(address.parse().unwrap()),
        port: 80,
        weight: 100,
        state: state.to_owned(),
        share,
        tags: tags(&[("rack", "12"), ("owner", "shop@example.org")]),
        ..TargetView::default()
    };
    let reasoned = |target: TargetView, reason: &str, detail: &str| TargetView {
        reason: reason.to_owned(),
        detail: detail.to_owned(),
        ..target
    };
    let draining = TargetView {
        drained: true,
        keeps_flows_for: Some(250),
        drain: Some(DrainView {
            who: "uid 1000 (ann)".to_owned(),
            reason: "kernel update, back at 14:00".to_owned(),
            at: 1_795_953_850,
        }),
        ..target("10.0.1.13", "draining", 0.0)
    };
    vec![
        target("10.0.1.11", "healthy", 0.5),
        reasoned(
            target("10.0.1.12", "unhealthy", 0.0),
            "Target.ResponseCodeMismatch",
            "status 503, expected 200-399",
        ),
        reasoned(draining, "Target.DeregistrationInProgress", ""),
        target("2001:db8:1:2:3:4:5:6", "healthy", 0.5),
    ]
}

fn members() -> Vec<MemberView> {
    let member = |name: &str, state: &str, address: Option<&str>, reason: &str| MemberView {
        group: "checkout-frontend".to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        since: "2026-11-29T12:00:00Z".to_owned(),
        address: address.map(str::to_owned),
        healthy: state == "in-service",
        reason: reason.to_owned(),
        ..MemberView::default()
    };
    vec![
        member("checkout-frontend-3f2a-7", "in-service", Some("10.0.1.21:8080"), ""),
        member(
            "checkout-frontend-3f2a-8",
            "pending",
            None,
            "the driver has not answered yet; it is asked again in 10 s",
        ),
    ]
}

pub(super) fn activities() -> Vec<ActivityView> {
    let activity = ActivityView {
        group: "checkout-frontend".to_owned(),
        kind: "capacity".to_owned(),
        from: Some(2),
        to: Some(4),
        cause: "policy cpu: 82 % is above its target of 60 %, which asks for 4 members".to_owned(),
        start: "2026-11-29T12:00:00Z".to_owned(),
        progress: 50,
        outcome: "in progress".to_owned(),
        ..ActivityView::default()
    };
    let launch = ActivityView {
        kind: "launch".to_owned(),
        member: "checkout-frontend-3f2a-7".to_owned(),
        from: None,
        to: None,
        outcome: "successful".to_owned(),
        ..activity.clone()
    };
    vec![activity, launch]
}

pub(super) fn revisions() -> Vec<RevisionHead> {
    let head = |number, what: &str, message: &str| RevisionHead {
        number,
        written_at: 1_795_950_000 + number * 60,
        who: "uid 1000 (ann)".to_owned(),
        what: what.to_owned(),
        message: message.to_owned(),
    };
    vec![
        head(7, "change target-group web", "half the weight for the old machines, as agreed"),
        head(6, "add listener web-v6", ""),
    ]
}

pub(super) fn stats() -> StatsView {
    let traffic = |name: &str, packets| ListenerTraffic {
        name: name.to_owned(),
        packets,
        bytes: packets * 700,
    };
    let target = |address: &str, packets| TargetTraffic {
        group: "web".to_owned(),
        address: Some(address.parse().unwrap()),
        port: 80,
        packets,
        bytes: packets * 700,
    };
    StatsView {
        listeners: vec![traffic("web", 1_234_567_890), traffic("web-v6", 42)],
        targets: vec![target("10.0.1.11", 617_283_945), target("2001:db8:1:2:3:4:5:6", 21)],
        drops: vec![DropView {
            reason: "no_target".to_owned(),
            packets: 17,
            last_seconds_ago: Some(300),
            help: "the target group of the listener has no target that may take new flows"
                .to_owned(),
        }],
        counters: vec![CounterView {
            name: "flow_remembered".to_owned(),
            value: 1854,
            help:
                "flows that were remembered, since their slot is armed or their listener tracks all"
                    .to_owned(),
        }],
        remembered_flows: 1_854_000,
        remembered_flows_max: 2_097_152,
        translated_flows: 200_000,
        translated_flows_max: 262_144,
    }
}

pub(super) fn document() -> Document {
    let text = r#"{
        "interfaces": ["eth0"],
        "target_groups": [{ "name": "web", "protocol": "http", "port": 80, "targets": [
            { "address": "10.0.1.11", "weight": 50 }, { "address": "10.0.1.12" } ] },
            { "name": "order", "protocol": "http", "port": 8080 }],
        "listeners": [{ "name": "shop", "address": "203.0.113.10", "port": 80, "protocol": "http",
            "default_action": { "forward": { "target_group": "web" } },
            "rules": [{ "priority": 10, "name": "orders-of-mobile-devices", "conditions": [
                { "path": ["/order/*", "/basket/*", "/payment/*"] },
                { "header": { "name": "User-Agent", "values": ["*Mobile*"] } }],
                "action": { "forward": { "target_group": "order" } } }] }]
    }"#;
    serde_json::from_str(text).expect("it is a document")
}
