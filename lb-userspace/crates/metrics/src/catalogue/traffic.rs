//! PURE: metrics of listeners, of traffic and of what the maps hold.

use std::fmt;

use lb_api::{ListenerTraffic, StatsView, TargetTraffic};

use crate::{
    Observation,
    family::{
        Family,
        Kind::{Counter, Gauge, Info},
        Samples,
    },
};

/// A value of each listener; nothing without traffic.
fn each_listener(
    seen: &Observation,
    out: &mut Samples<'_>,
    value: fn(&ListenerTraffic) -> u64,
) -> fmt::Result {
    let mut listeners = seen.traffic.iter().flat_map(|traffic| &traffic.listeners);
    listeners.try_for_each(|one| out.add(&[&one.name], value(one)))
}

/// A value of each target; nothing without traffic.
fn each_target(
    seen: &Observation,
    out: &mut Samples<'_>,
    value: fn(&TargetTraffic) -> u64,
) -> fmt::Result {
    let targets = seen.traffic.iter().flat_map(|traffic| &traffic.targets);
    targets
        .zip(&seen.targets)
        .try_for_each(|(one, label)| out.add(&[&one.group, label], value(one)))
}

/// One value of the whole; nothing without traffic.
fn once(seen: &Observation, out: &mut Samples<'_>, value: fn(&StatsView) -> u64) -> fmt::Result {
    seen.traffic.as_ref().map_or(Ok(()), |traffic| out.add(&[], value(traffic)))
}

/// The maps that can be full: name, entries, and how many fit.
fn maps(seen: &Observation) -> [(&'static str, (usize, usize)); 4] {
    let maps = &seen.snapshot.maps;
    [
        ("listeners", maps.listeners),
        ("target_groups", maps.target_groups),
        ("targets", maps.targets),
        ("ring_slots", maps.ring_slots),
    ]
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "xelb_data_path_readable",
        kind: Gauge,
        labels: &[],
        help: "1 if the counters of the data path could be read; 0 also before the first \
               configuration.",
        samples: |seen, out| out.add(&[], seen.traffic.is_some()),
    },
    Family {
        name: "xelb_listener_info",
        kind: Info,
        labels: &["listener", "address", "port", "protocol", "group"],
        help: "Address, port and protocol of a listener, and the group that it forwards to.",
        samples: |seen, out| {
            seen.snapshot.listeners.iter().try_for_each(|one| {
                let port = one.port.to_string();
                out.add(&[&one.name, &one.address, &port, &one.protocol, &one.target_group], true)
            })
        },
    },
    Family {
        name: "xelb_listener_packets_total",
        kind: Counter,
        labels: &["listener"],
        help: "Packets of clients that were forwarded for a listener.",
        samples: |seen, out| each_listener(seen, out, |one| one.packets),
    },
    Family {
        name: "xelb_listener_bytes_total",
        kind: Counter,
        labels: &["listener"],
        help: "Bytes of their IP packets as they arrived.",
        samples: |seen, out| each_listener(seen, out, |one| one.bytes),
    },
    Family {
        name: "xelb_target_packets_total",
        kind: Counter,
        labels: &["group", "target"],
        help: "Packets of clients that were forwarded to a target.",
        samples: |seen, out| each_target(seen, out, |one| one.packets),
    },
    Family {
        name: "xelb_target_bytes_total",
        kind: Counter,
        labels: &["group", "target"],
        help: "Bytes of their IP packets as they arrived.",
        samples: |seen, out| each_target(seen, out, |one| one.bytes),
    },
    Family {
        name: "xelb_dropped_packets_total",
        kind: Counter,
        labels: &["reason"],
        help: "Packets dropped, by reason.",
        samples: |seen, out| {
            let mut drops = seen.traffic.iter().flat_map(|traffic| &traffic.drops);
            drops.try_for_each(|drop| out.add(&[&drop.reason], drop.packets))
        },
    },
    Family {
        name: "xelb_datapath_events_total",
        kind: Counter,
        labels: &["event"],
        help: "Counters of the data path other than drops.",
        samples: |seen, out| {
            let mut counters = seen.traffic.iter().flat_map(|traffic| &traffic.counters);
            counters.try_for_each(|counter| out.add(&[&counter.name], counter.value))
        },
    },
    Family {
        name: "xelb_remembered_flows",
        kind: Gauge,
        labels: &[],
        help: "Remembered flows now.",
        samples: |seen, out| once(seen, out, |traffic| traffic.remembered_flows),
    },
    Family {
        name: "xelb_remembered_flows_max",
        kind: Gauge,
        labels: &[],
        help: "Maximum number of remembered flows.",
        samples: |seen, out| once(seen, out, |traffic| traffic.remembered_flows_max),
    },
    Family {
        name: "xelb_translated_flows",
        kind: Gauge,
        labels: &[],
        help: "Flows of modes nat and fullnat now.",
        samples: |seen, out| once(seen, out, |traffic| traffic.translated_flows),
    },
    Family {
        name: "xelb_translated_flows_max",
        kind: Gauge,
        labels: &[],
        help: "Maximum number of flows of modes nat and fullnat.",
        samples: |seen, out| once(seen, out, |traffic| traffic.translated_flows_max),
    },
    Family {
        name: "xelb_armed_slots",
        kind: Gauge,
        labels: &[],
        help: "Slots in which new flows are remembered.",
        samples: |seen, out| out.add(&[], seen.snapshot.maps.armed_slots),
    },
    Family {
        name: "xelb_map_entries",
        kind: Gauge,
        labels: &["map"],
        help: "Used entries of maps of limited size.",
        samples: |seen, out| {
            maps(seen).into_iter().try_for_each(|(name, (entries, _))| out.add(&[name], entries))
        },
    },
    Family {
        name: "xelb_map_capacity",
        kind: Gauge,
        labels: &["map"],
        help: "Maximum number of entries: the size of the map, or an option of the agent.",
        samples: |seen, out| {
            maps(seen).into_iter().try_for_each(|(name, (_, capacity))| out.add(&[name], capacity))
        },
    },
    Family {
        name: "xelb_map_memory_bytes",
        kind: Gauge,
        labels: &["map"],
        help: "Kernel memory of each map of the data path.",
        samples: |seen, out| {
            let mut maps = seen.snapshot.memory.maps.iter();
            maps.try_for_each(|map| out.add(&[&map.name], map.bytes))
        },
    },
];
