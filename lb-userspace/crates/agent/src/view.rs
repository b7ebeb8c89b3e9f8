//! PURE: the agent's state as `get` and `status` show it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::target::TargetState;
use lb_config::Config;
use lb_dataplane::{Attached, clock};
use lb_health::Scheduler;
use lb_plan::{self as plan, GroupTable, Reason, TargetReport};
use lb_store::Drain;

use super::{
    AgentOptions, AttachedInterface, DrainView, ListenerView, MapsView, Snapshot, TargetGroupView,
    TargetView, balancer::Balancer, http_view, state_name::state_name,
};

/// What is counted of a group.
#[derive(Default)]
struct Counts {
    targets: usize,
    healthy: usize,
    fail_open: bool,
}

/// Fills what the balancer knows into a snapshot.
pub(super) fn describe(
    balancer: &Balancer,
    scheduler: &Scheduler,
    options: &AgentOptions,
    snapshot: &mut Snapshot,
) {
    let Balancer { data_path, config, plan, .. } = balancer;
    let tables = &plan.tables;
    snapshot.interfaces = data_path.attached().iter().map(interface).collect();
    snapshot.listeners = listeners(balancer).chain(http_view::listeners(config)).collect();
    let backups = backups(config);
    snapshot.targets = plan
        .targets
        .iter()
        .chain(&balancer.http.reports)
        .map(|report| target_of(balancer, &backups, report, scheduler))
        .collect();
    snapshot.target_groups = target_groups(balancer);
    let AgentOptions { limits, sizes, .. } = options;
    snapshot.maps = MapsView {
        listeners: (snapshot.listeners.len(), limits.listeners),
        target_groups: (
            tables.groups.len() + config.http_target_groups.len(),
            limits.target_groups,
        ),
        targets: (tables.targets.len() + balancer.http.reports.len(), limits.targets),
        ring_slots: (tables.groups.values().map(|group| group.ring.len()).sum(), limits.ring_slots),
        remembered_flows_max: sizes.flows() as usize,
        translated_flows_max: sizes.bindings() as usize,
        armed_slots: plan.cache.armed(),
    };
}

/// Target groups, first those that get packets, then those that the proxy reaches.
fn target_groups(balancer: &Balancer) -> Vec<TargetGroupView> {
    let Balancer { config, plan, .. } = balancer;
    let tables = &plan.tables;
    let groups: BTreeMap<&str, (u16, &GroupTable)> =
        tables.groups.iter().map(|(id, group)| (&*group.name, (*id, group))).collect();
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for report in plan.targets.iter().chain(&balancer.http.reports) {
        let count = counts.entry(&report.key.group).or_default();
        count.targets += 1;
        count.healthy += usize::from(report.shown_state() == TargetState::Healthy);
        count.fail_open |= report.in_ring && report.state == TargetState::Unhealthy;
    }
    let mut views: Vec<TargetGroupView> = config
        .target_groups
        .iter()
        .map(|group| {
            let count = counts.remove(&*group.name).unwrap_or_default();
            let table = groups.get(&*group.name);
            TargetGroupView {
                name: group.name.to_string(),
                protocol: group.protocol.to_string(),
                forwarding: group.forwarding.name().to_owned(),
                targets: count.targets,
                healthy: count.healthy,
                fail_open: count.fail_open,
                minimum_healthy: group.life.minimum_healthy.of(group.targets.len()),
                ring_slots: table.map_or(0, |(_, table)| table.ring.len()),
                id: table.map_or(0, |(id, _)| *id),
                tags: config.tags.of_group(&group.name),
            }
        })
        .collect();
    let of_requests = config.http_target_groups.iter().map(|group| {
        let Counts { targets, healthy, fail_open } =
            counts.remove(&*group.name).unwrap_or_default();
        let (name, protocol) = (group.name.to_string(), group.protocol.to_string());
        TargetGroupView {
            name,
            protocol,
            targets,
            healthy,
            fail_open,
            minimum_healthy: group.minimum_healthy.of(group.targets.len()),
            tags: config.tags.of_group(&group.name),
            ..TargetGroupView::default()
        }
    });
    views.extend(of_requests);
    views
}

/// Backup targets, by group, address and port.
pub(super) type Backups<'a> = BTreeSet<(&'a str, IpAddr, u16)>;

/// The backup targets.
pub(super) fn backups(config: &Config) -> Backups<'_> {
    config
        .target_groups
        .iter()
        .flat_map(|group| group.targets.iter().map(move |target| (&*group.name, target)))
        .filter(|(_, target)| target.backup)
        .map(|(group, target)| (group, target.address, target.port))
        .collect()
}

/// Listeners of packets, in the configuration's order.
pub(super) fn listeners(balancer: &Balancer) -> impl Iterator<Item = ListenerView> + '_ {
    let Balancer { config, plan, .. } = balancer;
    config.listeners.iter().map(|listener| {
        let id = plan::listener_id(listener, &plan.tables).unwrap_or(0);
        let sorry = listener.sorry_target_group.as_ref();
        let active = sorry.filter(|_| plan.sorry.contains(&id));
        ListenerView {
            name: listener.name.clone(),
            address: listener.shown_address(),
            port: listener.ports.into(),
            protocol: listener.protocol.to_string(),
            target_group: listener.target_group.clone(),
            active_target_group: active.unwrap_or(&listener.target_group).clone(),
            id,
            proxied: false,
            tags: config.tags.of_listener(&listener.name),
        }
    })
}

/// One target.
pub(super) fn target_of(
    balancer: &Balancer,
    backups: &Backups<'_>,
    report: &TargetReport,
    scheduler: &Scheduler,
) -> TargetView {
    let Balancer { config, drained, drain_notes, http, origins, .. } = balancer;
    let key = &report.key;
    TargetView {
        backup: backups.contains(&(&*key.group, key.address, key.port)),
        drained: drained.contains(key),
        name: origins.get(key).map(ToString::to_string).unwrap_or_default(),
        drain: drain_notes.get(key).map(drain),
        proxied: http.has_group(key),
        tags: config.tags.of_target(key),
        ..target(report, scheduler)
    }
}

fn interface(attached: &Attached) -> AttachedInterface {
    AttachedInterface {
        name: attached.name.clone(),
        index: attached.index,
        current_name: attached.current_name().to_owned(),
        mode: attached.mode().to_owned(),
        reason: attached.why().to_owned(),
        reattached_count: attached.reattached_count,
    }
}

fn drain(drain: &Drain) -> DrainView {
    let Drain { who, reason, at, .. } = drain.clone();
    DrainView { who, reason, at }
}

fn target(report: &TargetReport, scheduler: &Scheduler) -> TargetView {
    // The plan has what the deciding probe saw; the checker has what the latest one saw. Reason and
    // detail are of the same one.
    let latest = scheduler.health(&report.key).filter(|health| {
        health.state == report.state && !health.detail.is_empty() && is_of_check(report.reason)
    });
    let (reason, detail) = match latest {
        Some(health) => (health.reason, health.detail),
        None => (report.reason, report.detail.clone()),
    };
    // Healthy has no reason against it, also when this host cannot check it any more.
    let reason = reason.filter(|_| report.shown_state() != TargetState::Healthy);
    TargetView {
        group: report.key.group.to_string(),
        address: Some(report.key.address),
        port: report.key.port,
        weight: report.weight,
        state: state_name(report.shown_state()).to_owned(),
        reason: reason.map(|reason| reason.to_string()).unwrap_or_default(),
        detail,
        leaving: report.leaving,
        keeps_flows_for: report.until.map(|until| until.saturating_sub(clock::seconds())),
        share: report.share,
        id: report.id,
        ..TargetView::default()
    }
}

/// Whether a reason comes from the health checks, and not from the plan.
const fn is_of_check(reason: Option<Reason>) -> bool {
    !matches!(
        reason,
        Some(Reason::IpUnusable | Reason::NotInUse | Reason::DeregistrationInProgress)
    )
}
