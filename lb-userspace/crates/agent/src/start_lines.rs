//! What the agent says about itself when it starts: version, configuration, interfaces, and what it
//! takes over.

use std::{collections::BTreeSet, path::Path};

use lb_common::{abi::ABI, target::TargetState};
use lb_config::plural::counted;
use lb_dataplane::{Attached, Maps, StatsSource};
use lb_plan::Tables;

use super::{resume::Resumed, source::Source};

/// Who starts, and with which configuration.
pub(super) fn log_version(source: &Source) {
    tracing::info!(
        "xelb {} starts (process {}, layout {ABI} of the maps); configuration: {}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        source.describe()
    );
}

/// What a previous agent has left.
pub(super) fn log_takeover(maps: Maps, bpffs: &Path, tables: &Tables, resumed: &Resumed) {
    tracing::info!("{}", takeover(maps, bpffs, tables, resumed));
}

fn takeover(maps: Maps, bpffs: &Path, tables: &Tables, resumed: &Resumed) -> String {
    let place = bpffs.display();
    let listeners = tables.all_listeners().map(|listener| listener.id);
    let listeners = listeners.collect::<BTreeSet<_>>().len();
    let state = |wanted: TargetState| {
        let targets = tables.targets.values();
        targets.filter(|target| target.state == wanted as u8).count()
    };
    match maps {
        Maps::New => format!("no previous data path in {place}: new maps"),
        Maps::Found => format!(
            "took over the data path in {place}, which forwarded meanwhile: {}, {} ({} healthy), {} \
             drained",
            counted(listeners, "listener"),
            counted(tables.targets.len(), "target"),
            state(TargetState::Healthy),
            resumed.drained.len()
        ),
        Maps::Migrating => format!(
            "the data path in {place} has another layout or size; it forwards until new maps are filled"
        ),
    }
}

/// Where the program runs.
pub(super) fn log_interfaces(attached: &[Attached]) {
    for interface in attached {
        let Attached { name, fault, .. } = interface;
        if fault.is_empty() {
            tracing::info!("interface {name}: {} mode ({})", interface.mode(), interface.why());
        } else {
            tracing::warn!("interface {name}: the program does not run there: {fault}");
        }
    }
}

/// There is no configuration: nothing is loaded, and nothing is removed.
pub(super) fn log_without_configuration(stats: &StatsSource, bpffs: &Path) {
    tracing::info!("no configuration yet; run `xelb apply -f FILE`");
    if stats.read(&[], &[]).is_ok() {
        tracing::warn!(
            "the data path of a previous agent still forwards, with the maps in {}, and nobody checks \
             its targets: apply a configuration to take it over, or remove it with `xelb detach`",
            bpffs.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use lb_common::Target;

    use super::*;

    #[test]
    fn what_was_taken_over_is_counted() {
        let mut tables = Tables::default();
        for (id, state) in [(1, TargetState::Healthy), (2, TargetState::Unhealthy)] {
            tables.targets.insert(id, Target { state: state as u8, ..Target::default() });
        }
        let of = |maps| takeover(maps, Path::new("/sys/fs/bpf/xelb"), &tables, &Resumed::default());
        assert_eq!(
            of(Maps::Found),
            "took over the data path in /sys/fs/bpf/xelb, which forwarded meanwhile: 0 listeners, 2 \
             targets (1 healthy), 0 drained"
        );
        assert_eq!(of(Maps::New), "no previous data path in /sys/fs/bpf/xelb: new maps");
    }
}
