//! Counters by number to counters by name. Only [`read`] touches the maps.

use lb_agent::Snapshot;
use lb_common::Traffic;
use lb_dataplane::{Stats, StatsError, StatsSource};

use super::{CounterView, DropView, ListenerTraffic, StatsView, TargetTraffic};

/// Reads the counters of what is in the snapshot.
pub fn read(snapshot: &Snapshot, source: &StatsSource) -> Result<StatsView, StatsError> {
    // Before the first configuration there are no maps, and nothing has been counted.
    if snapshot.interfaces.is_empty() {
        return Ok(StatsView::default());
    }
    let listeners = snapshot.listeners.iter().filter(|one| !one.proxied);
    let listener_ids: Vec<u16> = listeners.map(|one| one.id).collect();
    let targets = snapshot.targets.iter().filter(|one| !one.proxied);
    let target_ids: Vec<u16> = targets.map(|one| one.id).collect();
    let (remembered, translated) = (source.remembered()?, source.translated()?);
    let read = source.read(&listener_ids, &target_ids)?;
    Ok(view(snapshot, &Stats { remembered, translated, ..read }))
}

/// The counters of what is in the snapshot, in its order.
fn view(snapshot: &Snapshot, stats: &Stats) -> StatsView {
    let of = |traffic: Option<&Traffic>| traffic.copied().unwrap_or_default();
    // The data path sees nothing of what the proxy serves. Those come last in both lists.
    let listeners = snapshot.listeners.iter().filter(|one| !one.proxied);
    let listeners = listeners.map(|listener| {
        let Traffic { packets, bytes } = of(stats.listeners.get(&listener.id));
        ListenerTraffic { name: listener.name.clone(), packets, bytes }
    });
    let targets = snapshot.targets.iter().filter(|one| !one.proxied).map(|target| {
        let Traffic { packets, bytes } = of(stats.targets.get(&target.id));
        TargetTraffic {
            group: target.group.clone(),
            address: target.address,
            port: target.port,
            packets,
            bytes,
        }
    });
    let drops = stats.drops.iter().map(|(reason, packets)| DropView {
        reason: reason.name().to_owned(),
        packets: *packets,
        last_seconds_ago: snapshot.drop_ages.get(reason.name()).copied(),
        help: reason.help().to_owned(),
    });
    let counters = stats.counters.iter().map(|(counter, value)| CounterView {
        name: counter.name().to_owned(),
        value: *value,
        help: counter.help().to_owned(),
    });
    StatsView {
        listeners: listeners.collect(),
        targets: targets.collect(),
        drops: drops.collect(),
        counters: counters.collect(),
        remembered_flows: stats.remembered.0 as u64,
        remembered_flows_max: u64::from(stats.remembered.1),
        translated_flows: u64::from(stats.translated.0),
        translated_flows_max: u64::from(stats.translated.1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lb_agent::{ListenerView, TargetView};
    use lb_common::{Counter, DropReason};

    use super::*;

    #[test]
    fn counters_are_found_by_number_and_shown_by_name() {
        let snapshot = Snapshot {
            listeners: vec![
                ListenerView { name: "web".to_owned(), id: 7, ..ListenerView::default() },
                ListenerView { name: "dns".to_owned(), id: 2, ..ListenerView::default() },
            ],
            targets: vec![TargetView { port: 80, id: 9, ..TargetView::default() }],
            drop_ages: BTreeMap::from([("no_target".to_owned(), 300)]),
            ..Snapshot::default()
        };
        let stats = Stats {
            listeners: BTreeMap::from([(7, Traffic { packets: 3, bytes: 180 })]),
            targets: BTreeMap::from([(9, Traffic { packets: 2, bytes: 120 })]),
            drops: vec![(DropReason::NoTarget, 5)],
            counters: vec![(Counter::FragmentPassed, 1)],
            remembered: (17, 1 << 16),
            translated: (5, 1 << 18),
        };
        let view = view(&snapshot, &stats);
        let listeners: Vec<_> =
            view.listeners.iter().map(|one| (one.name.as_str(), one.packets, one.bytes)).collect();
        assert_eq!(listeners, [("web", 3, 180), ("dns", 0, 0)], "dns has not been counted yet");
        assert_eq!((view.targets[0].port, view.targets[0].packets), (80, 2));
        assert_eq!((view.drops[0].reason.as_str(), view.drops[0].packets), ("no_target", 5));
        assert_eq!(
            (view.counters[0].name.as_str(), view.counters[0].value),
            ("fragment_passed", 1)
        );
        assert_eq!((view.remembered_flows, view.remembered_flows_max), (17, 1 << 16));
        assert_eq!((view.translated_flows, view.translated_flows_max), (5, 1 << 18));
        assert_eq!(view.drops[0].last_seconds_ago, Some(300));
        assert_eq!(view.drops[0].help, DropReason::NoTarget.help());
    }
}
